"""What tills tell beside receipts: what members have said about their consent, and the sentences that cashiers were given."""

from __future__ import annotations

import uuid
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from loyalty.wire import Consent, Shown
from loyalty_server import members
from loyalty_server.books import NOTE_COLUMNS, Books
from loyalty_server.sales import Desk, member_of, time_of
from loyalty_server.slips import ACCEPTED, DUPLICATE, Outcome, Slip, plain
from loyalty_server.storage.statements import append
from loyalty_server.storage.tables import notes


def book_note(desk: Desk, slip: Slip, body: Consent | Shown) -> Outcome:
    """Keep it once; the consent that was said last holds, whichever came last; of two at once, that it is withdrawn."""
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


def agree_anew(connection: Connection, member: str, device: str, now: datetime) -> None:
    """Note that a member has given his consent by a code to his phone: what he had said at a till before is over."""
    said = msgspec.json.encode(Consent(till="", consent="given", member=member)).decode()
    append(connection, notes, NOTE_COLUMNS, [(str(uuid.uuid4()), "consent", now, now, device, "", member, said)])
    line = members.lock(connection, [member])[member]
    if line.state.consent != "given":
        state = msgspec.structs.replace(line.state, consent="given")
        members.write(connection, [(member, line._replace(state=state))])


def _say(books: Books, member: str, body: Consent, at: datetime) -> None:
    last, line = books.consented.get(member), books.members.get(member)
    if line is not None and (last is None or at > last or (at == last and body.consent == "withdrawn")):
        books.consented.put(member, at)
        books.members.put(member, line._replace(state=msgspec.structs.replace(line.state, consent=body.consent)))
