"""Booking many rows: all at once where the database takes them so, one by one where it does not.

The database has the last word on each line. The first books are hopeful; what is refused to them, because it is there
already, the next ones see, and so they see what another transaction was faster with. What is refused again is looked for
row by row, each in a savepoint of its own, so that its neighbours stand.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from loyalty.wire import Cancellation, Consent, Enrolment, Return, Sale, Shown
from loyalty_server.books import Books
from loyalty_server.needs import expect
from loyalty_server.notes import book_note
from loyalty_server.sales import Desk, book_enrolment, book_sale
from loyalty_server.slips import Outcome, Slip, rejected
from loyalty_server.taking_back import book_return

log = logging.getLogger(__name__)

_HOPES = (True, False, False)
_REFUSALS = (IntegrityError, DataError, OverflowError)
"""What is the fault of a row. Anything else (no connection, no room, no such table) is not, and nothing is booked."""


def book_all(connection: Connection, desk: Desk, entries: Sequence[Slip | Outcome]) -> tuple[Books, list[Outcome]]:
    """Book the slips among the entries and return all outcomes. The caller settles the books at the end."""
    for hopeful in _HOPES:
        done = _try(connection, desk, entries, hopeful=hopeful)
        if done is not None:
            return done
    return Books(connection, desk.now), [_alone(connection, desk, entry) for entry in entries]


def _alone(connection: Connection, desk: Desk, entry: Slip | Outcome) -> Outcome:
    if isinstance(entry, Outcome):
        return entry
    done = _try(connection, desk, [entry])
    if done is None:
        return rejected("row_not_booked", "the database refused it")
    books, (outcome,) = done
    books.settle(desk.device.store)
    return outcome


def _try(
    connection: Connection, desk: Desk, entries: Sequence[Slip | Outcome], *, hopeful: bool = False
) -> tuple[Books, list[Outcome]] | None:
    """Book in a savepoint; None = the database refused something, and nothing is booked."""
    with_returns = any(isinstance(each, Slip) and isinstance(each.body, Return | Cancellation) for each in entries)
    books = Books(connection, desk.now, hopeful=hopeful, with_returns=with_returns)
    at_work = replace(desk, books=books)
    savepoint = connection.begin_nested()
    try:
        expect(at_work, [entry for entry in entries if isinstance(entry, Slip)])
        outcomes = [_one(at_work, entry) for entry in entries]
        books.write()
    except _REFUSALS:
        if not hopeful:
            log.exception("rows=refused device=%s rows=%d", desk.device.id, len(entries))
        savepoint.rollback()
        return None
    savepoint.commit()
    return books, outcomes


def _one(desk: Desk, entry: Slip | Outcome) -> Outcome:
    if isinstance(entry, Outcome):
        return entry
    try:
        outcome = _book(desk, entry)
    except (LookupError, ArithmeticError, TypeError, ValueError) as error:
        log.exception("row=not_booked device=%s seq=%d", desk.device.id, entry.row.seq)
        outcome = rejected("row_not_booked", type(error).__name__)
    if outcome.verdict == "accepted":
        desk.books.keep()
    else:
        desk.books.drop()
    return outcome


def _book(desk: Desk, slip: Slip) -> Outcome:
    match slip.body:
        case Sale():
            return book_sale(desk, slip, slip.body)
        case Return() | Cancellation():
            return book_return(desk, slip, slip.body)
        case Enrolment():
            return book_enrolment(desk, slip, slip.body)
        case Consent() | Shown():
            return book_note(desk, slip, slip.body)
