"""Logging of the daemon: one line a record, key=value, to standard error, and nothing personal in it.

Who logs is not trusted to remember what is personal: the formatter masks card numbers, phones and tokens wherever they
come from, exceptions of foreign libraries included, and escapes control characters, so that no scanned code can forge a
line or colour a terminal.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

_SECRETS = re.compile(
    r"""
      eyJ[\w-]{10,}(?:\.[\w-]+){1,2}                  # a signed token
    | \b(?:[A-Z2-7]{32}|[a-z2-7]{32})\b               # an enrolment token, base32
    | \+\d[\d ()-]{8,}\d                              # a phone as people write it
    | \d{9,}                                          # a card or a phone
    """,
    re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Formatter(logging.Formatter):
    """`at=... level=... source=... message`, masked and escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = super().format(record)
        return f"at={at} level={record.levelname.lower()} source={record.name} {clean(message)}"


def clean(text: str) -> str:
    """Return the text without personal data and control characters."""
    return _CONTROL.sub(_escape, _SECRETS.sub("***", text))


def set_up(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send all logs of this process through the formatter, and nowhere else."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Formatter("%(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    logging.getLogger("urllib3").setLevel(logging.WARNING)


def _escape(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")
