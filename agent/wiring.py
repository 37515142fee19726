"""The parts of the agent, group by group: what `agent.app.build` puts together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from agent import __version__
from agent.api.backend import Backend
from agent.api.events import Hub
from agent.api.pairing import Pairing
from agent.api.schemas import QueueState, StatusReport
from agent.api.tokens import Tokens
from agent.clock import Clock
from agent.config import Config
from agent.config import Printer as PrinterTable
from agent.config import Scanner as ScannerTable
from agent.health import Health
from agent.link import Link, read_scanner
from agent.messages import LinkChanged, Scanned
from agent.printing.decisions import PrintDecisions
from agent.printing.loop import PrinterSettings, PrintLoop
from agent.receipts.own_templates import Own, Slips, TemplatesUnreadable, read_templates
from agent.repeats import Repeats
from agent.scanning.tap import ScanTap
from agent.situation import Situation
from agent.status import Status
from agent.sync import Live
from agent.sync_wiring import make_live
from agent.threads import Run, Worker
from agent.till import Till, TillSettings
from agent.views import Part
from agent.watch import Watch, Watched, WatchedPrinter
from drivers import registry
from drivers.base import AnyDriver, Kind, Scanner
from drivers.framing import Framer, Framing
from drivers.printers.escpos.errors import LogoError
from drivers.printers.escpos.profile import Profile, load_profile
from drivers.printers.escpos.raster import Picture
from loyalty.errors import TillmateError
from loyalty.strict import structure
from offline_queue import Queue, QueueFile, Reader, Replica

log = logging.getLogger(__name__)

COLUMNS = 42
"""Letters a line of a slip for a till without a printer of ours."""


@dataclass(frozen=True)
class Base:
    """What every group stands on."""

    config: Config
    clock: Clock
    queue: Queue
    queue_file: QueueFile
    replica: Replica
    situation: Situation
    status: Status = field(init=False)
    tap: ScanTap = field(init=False)
    live: Live = field(init=False)
    hub: Hub = field(default_factory=Hub)

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", Status(self.clock))
        object.__setattr__(self, "tap", ScanTap(self.clock))
        object.__setattr__(self, "live", make_live(self.config.server, self.situation, self.clock))

    def open_reader(self) -> Reader:
        """A reader of the queue, for the thread that opens it."""
        return Reader(self.queue_file)

    def crashed(self, part: Part, name: str) -> Callable[[BaseException], None]:
        """What the guard of a thread shows; the thread says itself when it is well again."""
        return lambda _: self.status.set(part, name, "down", "status.part_restarted")


def make_tills(base: Base) -> dict[str, Till]:
    """One for each [[till]]."""
    printers = {each.name: each for each in base.config.printer}
    slips = _slips(base)
    tills = {}
    for table in base.config.till:
        printer = printers.get(table.printer or "")
        settings = TillSettings(
            id=table.id,
            printer=table.printer,
            columns=_profile(base, printer).size(printer.width).columns if printer else COLUMNS,
            rules=base.config.codes,
            language=base.config.language,
            shop=base.config.receipt.shop,
            valid_days=base.config.receipt.valid_days,
            render=slips,
        )
        tills[table.id] = Till(
            settings,
            base.queue,
            base.queue_file,
            base.situation.facts,
            base.hub.publish,
            base.status,
            base.live,
            base.clock,
        )
    return tills


def _slips(base: Base) -> Slips:
    """The retailer's templates and ours. Without his there are ours: a folder that cannot be read stops no sale."""
    own: Own = {}
    if base.config.receipt.templates:
        try:
            own = read_templates(Path(base.config.receipt.templates))
        except TemplatesUnreadable as error:
            log.warning("receipt templates=not_used error=%s", error)
            base.status.set("receipt", "templates", "warning", "status.receipt_folder")
    return Slips(
        own, lambda name, _: base.status.set("receipt", name, "warning", "status.receipt_template", template=name)
    )


def _profile(base: Base, table: PrinterTable) -> Profile:
    return load_profile(table.profile, base.config.profiles)


def till_worker(name: str, till: Till) -> Worker:
    """The thread of a till; the till shows itself what has become of it."""
    return Worker(f"till-{name}", till.run, lambda _: till.crashed())


@dataclass(frozen=True)
class PrinterDesk:
    """One printer: its loop, and the thread of the loop."""

    loop: PrintLoop
    worker: Worker


def make_printers(base: Base) -> dict[str, PrinterDesk]:
    """One for each [[printer]]."""
    return {table.name: _printer(base, table) for table in base.config.printer}


