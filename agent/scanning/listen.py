"""Scans as they come: from the running agent, or from the ports themselves where no agent runs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from agent.api.admin_socket import AdminUnreachable, call
from agent.clock import Clock
from agent.config import Scanner as Table
from agent.link import Link, read_scanner
from agent.messages import LinkChanged, Scanned
from agent.repeats import Repeats
from drivers import registry
from drivers.base import Scanner
from drivers.framing import Framer
from loyalty.strict import structure

_EVERY = 0.2

News = Scanned | LinkChanged


class _Seen(msgspec.Struct, frozen=True):
    """One scan in the agent's answer."""

    scanner: str
    data: str
    at: datetime
    partial: bool


class _Answer(msgspec.Struct, frozen=True):
    last: int
    scans: tuple[_Seen, ...]


def last_of_agent(socket: Path) -> int | None:
    """The number of the agent's last scan: what comes from now on has a higher one. None = no agent runs."""
    try:
        return _ask(socket, 0).last
    except AdminUnreachable:
        return None


def from_agent(socket: Path, last: int, names: set[str], stop: threading.Event, clock: Clock) -> Iterator[Scanned]:
    """What the running agent reads behind the scan `last`, until `stop`. Raises AdminUnreachable when it has ended."""
    while not clock.wait(stop, _EVERY):
        answer = _ask(socket, last)
        last = answer.last
        for each in answer.scans:
            if each.scanner in names:
                yield Scanned(each.scanner, bytes.fromhex(each.data), each.at, each.partial)


def from_ports(tables: Iterable[Table], stop: threading.Event, clock: Clock) -> Iterator[News]:
    """What these scanners send until `stop`, and what becomes of their connections."""
    heard: queue.Queue[News] = queue.Queue()
    readers = [
        threading.Thread(target=_read, args=(table, stop, clock, heard.put), name=table.name, daemon=True)
        for table in tables
    ]
    for reader in readers:
        reader.start()
    while not stop.is_set():
        try:
            yield heard.get(timeout=_EVERY)
        except queue.Empty:
            continue


def _read(table: Table, stop: threading.Event, clock: Clock, tell: Callable[[News], None]) -> None:
    from agent.wiring import scanner_framing

    driver = registry.find("scanner", table.driver)
    use = partial(
        read_scanner,
        name=table.name,
        framer=Framer(scanner_framing(driver, table)),
        emit=tell,
        clock=clock,
        repeats=Repeats(table.repeat_ms / 1000),
    )
    with driver.opener(structure(table.options, driver.options)) as opener:
        link: Link[Scanner] = Link(table.name, opener, tell, clock, kind="scanner")
        link.run(stop, use)


def _ask(socket: Path, after: int) -> _Answer:
    return msgspec.convert(call(socket, {"do": "scans", "after": after}), _Answer)
