"""The life of any device: open it, use it, and open it again after it has gone, until told to stop.

A driver only talks to its hardware; whatever it raises ends here. A device that is absent at the start is no error: it is
waited for like one that has been unplugged. After a loss the handle is closed at once, because an open one keeps the name
of the device busy, and the first reopening follows at once, later ones after 0.25 to 1 s; a port that is busy or refused
waits longer and longer, up to 10 s, because only a person cures that. A device that comes and goes within moments counts
as one outage. One that is plugged in belongs to root for a moment, until udev has seen it: so the first refusal after an
absence is tried again soon, however long the absence was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Generic, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_when_event_set,
)

from agent.clock import Clock
from agent.messages import LinkChanged, Scanned
from agent.repeats import Repeats
from drivers.base import Device, DeviceError, DeviceGone, Kind, Scanner
from drivers.framing import Frame, Framer

log = logging.getLogger(__name__)

STEADY = 0.5
"""Seconds that a device must have worked for its next loss to begin a new outage."""

_POLL = 0.2
_SOON = (0.25, 0.5, 1.0)
_SLOWLY = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0)

D = TypeVar("D", bound=Device)


class Link(Generic[D]):
    """One device under its name in config.toml. `run` belongs to one thread and calls `report` in it, on changes only."""

    def __init__(
        self, name: str, opener: Callable[[], D], report: Callable[[LinkChanged], None], clock: Clock, *, kind: Kind
    ) -> None:
        self._name = name
        self._open = opener
        self._report = report
        self._clock = clock
        self._kind: Kind = kind
        self._told: str | None = None  # what was reported last: the code of the trouble, "" = it is up
        self._warned = ""  # the code that this outage has warned of
        self._flapping = False  # the last life was short

    def run(self, stop: Event, use: Callable[[D, Event], None]) -> None:
        """Keep the device open and in the hands of `use` until `stop` is set or `use` returns by itself.

        A DeviceError out of `use` is a loss; anything else comes out of here. The device is closed in every case.
        """
        again = True
        while again and not stop.is_set():
            outage = Retrying(
                retry=retry_if_exception_type(DeviceError),
                wait=_Patience(),
                sleep=partial(_sleep, self._clock, stop),
                stop=stop_when_event_set(stop),
                retry_error_callback=lambda _: False,
            )
            again = outage(self._live, stop, use)

    def _live(self, stop: Event, use: Callable[[D, Event], None]) -> bool:
        """One life of the device: True after a loss that ends a steady one, DeviceError while an outage goes on."""
        if stop.is_set():
            return False
        device = self._opened(stop)
        since = self._clock.monotonic()
        try:
            if not stop.is_set():  # else opening took so long that everybody has gone home
                self._up()
                use(device, stop)
        except DeviceError as loss:
            device.close()
            self._lost(loss, steady=self._clock.monotonic() - since >= STEADY)
            if self._flapping:
                raise
            return True
        finally:
            device.close()
        return False

    def _opened(self, stop: Event) -> D:
        try:
            return self._open()
        except DeviceError as refusal:
            if not stop.is_set():
                self._flapping = False
                self._down(refusal)
            raise

    def _lost(self, loss: DeviceError, *, steady: bool) -> None:
        self._flapping = not steady
        if steady:
            self._warned = ""
        self._down(loss)

    def _down(self, error: DeviceError) -> None:
        level = logging.DEBUG if error.code == self._warned else logging.WARNING
        log.log(level, "device=%s kind=%s state=down code=%s detail=%s", self._name, self._kind, error.code, error)
        self._warned = error.code
        self._tell(error.code)

    def _up(self) -> None:
        level = logging.DEBUG if self._flapping else logging.INFO
        log.log(level, "device=%s kind=%s state=up", self._name, self._kind)
        self._tell("")

    def _tell(self, code: str) -> None:
        if code != self._told:
            self._told = code
            self._report(LinkChanged(self._name, self._kind, not code, code))


def read_scanner(
    device: Scanner,
    stop: Event,
    *,
    name: str,
    framer: Framer,
    emit: Callable[[Scanned], None],
    clock: Clock,
    repeats: Repeats | None = None,
) -> None:
    """The `use` of a scanner: hand each code to `emit` until `stop` is set. Half a code before a loss is told as `partial`.

    `framer` and `repeats` may be those of the life before: nothing of an old code gets into a new one.
    """
    known = repeats or Repeats(0)

    def tell(frame: Frame) -> None:
        if not frame.partial and known.is_repeat(frame.data, frame.at):
            log.debug("device=%s repeated=%d", name, len(frame.data))
            return
        log.debug("device=%s scanned=%d partial=%s", name, len(frame.data), frame.partial)
        emit(Scanned(name, frame.data, clock.now(), frame.partial))

    try:
        while not stop.is_set():
            noise = framer.noise
            _read(device, framer, clock, tell)
            if framer.noise > noise:
                log.log(
                    logging.DEBUG if noise else logging.WARNING, "device=%s noise=%d limit reached", name, framer.noise
                )
    except DeviceError:
        left = framer.drop()
        if left:
            tell(left)
        raise


def _read(device: Scanner, framer: Framer, clock: Clock, tell: Callable[[Frame], None]) -> None:
    chunk = device.read(_POLL if framer.deadline is None else framer.idle)
    at = clock.monotonic()
    for frame in framer.feed(chunk, at) if chunk else framer.expire(at):
        tell(frame)


def _sleep(clock: Clock, stop: Event, seconds: float) -> None:
    clock.wait(stop, seconds)


class _Patience:
    """The waits of one outage. They begin anew when absent becomes refused, or the other way round."""

    def __init__(self) -> None:
        self._before = 0
        self._gone = True

    def __call__(self, state: RetryCallState) -> float:
        gone = isinstance(state.outcome.exception() if state.outcome else None, DeviceGone)
        if gone != self._gone:
            self._gone, self._before = gone, state.attempt_number - 1
        waits = _SOON if gone else _SLOWLY
        return waits[min(state.attempt_number - self._before, len(waits)) - 1]
