"""What tills tell beside receipts: what members have said about their consent, and the sentences that cashiers were given."""

from __future__ import annotations

from datetime import datetime

import msgspec

from loyalty.wire import Consent, Shown
from loyalty_server.books import Books
from loyalty_server.sales import Desk, member_of, time_of
from loyalty_server.slips import ACCEPTED, DUPLICATE, Outcome, Slip, plain


def book_note(desk: Desk, slip: Slip, body: Consent | Shown) -> Outcome:
    """Keep it once; the consent that was said last holds, whichever came last."""
    books = desk.books
    if books.note_ids.get(slip.row.id) is not None:
        return DUPLICATE
    till = plain(body.till, 64)
    at = time_of(desk, slip, till)
    card = body.card if isinstance(body, Consent) else None
    member = member_of(desk, slip, till, body.member, card)
    books.note_ids.put(slip.row.id, True)
    books.notes.add(slip.row.id, slip.row.kind, at, desk.now, desk.device.id, till, member, slip.row.body)
    if isinstance(body, Consent) and member is not None:
        _say(books, member, body, at)
    return ACCEPTED


def _say(books: Books, member: str, body: Consent, at: datetime) -> None:
    last, line = books.consented.get(member), books.members.get(member)
    if line is not None and (last is None or at >= last):
        books.consented.put(member, at)
        books.members.put(member, line._replace(state=msgspec.structs.replace(line.state, consent=body.consent)))
