"""A member's lots from all that was ever booked for him: the same whatever came first. Pure.

Points that burn at the same instant are one lot, named by that instant, so that a member has as many lots as there are
instants; points that never burn are one lot, too. What comes after everything else moves the account on (`post`); what
comes late is put in its place among the others by `replay`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from loyalty.ledger import Account, Entry, EntryKind, Part, book
from loyalty.quote import Lot

NEVER = "never"

_RANKS: dict[EntryKind, int] = {"redeem": 1, "earn": 2, "adjust": 3, "return_redeem": 4, "return_earn": 5}
"""Within one receipt points are paid first and earned then; within a return they come back first and are taken then."""


class Posting(NamedTuple):
    """One entry of a member's ledger, as far as lots go.

    `name` orders what happened at the same instant. `sale` is the sale that the points are of. `expires_at` is when what a
    credit gives burns; for a `return_earn`, when what the sale had given would have burnt.
    """

    kind: EntryKind
    points: int
    at: datetime
    name: tuple[str, ...] = ()
    sale: str = ""
    expires_at: datetime | None = None


@dataclass
class _Sale:
    parts: tuple[Part, ...] = ()
    back: int = 0


def lot_of(expires_at: datetime | None) -> str:
    """Return the name of the lot that burns then."""
    return NEVER if expires_at is None else expires_at.astimezone(UTC).isoformat()


def post(account: Account, posting: Posting) -> Account:
    """Return the account after a posting that comes after all others and brings back no points that had paid."""
    return _posted(account, posting, _Sale())


def replay(postings: Iterable[Posting]) -> Account:
    """Return the account that all postings of a member make, apart from what has burnt: those lots stand as they died."""
    account, sales = Account(), defaultdict[str, _Sale](_Sale)
    for posting in sorted(_settled(postings), key=_order):
        account = _posted(account, posting, sales[posting.sale])
    return account


def standing(account: Account) -> tuple[Lot, ...]:
    """Return the lots that have points, the first to burn first."""
    lots = [lot for lot in account.lots if lot.points]
    return tuple(sorted(lots, key=lambda lot: (lot.expires_at is None, lot.id)))


def _order(posting: Posting) -> tuple[datetime, tuple[str, ...], int]:
    return posting.at, posting.name, _RANKS.get(posting.kind, 0)


def _settled(postings: Iterable[Posting]) -> list[Posting]:
    """Adjustments of one sale are one, because their order says only which row came last."""
    adjusted: dict[str, Posting] = {}
    others = []
    for posting in postings:
        if posting.kind == "adjust" and posting.sale:
            known = adjusted.get(posting.sale)
            points = posting.points + (0 if known is None else known.points)
            adjusted[posting.sale] = posting._replace(points=points, name=())
        elif posting.kind != "expire":
            others.append(posting)
    return others + list(adjusted.values())


def _posted(account: Account, posting: Posting, sale: _Sale) -> Account:
    """A time is kept in UTC, so that the same lot is the same in every way."""
    if posting.expires_at is not None:
        posting = posting._replace(expires_at=posting.expires_at.astimezone(UTC))
    if posting.kind == "return_redeem":
        return _given_back(account, posting, sale)
    lot = lot_of(posting.expires_at) if posting.points > 0 or posting.kind == "return_earn" else ""
    booked = book(account, Entry(posting.kind, posting.points, posting.at, lot, posting.expires_at))
    if posting.kind == "redeem":
        sale.parts += booked.parts
    return _pooled(booked.account)


def _given_back(account: Account, posting: Posting, sale: _Sale) -> Account:
    """Points go to the lots that they were taken from; more than were taken can only be new."""
    taken = sum(part.points for part in sale.parts)
    back = max(0, min(posting.points, taken - sale.back))
    lot, expires_at = lot_of(posting.expires_at), posting.expires_at
    entry = Entry("return_redeem", back, posting.at, lot, expires_at, sale.parts, sale.back)
    sale.back += back
    account = book(account, entry).account
    return _pooled(book(account, Entry("adjust", posting.points - back, posting.at, lot, expires_at)).account)


def _pooled(account: Account) -> Account:
    lots: dict[str, Lot] = {}
    for lot in account.lots:
        known = lots.get(lot.id)
        lots[lot.id] = lot if known is None else Lot(lot.id, known.points + lot.points, lot.expires_at)
    return account._replace(lots=tuple(lots.values()))
