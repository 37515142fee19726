"""The agent as a whole: `build` makes and wires every object, `App.run` starts the threads and ends them in order.

    start   queue, printers, tills, sync, scanners, local API (its port has been bound by `build`)
    stop    local API refuses, scanners, tills finish what they have, printers, sync, queue; within 3 s in all

Nothing runs before `run`, and nothing but `build` makes a device, a file or a thread. What stops the start is raised by
`build` as a TillmateError; `exit_code` says with which code the process ends for it.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from agent import identity, state_folder
from agent.api.admin_socket import AdminSocket, commands
from agent.api.routes import make_app
from agent.api.server import Server
from agent.clock import Clock
from agent.config import Config
from agent.health import Health, Watchdog, http_answers
from agent.printing.admin_commands import print_commands
from agent.printing.decisions import PrintDecisions
from agent.queue_commands import queue_commands
from agent.queue_news import QueueNews
from agent.scanning.tap import scan_commands
from agent.service import notify, watchdog_seconds
from agent.situation import Situation
from agent.sync.programme import ProgrammeBook
from agent.sync_wiring import SyncParts, make_sync
from agent.threads import Worker, end
from agent.wiring import Base, make_backend, make_printers, make_scanners, make_tills, till_worker
from loyalty.errors import TillmateError
from offline_queue import Care, Changed, Claimed, Keyring, QueueDamaged, QueueFile, Replica, mark_suspect, open_queue
from offline_queue.ballast import MIB

log = logging.getLogger(__name__)

STOP_WITHIN = 2.5  # the rest of the 3 s is for the interpreter to end
_USUALLY_READY_WITHIN = 10.0
_QUEUE_SHARE = 0.6

_EXITS = {
    "config": 78,
    "state_folder": 78,
    "port_in_use": 69,
    "queue_locked": 75,
    "queue_damaged": 65,
    "queue_mismatch": 65,
    "queue_too_new": 65,
    "identity_damaged": 65,
}


def exit_code(error: BaseException) -> int:
    """The code with which the process ends for that error; 1 = not foreseen."""
    return _EXITS.get(error.code, 1) if isinstance(error, TillmateError) else 1


@dataclass
class Groups:
    """The threads, in the order in which they end."""

    api: list[Worker]
    scanners: list[Worker]
    tills: list[Worker]
    printers: list[Worker]
    sync: list[Worker]
    queue: list[Worker]

    def ending(self) -> list[tuple[list[Worker], float]]:
        """Each group with the seconds that it may take at most."""
        return [
            (self.api + self.scanners, 1.2),
            (self.tills, 1.0),
            (self.printers + self.sync, 0.8),
            (self.queue, _QUEUE_SHARE),
        ]

    def starting(self) -> list[Worker]:
        """All of them, the queue first."""
        return [*self.queue, *self.printers, *self.tills, *self.sync, *self.scanners, *self.api]


@dataclass
class App:
    """Everything made, nothing started. For one run."""

    port: int
    groups: Groups
    clock: Clock
    queue_file: Path
    failure: BaseException | None = None
    """What ended the run by itself."""
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self, stop: threading.Event, ready: Callable[[int], None] = lambda _: None) -> list[str]:
        """Work until `stop`, or until the queue fails (see `failure`). Returns the names of threads that hang."""
        for worker in self.groups.starting():
            worker.start()
        pause = self._become_ready(ready)
        while not stop.wait(next(pause)) and not self._ended.is_set():
            for worker in self.groups.starting():
                worker.replace_if_hung()
        notify("STOPPING=1")
        return self._stop()

    def end(self, failure: BaseException) -> None:
        """Stop, because of that. For any thread. The next start reads a queue in which somebody met damage as a whole."""
        if isinstance(failure, QueueDamaged):
            mark_suspect(self.queue_file)
        self.failure = failure
        self._ended.set()

    def _become_ready(self, ready: Callable[[int], None]) -> Iterator[float]:
        """Look whether the agent is ready, say so once it is; yields how long to wait for the next look around."""
        until = self.clock.monotonic() + _USUALLY_READY_WITHIN
        while not http_answers(self.port, "/readyz", 1.0):
            if self.clock.monotonic() > until:
                log.warning("not ready yet after=%ds", _USUALLY_READY_WITHIN)
                until = math.inf
            yield 0.05
        notify("READY=1")
        ready(self.port)
        while True:
            yield 0.5

    def _stop(self) -> list[str]:
        begin = self.clock.monotonic()
        hung: list[str] = []
        for workers, seconds in self.groups.ending():
            now = self.clock.monotonic()
            last = begin + STOP_WITHIN - (0.0 if workers is self.groups.queue else _QUEUE_SHARE)
            hung += end(workers, self.clock, min(now + seconds, max(last, now + 0.05)))
        log.info("stopped after=%.1fs hung=%s", self.clock.monotonic() - begin, ",".join(hung) or "none")
        return hung


def build(config: Config, clock: Clock) -> App:
    """Open files, bind the port, make everything. Raises TillmateError; what was opened is closed again then."""
    with ExitStack() as undo:
        state_folder.prepare(config.folder)
        who = identity.load(config.folder)
        queue_file = QueueFile(config.folder / "queue.db", Keyring(identity.data_keys(config.folder)))
        queue = open_queue(
            queue_file.path,
            clock,
            Claimed(who.device, who.epoch) if who else None,
            keys=queue_file.keys,
            ballast=config.queue.ballast_mb * MIB,
        )
        undo.callback(queue.close)
        replica = Replica(config.folder / "members.db")
        base = Base(config, clock, queue, queue_file, replica, Situation(replica, who))
        if who is not None:
            _take_kept_programme(base, who)
        app = _assemble(base, undo)
        undo.pop_all()
        return app


def _assemble(base: Base, undo: ExitStack) -> App:
    tills, printers, sync = make_tills(base), make_printers(base), make_sync(_sync_parts(base))
    scanners = make_scanners(base, tills)
    for till in tills.values():
        base.situation.subscribe(till.refresh)

    def on_queue(changed: Changed) -> None:
        for name in changed.printers & printers.keys():
            printers[name].loop.wake()
        sync.report.queue_changed(changed)
        sync.drain.nudge()

    base.queue.subscribe(on_queue)
    till_workers = [till_worker(name, till) for name, till in tills.items()]
    queue_worker = Worker("queue", base.queue.run, fatal=(Exception,))
    care = Care(base.queue, base.queue_file, base.clock, QueueNews(base.status))
    health = Health(tills, [queue_worker, *till_workers], base.queue, base.clock)
    decisions = PrintDecisions({name: desk.loop for name, desk in printers.items()}, base.queue, base.open_reader)
    backend = make_backend(base, tills, health, decisions)

    server = Server(base.config.api.port, lambda port: make_app(backend, port), base.hub)
    port = server.bind()
    undo.callback(server.close)
    further = {
        **print_commands(printers, base.queue, decisions),
        **queue_commands(base.queue, care, sync.drain.try_now),
        **scan_commands(base.tap),
    }
    admin = AdminSocket(base.config.folder / "admin.sock", {**commands(backend, port), **further})
    admin.bind()

    groups = Groups(
        api=[Worker("api", server.run), Worker("admin", admin.run), *_watchdog(health, port)],
        scanners=scanners,
        tills=till_workers,
        printers=[desk.worker for desk in printers.values()],
        sync=[
            Worker("feed", sync.feed.run, base.crashed("network", "server"), fatal=()),  # a damaged replica is refilled
            Worker("drain", sync.drain.run, base.crashed("queue", "server")),
            Worker("hold", base.live.holds.run),
            Worker("search", base.live.searches.run),
            Worker("care", care.run, base.crashed("queue", "care")),
        ],
        queue=[queue_worker],
    )
    app = App(port, groups, base.clock, base.queue_file.path)
    for worker in groups.starting():
        worker.ended = app.end
    return app


def _sync_parts(base: Base) -> SyncParts:
    return SyncParts(
        server=base.config.server,
        folder=base.config.folder,
        clock=base.clock,
        queue=base.queue,
        open_reader=base.open_reader,
        replica=base.replica,
        situation=base.situation,
        status=base.status,
    )


def _take_kept_programme(base: Base, who: identity.Identity) -> None:
    """A till that starts offline can quote at once; the feed goes on from there."""
    book = ProgrammeBook(base.config.folder, who.programme_key)
    book.open()
    programme = book.in_force(base.clock.now())
    if programme is not None:
        base.situation.on_programme(programme)


def _watchdog(health: Health, port: int) -> list[Worker]:
    every = watchdog_seconds()
    return [Worker("watchdog", Watchdog(health, port, every).run)] if every else []
