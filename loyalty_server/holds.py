"""Points and coupons that are reserved for an open receipt, so that two tills cannot promise the same ones.

A till makes a hold under an id of its own and may repeat every request: a reply that was lost locks nothing unknown. What
can be held is the balance without what other live holds reserve, so holds alone never take a member below nothing. A hold
is over when its sale is booked, when it is released, or `LIVES` after it was asked for last; then it stands in nobody's
way, and its sale is booked all the same. Whoever grants a hold, ends one or books a sale has the member locked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, select, tuple_, update

from loyalty import ledger
from loyalty.quote import MemberState
from loyalty.wire import Hold, HoldRequest
from loyalty_server import members
from loyalty_server.devices import Device
from loyalty_server.problems import refuse
from loyalty_server.storage.statements import insert_new, within
from loyalty_server.storage.tables import holds

LIVES = timedelta(minutes=15)
KEPT = timedelta(minutes=15)
"""How long the line of a hold that has run out stays: longer than any request for it can be under way."""

_MOST_COUPONS = 32
_MOST_POINTS = 10**12
_LONGEST = 64


class Held(NamedTuple):
    """What one hold reserves."""

    device: str
    id: str
    points: int
    coupons: tuple[str, ...]
    expires_at: datetime
    over_at: datetime | None = None


def spendable(state: MemberState, now: datetime) -> int:
    """Return the member's points without those that have burnt but are not booked so yet; below zero is a debt."""
    return state.balance - ledger.dead(state.lots or (), now)


def unheld(connection: Connection, member: str, state: MemberState, now: datetime) -> int:
    """Return the points of a member, who is locked, that are there and held for no receipt; never below zero."""
    return max(0, spendable(state, now) - sum(each.points for each in _live(connection, member, now)))


def put_hold(connection: Connection, device: Device, name: str, wish: HoldRequest, now: datetime) -> Hold:
    """Grant the hold, or renew it: its time begins again, and what has been promised is not decided again. Another amount
    is, and if it is refused the hold stays as it was.

    Raises Refused `malformed`, `member_unknown`, `hold_over`, `points_short` (with the most that can be held) or
    `coupon_not_free` (with those that cannot).
    """
    _check(name, wish)
    member = members.lock(connection, [wish.member]).get(wish.member)
    if member is None:
        raise refuse("member_unknown")
    known = connection.execute(select(holds).where(*_key(device, name))).one_or_none()
    if known is not None and (known.over_at is not None or known.member != wish.member):
        raise refuse("hold_over")
    if known is None or not _same(known, wish) or known.expires_at <= now:
        others = [each for each in _live(connection, wish.member, now) if (each.device, each.id) != (device.id, name)]
        _decide(wish, member.state, others, now)
    _write(connection, device, name, wish, now, new=known is None)
    return Hold(id=name, points=wish.points, coupons=wish.coupons, expires_at=now + LIVES)


def release(connection: Connection, device: Device, name: str, now: datetime) -> None:
    """Let the hold be over, whether it is there or not: a request for it that is still under way is refused then."""
    _check_id(name)
    nothing = {"points": 0, "coupons": "[]", "till": "", "expires_at": now + LIVES, "over_at": now}
    if insert_new(connection, holds, {"device": device.id, "id": name, **nothing}):
        return
    member = connection.execute(select(holds.c.member).where(*_key(device, name))).scalar_one_or_none()
    if member is not None:
        members.lock(connection, [member])
        _end(connection, device.id, [name], now)


def write(connection: Connection, used: Iterable[Held]) -> None:
    """Set down which holds are over, and since when."""
    names: defaultdict[tuple[str, datetime], list[str]] = defaultdict(list)  # in a batch all are of one device and time
    for each in used:
        if each.over_at is not None:
            names[each.device, each.over_at].append(each.id)
    for (device, now), ids in names.items():
        _end(connection, device, ids, now)


def of_members(connection: Connection, wanted: Collection[str]) -> Mapping[str, tuple[Held, ...]]:
    """Return the holds of members, who are locked, that are not over, though some may have run out."""
    found: defaultdict[str, list[Held]] = defaultdict(list)
    open_ones = select(holds).where(within(connection, holds.c.member, wanted), holds.c.over_at.is_(None))
    for row in connection.execute(open_ones.order_by(holds.c.device, holds.c.id)):
        found[row.member].append(_held(row))
    return {member: tuple(each) for member, each in found.items()}


def sweep(connection: Connection, now: datetime) -> int:
    """Delete what has run out long ago; return how many there were."""
    old = select(holds.c.device, holds.c.id).where(holds.c.expires_at < now - KEPT).with_for_update(skip_locked=True)
    return connection.execute(delete(holds).where(tuple_(holds.c.device, holds.c.id).in_(old))).rowcount


def _end(connection: Connection, device: str, names: Collection[str], now: datetime) -> None:
    ended = update(holds).where(holds.c.device == device, within(connection, holds.c.id, names))
    connection.execute(ended.where(holds.c.over_at.is_(None)).values(over_at=now))


def _check(name: str, wish: HoldRequest) -> None:
    _check_id(name)
    if not 0 <= wish.points <= _MOST_POINTS:
        raise refuse("malformed", "`points` is not a possible number")
    if len(wish.coupons) > _MOST_COUPONS:
        raise refuse("malformed", f"a hold may have {_MOST_COUPONS} coupons")
    if not all(_is_name(text) for text in (wish.member, wish.till, *wish.coupons)):
        raise refuse("malformed", f"`member`, `till` and each of `coupons` are 1-{_LONGEST} printable letters")


def _check_id(name: str) -> None:
    if not (0 < len(name) <= _LONGEST and name.isascii() and name.replace("-", "").isalnum()):
        raise refuse("malformed", f"the id of a hold is 1-{_LONGEST} letters, digits and hyphens")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()


def _decide(wish: HoldRequest, state: MemberState, others: Iterable[Held], now: datetime) -> None:
    most = max(0, spendable(state, now) - sum(each.points for each in others))
    if wish.points > most:
        raise refuse("points_short", most=most)
    free = set(state.coupons).difference(*(each.coupons for each in others))
    taken = tuple(code for code in wish.coupons if code not in free)
    if taken:
        raise refuse("coupon_not_free", coupons=taken)


def _write(connection: Connection, device: Device, name: str, wish: HoldRequest, now: datetime, *, new: bool) -> None:
    granted = {"points": wish.points, "coupons": _text(wish.coupons), "till": wish.till, "expires_at": now + LIVES}
    if new:
        line = {"device": device.id, "id": name, "member": wish.member, **granted}
        written = insert_new(connection, holds, line)
    else:
        changed = update(holds).where(*_key(device, name), holds.c.over_at.is_(None)).values(**granted)
        written = connection.execute(changed).rowcount == 1
    if not written:  # released, or made for another member, in this very moment
        raise refuse("hold_over")


def _live(connection: Connection, member: str, now: datetime) -> list[Held]:
    return [each for each in of_members(connection, [member]).get(member, ()) if each.expires_at > now]


def _same(row: Row[tuple[object, ...]], wish: HoldRequest) -> bool:
    return bool((row.points, row.coupons) == (wish.points, _text(wish.coupons)))


def _key(device: Device, name: str) -> tuple[ColumnElement[bool], ...]:
    return holds.c.device == device.id, holds.c.id == name


def _held(row: Row[tuple[object, ...]]) -> Held:
    return Held(row.device, row.id, row.points, msgspec.json.decode(row.coupons, type=tuple[str, ...]), row.expires_at)


def _text(coupons: tuple[str, ...]) -> str:
    return msgspec.json.encode(coupons).decode()
