"""What the rows of a batch will ask their books for, fetched at once: first tokens and cards, then members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from loyalty.wire import Cancellation, Consent, Enrolment, Return, Sale, Shown
from loyalty_server.programmes import IN_FORCE
from loyalty_server.sales import Desk
from loyalty_server.slips import LONGEST_NAME, Outcome, Slip, name_of, plain
from loyalty_server.storage.statements import within
from loyalty_server.storage.tables import stores
from loyalty_server.taking_back import names_of


def lock_sales(connection: Connection, store: str, entries: Iterable[Slip | Outcome]) -> None:
    """If returns are among these, let nobody sell or settle in the stores of their sales until the transaction ends.

    A return and its sale that arrive at once would else both find that the other one is not there.
    """
    bodies = [entry.body for entry in entries if isinstance(entry, Slip)]
    wanted = {body.sale.store for body in bodies if isinstance(body, Return | Cancellation)}
    if wanted:
        both = select(stores.c.id).where(within(connection, stores.c.id, sorted(wanted | {store})))
        connection.execute(both.order_by(stores.c.id).with_for_update())


def expect(desk: Desk, slips: Sequence[Slip]) -> None:
    """Let the books fetch at once what these rows will ask for."""
    books = desk.books
    sales = [(slip.row.id, slip.body) for slip in slips if isinstance(slip.body, Sale)]
    books.receipts.fetch(name_of(sale.receipt) for _, sale in sales)
    books.row_ids.fetch((row_id, sale.receipt.business_day) for row_id, sale in sales)
    _expect_returns(desk, slips)
    books.returned.fetch(name_of(sale.receipt) for _, sale in sales)
    revisions = {sale.quote.programme_revision for _, sale in sales}
    revisions |= {booked.sale.quote.programme_revision for booked in books.sold.values()}
    books.programmes.fetch(revisions | {IN_FORCE})
    notes = [(slip.row.id, slip.body) for slip in slips if isinstance(slip.body, Consent | Shown)]
    books.note_ids.fetch(row_id for row_id, _ in notes)
    _expect_members(desk, [sale for _, sale in sales], [note for _, note in notes], slips)


def _expect_returns(desk: Desk, slips: Iterable[Slip]) -> None:
    books = desk.books
    returns = [(slip.row.id, names_of(slip.body)) for slip in slips if isinstance(slip.body, Return | Cancellation)]
    books.taken.fetch((names.kind, names.own) for _, names in returns)
    books.taken_ids.fetch(row_id for row_id, _ in returns)
    books.sold.fetch(names.sale for _, names in returns)
    books.returned.fetch(names.sale for _, names in returns)


def _expect_members(desk: Desk, sales: Sequence[Sale], notes: Sequence[Consent | Shown], slips: Iterable[Slip]) -> None:
    books = desk.books
    texts = [sale.token for sale in sales] + [slip.body.token for slip in slips if isinstance(slip.body, Enrolment)]
    tokens = [token.id for text in texts if text is not None and (token := desk.token(text)) is not None]
    spoken = [note for note in notes if isinstance(note, Consent)]
    cards = {card for card in (*(sale.card for sale in sales), *(note.card for note in spoken)) if card is not None}
    books.cards.fetch(cards)
    books.tokens.fetch(tokens)
    lines = [line for token in tokens if (line := books.tokens.get(token)) is not None]
    own = {sale.member for sale in sales} | {note.member for note in notes} | {line.member for line in lines}
    own |= {books.cards.get(card) for card in cards} | {booked.member for booked in books.sold.values()}
    books.members.fetch(member for member in own if member is not None)
    paying = {sale.member or books.cards.get(sale.card or "") for sale in sales if sale.hold or sale.quote.redeemed}
    books.holds.fetch(member for member in paying if member is not None)
    books.consented.fetch(each for note in spoken if (each := note.member or books.cards.get(note.card or "")))
    books.coupons.fetch(
        (member, plain(code, LONGEST_NAME))
        for sale in sales
        for code in sale.quote.coupons_used
        if (member := sale.member or books.cards.get(sale.card or ""))
    )
