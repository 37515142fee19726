"""The audit that runs by itself beside a server: what was booked since its marks, a share of it, one page after the other.

It never stands in a batch's way: it reads what is booked, asks the engine with no transaction open, and writes marks and
flags in a short one. After each sale it rests, so that it takes three hundredths of a processor at most. Of several
processes one has the lease; whoever lost it meanwhile writes nothing, and so no sale is asked for twice.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, or_, select, tuple_, update

from loyalty_server.audit import Programmes, Question, Sample, flag_differences, question
from loyalty_server.clock import Clock
from loyalty_server.meters import Meters
from loyalty_server.storage.database import Database
from loyalty_server.storage.statements import insert_new, matching, put, within
from loyalty_server.storage.tables import audit_marks, epochs, leases, receipts, rows
from loyalty_server.verify import Difference, is_erased

log = logging.getLogger(__name__)

EVERY: Final = 30.0
"""Seconds between two rounds."""
SHARE: Final = 0.03
"""Of a processor."""
LEASE: Final = timedelta(minutes=2)
ROWS, QUEUES = 2000, 200
"""Of a page: what is done between two looks at the lease."""

_NAME = "audit"
_JOIN = 2.0


class Span(NamedTuple):
    """Rows of a queue that were not looked at: those after `after` up to `last`."""

    device: str
    epoch: str
    after: int
    last: int


class Auditor:
    """One process's. `run` belongs to one thread."""

    def __init__(self, database: Database, clock: Clock, meters: Meters, sample: Sample) -> None:
        self._database = database
        self._clock = clock
        self._meters = meters
        self._sample = sample
        self._holder = secrets.token_hex(16)
        self._rested = 0.0

    @contextmanager
    def beside(self, stop: threading.Event) -> Iterator[None]:
        """Run in a thread of its own while the block lasts; at its end `stop` is set."""
        thread = threading.Thread(target=self.run, args=(stop,), name=_NAME, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(_JOIN)

    def run(self, stop: threading.Event) -> None:
        """One round after the other, whatever happens to one of them."""
        while not stop.is_set():
            more = False
            try:
                more = self.round(stop)
            except Exception:  # the guard of this thread: the next round begins where this one ended
                log.exception("audit=later")
            if not more:
                stop.wait(EVERY)

    def round(self, stop: threading.Event) -> bool:
        """Go through all queues once, if no other process is at it; tell whether some were too long for that."""
        self._rested = time.thread_time()
        at, more = ("", ""), False
        if not self._page(at) or not self._lease():
            return False
        while not stop.is_set() and (page := self._page(at)):
            done = _up_to(page, ROWS)
            questions = self._questions(done)
            asked = [(each, each.difference()) for each in questions if self._rest(stop)]
            if len(asked) < len(questions) or not self._write(done, asked):
                return False
            self._rest(stop)
            at, more = (done[-1].device, done[-1].epoch), more or done[-1] not in page
        return more

    def _page(self, at: tuple[str, str]) -> list[Span]:
        """The next queues with something new."""
        key, known = (epochs.c.device, epochs.c.epoch), func.coalesce(audit_marks.c.seq, 0)
        marked = (audit_marks.c.device == epochs.c.device) & (audit_marks.c.epoch == epochs.c.epoch)
        behind = select(*key, known, epochs.c.last_seq).select_from(epochs.outerjoin(audit_marks, marked))
        behind = behind.where(epochs.c.last_seq > known, tuple_(*key) > at).order_by(*key).limit(QUEUES)
        with self._database.reading() as connection:
            return [Span(*row) for row in connection.execute(behind)]

    def _questions(self, page: list[Span]) -> list[Question]:
        """The sales among the rows that the sample has."""
        wanted = [
            (span.device, span.epoch, seq)
            for span in page
            for seq in range(span.after + 1, span.last + 1)
            if self._sample.has(span.epoch, seq)
        ]
        if not wanted:
            return []
        now, programmes = self._clock.now(), Programmes()
        sold = select(rows.c.id).where(rows.c.kind == "sale", rows.c.verdict == "accepted")
        with self._database.reading() as connection:
            here = matching(connection, [rows.c.device, rows.c.epoch, rows.c.seq], wanted)
            ids = connection.execute(sold.where(here)).scalars().all()
            found = connection.execute(select(receipts).where(within(connection, receipts.c.row_id, ids))).all()
            own = set(wanted)
            booked = [row for row in found if (row.device, row.epoch, row.seq) in own and not is_erased(row)]
            return [question(connection, row, programmes, now) for row in booked]

    def _rest(self, stop: threading.Event) -> bool:
        """Leave the processor to others for as long as this has earned them; tell whether to go on."""
        spent = time.thread_time() - self._rested
        stopped = stop.wait(spent * (1 / SHARE - 1))
        self._rested = time.thread_time()
        return not stopped

    def _lease(self) -> bool:
        """Take the lease, if nobody has it."""
        free = {"name": _NAME, "holder": self._holder, "until": self._clock.now()}
        with self._database.writing() as connection:
            insert_new(connection, leases, free)
            return self._held(connection, or_(leases.c.holder == self._holder, leases.c.until < self._clock.now()))

    def _held(self, connection: Connection, mine: ColumnElement[bool]) -> bool:
        """Make the lease longer, if it is `mine`; nobody else can take it until the transaction ends."""
        longer = update(leases).where(leases.c.name == _NAME, mine)
        return connection.execute(longer.values(holder=self._holder, until=self._clock.now() + LEASE)).rowcount == 1

    def _write(self, page: list[Span], asked: list[tuple[Question, Difference | None]]) -> bool:
        """Set the marks and the flags, unless another process has gone on in the meantime."""
        differing = [(each, odd) for each, odd in asked if odd is not None]
        marks = [{"device": span.device, "epoch": span.epoch, "seq": span.last} for span in page]
        with self._database.writing() as connection:
            if not self._held(connection, leases.c.holder == self._holder):
                return False
            put(connection, audit_marks, marks)
            flag_differences(connection, differing, self._clock.now())
        self._meters.audited("same", len(asked) - len(differing))
        self._meters.audited("differs", len(differing))
        if differing:
            log.warning("audit sales=%d differ=%d", len(asked), len(differing))
        return True


def _up_to(page: list[Span], most: int) -> list[Span]:
    """As many rows from the beginning of the page."""
    done: list[Span] = []
    for span in page:
        part = span._replace(last=min(span.last, span.after + most))
        done.append(part)
        most -= part.last - part.after
        if most == 0:
            break
    return done
