"""Settling returns with their sale, in the books of one transaction."""

from __future__ import annotations

from datetime import datetime

from loyalty.programme import Programme
from loyalty_server import returned
from loyalty_server.books import Books
from loyalty_server.returned import Booked, Taken
from loyalty_server.slips import Name


def programme_of(books: Books, revision: int) -> Programme | None:
    """Return a revision; the one in force where the server does not have it."""
    return books.programmes.get(revision) or books.programmes.get(0)


def settle(books: Books, booked: Booked, before: list[Taken], taken: Taken) -> bool:
    """Book one more return of a sale that is in; tell whether more came back than was sold."""
    programme = programme_of(books, booked.sale.quote.programme_revision)
    if programme is None:
        return False
    member = None if booked.member is None else books.members.get(booked.member)
    if booked.member is None or member is None:
        return returned.too_much(programme, booked, [*before, taken])
    done = returned.settle(programme, booked, booked.member, member.state, before, taken)
    books.post(booked.member, done.state, done.entries)
    return done.excess


def settle_waiting(books: Books, name: Name, booked: Booked, now: datetime) -> list[Taken]:
    """Book what came back of a sale before it came in; return those that brought back more than was sold."""
    known = books.returned.get(name) or ()
    settled: list[Taken] = []
    odd = []
    for taken in known:
        if settle(books, booked, settled, taken):
            odd.append(taken)
        settled.append(taken._replace(settled_at=now))
    if settled:
        books.returned.put(name, tuple(settled))
    return odd
