"""Who has asked what, when, on whom, and what came of it: one line for each call of an operator, never changed.

A line holds ids and nothing else of a person: no telephone, no card, no token, no word that somebody has typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select

from loyalty_server.storage.admin_tables import audit_log

AT_THE_MACHINE: Final = "(command line)"
"""Stands for whoever may use the command line."""

DONE: Final = "done"


@dataclass
class Trace:
    """One call, to be written down when it is known what came of it."""

    operator: str
    action: str
    now: datetime
    _subject: dict[str, str] = field(default_factory=dict)

    def on(self, **ids: object) -> None:
        """Name whom or what it is about: ids of the server's own, which were found."""
        self._subject |= {kind: str(each) for kind, each in ids.items()}

    def write(self, connection: Connection, outcome: str = DONE) -> None:
        """Write it down with `done`, or with the code of the problem."""
        subject = " ".join(f"{kind}={each}" for kind, each in self._subject.items())
        line = {"at": self.now, "operator": self.operator, "action": self.action, "subject": subject}
        connection.execute(insert(audit_log).values(**line, outcome=outcome))


def last_lines(connection: Connection, count: int) -> Iterator[Row[Any]]:
    """Return the newest lines, the oldest of them first."""
    newest = select(audit_log).order_by(audit_log.c.id.desc()).limit(count)
    yield from reversed(connection.execute(newest).all())
