"""`tillmate printer status`: how each printer is: what the running agent says, else what the printer itself answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import msgspec

from agent.api.admin_socket import call
from agent.api.schemas import StatusReport
from agent.clock import Clock
from agent.config import Config
from agent.config import Printer as PrinterTable
from agent.printing.setup import ask_text
from agent.printing.talk import PrinterTalk
from agent.receipts.slip_printing import agent_runs, open_printer, printer_of
from agent.views import Health
from drivers import registry
from drivers.base import DeviceError, Printer
from drivers.printers.escpos.identify import ASK_MAKER, ASK_MODEL
from drivers.printers.escpos.status import Condition
from loyalty.i18n import texts
from loyalty.quote import Texts

Source = Literal["agent", "printer"]


class PrinterReport(msgspec.Struct, frozen=True, kw_only=True):
    """One printer. `told_by` is who says so; `condition` and `model` are there where the printer itself was asked and answers;
    `detail` is for those who look after the machine."""

    printer: str
    told_by: Source
    state: Health
    text: Texts
    condition: dict[str, bool] | None = None
    model: str = ""
    detail: str = ""


def look(config: Config, wanted: str | None, clock: Clock) -> tuple[PrinterReport, ...]:
    """That printer, or all. Raises BadInput, AdminUnreachable."""
    tables = (printer_of(config, wanted),) if wanted or not config.printer else config.printer
    socket = config.folder / "admin.sock"
    if agent_runs(socket):
        return tuple(_told_by_agent(socket, tables))
    return tuple(_ask(table, clock) for table in tables)


def _told_by_agent(socket: Path, tables: Sequence[PrinterTable]) -> Iterator[PrinterReport]:
    report = msgspec.convert(call(socket, {"do": "status"})["status"], StatusReport)
    known = {part.name: part for part in report.parts if part.part == "printer"}
    for table in tables:
        part = known.get(table.name)
        state: Health = part.state if part else "warning"
        words = part.text if part else texts("cli.printer_not_yet")
        yield PrinterReport(printer=table.name, told_by="agent", state=state, text=words)


def _ask(table: PrinterTable, clock: Clock) -> PrinterReport:
    try:
        with closing(open_printer(table)) as printer:
            if registry.find("printer", table.driver).answers:
                return _answered(table.name, printer, clock)
            return _report(table.name, "ok", "queue")
    except DeviceError as error:
        return _report(table.name, "down", error.code, detail=str(error))


def _answered(name: str, printer: Printer, clock: Clock) -> PrinterReport:
    condition = PrinterTalk(printer, clock, numbers=False).ask()
    if condition is None:
        return _report(name, "ok", "mute")
    if condition.problem is not None:  # then it answers nothing that stands in order with the data
        return _report(name, "down", condition.problem, condition)
    model = " ".join(filter(None, (ask_text(printer, question, clock) for question in (ASK_MAKER, ASK_MODEL))))
    if condition.paper_low:
        return _report(name, "warning", "paper_low", condition, model)
    return _report(name, "ok", "ok", condition, model)


def _report(
    name: str, state: Health, key: str, condition: Condition | None = None, model: str = "", detail: str = ""
) -> PrinterReport:
    return PrinterReport(
        printer=name,
        told_by="printer",
        state=state,
        text=texts(f"status.printer_{key}"),
        condition=asdict(condition) if condition else None,
        model=model,
        detail=detail,
    )
