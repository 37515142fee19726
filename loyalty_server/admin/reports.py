"""Sums: receipts and points by business day and store, and what all members have and owe.

A page is so many stores on so many days, sold or not, so each costs no more than the receipts and entries of its own days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, and_, case, func, literal, select, tuple_

from loyalty_server.admin.messages import Day, DayReport, Days, Points
from loyalty_server.problems import refuse
from loyalty_server.storage import tables

_Key = tuple[date, str]


def days(connection: Connection, wish: Days) -> DayReport:
    """Return a page of sums. Raises Refused `malformed` for an `after` that no page has named."""
    pairs = list(islice(_behind(connection, wish), wish.limit + 1))
    shown = pairs[: wish.limit]
    if not shown:
        return DayReport((), None)
    sold, points = _sold(connection, wish, shown), _points(connection, wish, shown)
    lines = tuple(_line(key, sold.get(key), points.get(key)) for key in shown)
    day, store = shown[-1]
    return DayReport(lines, f"{day}.{store}" if len(pairs) > wish.limit else None)


def points(connection: Connection) -> Points:
    """Return the sums over all members."""
    balance = tables.members.c.balance
    owing = case((balance < 0, 1))
    sums = select(
        func.count(),
        func.coalesce(func.sum(case((balance > 0, balance))), 0),
        func.count(owing),
        func.coalesce(func.sum(case((balance < 0, -balance))), 0),
    )
    row = connection.execute(sums.where(tables.members.c.deleted_at.is_(None))).one()
    return Points(members=row[0], points=int(row[1]), debtors=row[2], debt=int(row[3]))


def _behind(connection: Connection, wish: Days) -> Iterator[_Key]:
    """Each day with each store, in order, behind the last one of the page before."""
    chosen = select(tables.stores.c.id).order_by(tables.stores.c.id)
    if wish.store:
        chosen = chosen.where(tables.stores.c.id == wish.store)
    stores = list(connection.execute(chosen).scalars())
    last = _last(wish.after)
    first = wish.since if last is None else max(wish.since, last[0])
    for number in range(first.toordinal(), wish.until.toordinal() + 1 if stores else 0):
        day = date.fromordinal(number)
        yield from ((day, store) for store in stores if last is None or (day, store) > last)


def _last(after: str) -> _Key | None:
    if not after:
        return None
    day, _, store = after.partition(".")
    try:
        return msgspec.convert(day, date), store
    except msgspec.ValidationError as error:
        raise refuse("malformed", "`after` is not the `next` of a page") from error


def _within(day: Column[Any], store: Column[Any], wish: Days, shown: list[_Key]) -> ColumnElement[bool]:
    """Between the first and the last line of the page; the days once more by themselves, for the partitions."""
    first, last = (tuple_(literal(each[0]), literal(each[1])) for each in (shown[0], shown[-1]))
    both = tuple_(day, store)
    range_of_page = and_(day >= shown[0][0], day <= shown[-1][0], both >= first, both <= last)
    return and_(range_of_page, store == wish.store) if wish.store else range_of_page


def _sold(connection: Connection, wish: Days, shown: list[_Key]) -> dict[_Key, Row[Any]]:
    own = tables.receipts.c
    sums = select(own.business_day, own.store, func.count().label("receipts"), func.sum(own.pay).label("turnover"))
    sums = sums.where(_within(own.business_day, own.store, wish, shown)).group_by(own.business_day, own.store)
    return {(row.business_day, row.store): row for row in connection.execute(sums)}


def _points(connection: Connection, wish: Days, shown: list[_Key]) -> dict[_Key, Row[Any]]:
    own = tables.ledger.c
    kinds = ("earn", "redeem", "return_redeem", "return_earn")
    of_kinds = [func.coalesce(func.sum(case((own.kind == kind, own.points))), 0).label(kind) for kind in kinds]
    sums = select(own.business_day, own.store, *of_kinds).where(_within(own.business_day, own.store, wish, shown))
    return {
        (row.business_day, row.store): row for row in connection.execute(sums.group_by(own.business_day, own.store))
    }


def _line(key: _Key, sold: Row[Any] | None, points: Row[Any] | None) -> Day:
    return Day(
        day=key[0],
        store=key[1],
        receipts=0 if sold is None else sold.receipts,
        turnover=0 if sold is None else int(sold.turnover),
        earned=0 if points is None else int(points.earn),
        paid=0 if points is None else -int(points.redeem),
        given_back=0 if points is None else int(points.return_redeem),
        taken_back=0 if points is None else -int(points.return_earn),
    )
