"""One till: an owner thread that takes events from an inbox, steps the pure checkout and carries out its effects.

    scans, POS calls --> inbox --> checkout.step --> effects --> queue, replica, cashier page, futures of the POS
                           ^------- answers -------------------------'

The inbox holds 256 events. When it is full a scan is dropped, counted and shown on the status board, and a call of the
POS is refused, which the API answers with 503 `busy`. Answers of the queue are never dropped: there is at most one
commit under way. An exception that nobody foresaw ends `run`; the guard of `agent.app` calls it again, and the event
that caused it is answered with a problem and not taken again.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from agent.checkout import Context, Event, Recovered, Refreshed, Render, State, Woke, step
from agent.clock import Clock
from agent.inbox import Inbox
from agent.messages import CancelBasket, Scanned, TillEvent
from agent.problems import problem
from agent.status import Status
from agent.till_effects import Claim, Effects, Live, Writer
from agent.till_trouble import TillTrouble
from loyalty.codes import CodeRules
from loyalty.i18n import Language
from loyalty.programme import Programme
from offline_queue.reader import Reader
from offline_queue.sealing import QueueFile
from receipt_templates.templates import render

log = logging.getLogger(__name__)

_TAKE = 0.2
_DRAIN = 0.8


@dataclass(frozen=True)
class Facts:
    """What the till learns while it runs. None = not yet."""

    programme: Programme | None = None
    claim: Claim | None = None


@dataclass(frozen=True)
class TillSettings:
    """What config.toml says about one till. `printer` is the name of its slip printer, `columns` its letters a line."""

    id: str
    printer: str | None
    columns: int
    rules: CodeRules
    language: Language
    shop: str
    valid_days: int
    render: Render = render


class Till:
    """Made by `agent.app`; `post`, `refresh` and `crashed` are for any thread, `run` is its own."""

    def __init__(
        self,
        settings: TillSettings,
        writer: Writer,
        queue_file: Path | QueueFile,
        facts: Callable[[], Facts],
        publish: Callable[[str, str, object], None],
        status: Status,
        live: Live,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._queue_file = queue_file
        self._facts = facts
        self._publish = publish
        self._live = live
        self._clock = clock
        self._inbox: Inbox[Event] = Inbox()
        self._trouble = TillTrouble(settings.id, status, clock)
        self._state = State()
        self._current: Event | None = None
        self._wake_at: float | None = None
        self.beat = clock.monotonic()
        """When the thread was last seen alive."""

    def post(self, event: TillEvent) -> bool:
        """Put the event into the inbox. False: there is no room; a lost scan is counted and shown."""
        taken = self._inbox.put(event)
        if not taken and isinstance(event, Scanned):
            self._trouble.scan_lost()
        return taken

    def refresh(self) -> None:
        """The facts have changed, or what the replica knows."""
        self._inbox.put_once(Refreshed())

    def crashed(self) -> None:
        """The thread met something that nobody foresaw; it is started again."""
        self._trouble.restarted()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`, then finish what is inside, answer, and leave the open receipt, which gives back its hold."""
        reader = Reader(self._queue_file)
        try:
            effects = self._effects(reader)
            self._begin(effects)
            while not stop.is_set():
                self._turn(effects, _TAKE)
            self._inbox.close()
            end = self._clock.monotonic() + _DRAIN
            while self._turn(effects, 0.05) or (self._state.busy and self._clock.monotonic() < end):
                pass
            self._take(CancelBasket(Future()), effects)
        finally:
            reader.close()

    def _effects(self, reader: Reader) -> Effects:
        return Effects(
            till=self._settings.id,
            printer=self._settings.printer,
            writer=self._writer,
            reader=reader,
            inbox=self._inbox,
            publish=self._publish,
            trouble=self._trouble,
            live=self._live,
            clock=self._clock,
        )

    def _begin(self, effects: Effects) -> None:
        """The first start, or a restart after an event that nobody foresaw."""
        failed, self._current = self._current, None
        if failed is None:
            self._take(Refreshed(), effects)
            return
        reply = getattr(failed, "reply", None)
        if reply is not None and not reply.done():
            reply.set_result(problem("internal"))
        self._take(Recovered(), effects)

    def _turn(self, effects: Effects, timeout: float) -> bool:
        """Take one event, or wake the checkout when it is time. False: there was nothing."""
        self.beat = self._clock.monotonic()
        self._trouble.fade()
        if self._wake_at is not None and self.beat >= self._wake_at:
            self._wake_at = None
            self._take(Woke(), effects)
        event = self._inbox.take(timeout)
        if event is not None:
            self._take(event, effects)
        return event is not None

    def _take(self, event: Event, effects: Effects) -> None:
        self._current = event
        facts = self._facts()
        effects.serve(facts.claim)
        self._state, wanted = step(self._state, event, self._context(facts, effects))
        for effect in wanted:
            wake_at = effects.carry_out(effect)
            self._wake_at = self._wake_at if wake_at is None else wake_at
        self._current = None

    def _context(self, facts: Facts, effects: Effects) -> Context:
        settings, claim = self._settings, facts.claim
        return Context(
            till=settings.id,
            store=claim.store if claim else None,
            now=self._clock.now(),
            tick=self._clock.monotonic(),
            new_id=str(uuid.uuid4()),
            next_token=effects.next_token(),
            enrolment_url=claim.enrolment_url if claim else "",
            programme=facts.programme,
            rules=settings.rules,
            language=settings.language,
            shop=settings.shop,
            valid_days=settings.valid_days,
            columns=settings.columns,
            prints=settings.printer is not None,
            live=self._live.well,
            may_search=self._live.may_search,
            render=settings.render,
        )
