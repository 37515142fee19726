"""The problems (RFC 9457) that a till answers a POS with: one table of stable codes."""

from __future__ import annotations

from collections.abc import Mapping

from loyalty.quote import Refusal
from loyalty.wire import Problem

Table = Mapping[str, tuple[int, bool, str]]
"""Status, `retryable` and title by code."""

_TABLE: Table = {
    "busy": (503, True, "The till has too much to do right now; ask again"),
    "stopping": (503, True, "The agent is stopping"),
    "timeout": (504, True, "The till did not answer in time; the outcome is unknown, ask again with the same body"),
    "no_programme": (503, True, "No loyalty programme has arrived from the server yet"),
    "queue_full": (503, True, "The local queue takes no more work right now"),
    "queue_damaged": (503, False, "The local queue cannot store a sale"),
    "internal": (500, True, "An unforeseen error; it is in the log"),
    "quote_unknown": (409, False, "No such quote: put the basket again"),
    "sale_conflict": (409, False, "This sale was committed with another body"),
    "receipt_conflict": (409, False, "This receipt was committed as another sale"),
}


def problem(code: str, detail: str = "", table: Table = _TABLE) -> Problem:
    """Make the problem of that code; an unknown code is a mistake of the programmer (KeyError)."""
    status, retryable, title = table[code]
    return Problem(type=_type(code), title=title, status=status, code=code, retryable=retryable, detail=detail)


def refused(refusal: Refusal) -> Problem:
    """A business refusal as the POS sees it: 422 with the engine's own code."""
    detail = refusal.text.get("en", "")
    where = f"{refusal.at}: {detail}" if refusal.at else detail
    return Problem(
        type=_type(refusal.code), title="Refused", status=422, code=refusal.code, retryable=False, detail=where
    )


def _type(code: str) -> str:
    return f"urn:tillmate:problem:{code}"