def _printer(base: Base, table: PrinterTable) -> PrinterDesk:
    answers = registry.find("printer", table.driver).answers
    profile = _profile(base, table)
    logo = _logo(base, profile.size(table.width).area)
    settings = PrinterSettings(table.name, profile, table.width, answers, logo, table.lacking)
    watch, opener = Watch(base.clock), _opener(table)
    loop = PrintLoop(
        settings, lambda: WatchedPrinter(watch, opener), base.queue, base.queue_file, base.status, base.clock
    )
    return PrinterDesk(loop, _device_worker(base, "printer", table.name, loop.run, watch))


def _logo(base: Base, dots: int) -> Picture | None:
    """The shop's logo for paper of that width. One that cannot be read stops no receipt."""
    if not base.config.receipt.logo:
        return None
    from drivers.printers.escpos.logo import load  # Pillow, which a shop without a logo can do without

    try:
        return load(Path(base.config.receipt.logo), dots)
    except LogoError as error:
        log.warning("receipt logo=not_used error=%s", error)
        base.status.set("receipt", "logo", "warning", "status.receipt_logo")
        return None


def make_scanners(base: Base, tills: Mapping[str, Till]) -> list[Worker]:
    """One for each [[scanner]]."""
    owners = {name: tills[till.id] for till in base.config.till for name in till.scanners}
    return [_scanner(base, table, owners[table.name]) for table in base.config.scanner]


def _scanner(base: Base, table: ScannerTable, till: Till) -> Worker:
    watch, driver = Watch(base.clock), registry.find("scanner", table.driver)
    options = structure(table.options, driver.options)
    framing = scanner_framing(driver, table)

    def emit(scanned: Scanned) -> None:
        till.post(scanned)
        base.tap.put(scanned)

    def run(stop: threading.Event) -> None:
        use = partial(
            read_scanner,
            name=table.name,
            framer=Framer(framing),
            emit=emit,
            clock=base.clock,
            repeats=Repeats(table.repeat_ms / 1000),
        )
        with driver.opener(options) as opener:
            link: Link[Watched[Scanner]] = Link(
                table.name,
                lambda: Watched(watch, opener),
                lambda change: _show_scanner(base, change),
                base.clock,
                kind="scanner",
            )
            link.run(stop, use)

    return _device_worker(base, "scanner", table.name, run, watch)


def scanner_framing(driver: AnyDriver, table: ScannerTable) -> Framing:
    """As the driver expects it, with what config.toml says otherwise."""
    return driver.framing.but(structure(table.framing, Framing), table.framing)


def _device_worker(base: Base, kind: Kind, name: str, run: Run, watch: Watch) -> Worker:
    def hangs() -> bool:
        hang = watch.hangs()
        if hang:
            base.status.set(kind, name, "down", f"status.{kind}_hangs")
        return hang

    return Worker(f"{kind}-{name}", run, base.crashed(kind, name), hangs=hangs)


def _show_scanner(base: Base, change: LinkChanged) -> None:
    key = "scanner_ok" if change.up else f"scanner_{change.code}"
    base.status.set("scanner", change.device, "ok" if change.up else "down", f"status.{key}")


def _opener(table: PrinterTable) -> Callable[..., Any]:
    driver = registry.find("printer", table.driver)
    options = structure(table.options, driver.options)
    return lambda: driver.open(options)


def make_backend(base: Base, tills: Mapping[str, Till], health: Health, decisions: PrintDecisions) -> Backend:
    """What the local API stands on."""
    config = base.config
    return Backend(
        tills=tills,
        hub=base.hub,
        pairing=Pairing(Tokens(config.folder / "tokens.json"), base.clock),
        status=base.status,
        report=lambda: make_report(base),
        receipts=decisions,
        clock=base.clock,
        failing=health.failing,
        unready=health.failing,
        devices={
            till.id: frozenset([*till.scanners, *([till.printer] if till.printer else [])]) for till in config.till
        },
        printers={till.id: till.printer for till in config.till if till.printer},
        language=config.language,
        allowed_origins=config.api.allowed_origins,
    )


def make_report(base: Base) -> StatusReport:
    """How this agent is, for people and programs; also when its queue cannot be read."""
    who = base.situation.identity
    return StatusReport(
        version=__version__,
        device=who.device if who else None,
        store=who.store.id if who else None,
        parts=base.status.snapshot(),
        queue=_queue_state(base),
    )


def _queue_state(base: Base) -> QueueState | None:
    try:
        with closing(base.open_reader()) as reader:
            depth = reader.depth()
    except TillmateError as error:
        log.warning("status without_queue error=%s", error)
        return None
    return QueueState(
        pending=depth.pending, oldest_at=depth.oldest_at, rejected=depth.rejected, last_seq=depth.last_seq
    )
