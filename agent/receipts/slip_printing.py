"""`tillmate receipt print`: a slip through the running agent as a job of its queue, or on the printer itself.

Only one may hold a printer, so the agent is asked first; only where none runs is the printer opened here. What is said
afterwards is what is known: printed, sent (the printer does not answer), held, or unknown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from agent.api.admin_socket import AdminUnreachable, call
from agent.clock import Clock, SystemClock
from agent.config import Config
from agent.config import Printer as PrinterTable
from agent.printing.job_words import job_in_words
from agent.printing.once import Outcome, print_now
from agent.receipts.paper import Model, model
from agent.receipts.source import BadInput, Source
from drivers import registry
from drivers.base import DeviceError, DeviceRefused, Printer
from loyalty.i18n import Language, text
from loyalty.strict import structure
from offline_queue.print_jobs import JobState
from receipt_templates.document import Document, to_json

WAIT: Final = 10.0
"""Seconds to wait for a job of the agent; it goes on afterwards."""

_LOOK_EVERY = 0.1
_NOT_YET = ("queued", "sending")


@dataclass(frozen=True)
class Ended:
    """What is known of the slip. `job` is its number in the queue, where the agent prints it."""

    printer: str
    state: JobState
    note: str = ""
    job: int | None = None

    @property
    def done(self) -> bool:
        """It is on the paper, or on its way there, as far as anybody can know."""
        return self.state in ("printed", "sent") or (self.job is not None and self.state in (*_NOT_YET, "held"))

    def said(self, language: Language) -> str:
        """In words."""
        state = job_in_words(self.state, self.note, language)
        key = "receipt.ended" if self.job is None else "receipt.ended_job"
        return text(key, language, printer=self.printer, state=state, job=self.job or 0)


def print_slip(config: Config, slip: Document, wanted: str | None, clock: Clock | None = None) -> Ended:
    """Print it on that printer, or on the first. Raises BadInput, and CommandRefused of the agent."""
    table = printer_of(config, wanted)
    socket = config.folder / "admin.sock"
    if agent_runs(socket):
        job = call(socket, {"do": "print", "printer": table.name, "document": to_json(slip).decode()})["job"]
        return watch(socket, table.name, int(str(job)))
    payload = model_of(config, table).job(slip)
    stop, answers = threading.Event(), registry.find("printer", table.driver).answers

    def use(printer: Printer) -> Outcome:
        return print_now(printer, payload, clock or SystemClock(), stop, answers=answers)

    outcome = on_printer(table, use)
    return Ended(table.name, outcome.state, outcome.note)


def printer_of(config: Config, wanted: str | None) -> PrinterTable:
    """That [[printer]], or the first. Raises BadInput."""
    for table in config.printer:
        if wanted in (None, table.name):
            return table
    known = ", ".join(table.name for table in config.printer)
    raise BadInput("no_such_printer" if wanted else "no_printer", printer=wanted or "", known=known)


def model_of(config: Config, table: PrinterTable, source: Source | None = None) -> Model:
    """That printer with its paper, as the config has it. Raises BadInput."""
    where = source or Source(profiles=config.profiles, logo=Path(config.receipt.logo) if config.receipt.logo else None)
    return model(table.profile, where.profile(table.profile), table.width, table.lacking, where.logo)


def agent_runs(socket: Path) -> bool:
    """Raises AdminUnreachable where one runs, or may run, that this user cannot ask."""
    try:
        call(socket, {"do": "status"})
    except AdminUnreachable as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError | ConnectionRefusedError):
            return False
        raise
    return True


def on_printer(table: PrinterTable, use: Callable[[Printer], Outcome]) -> Outcome:
    """Open the printer, use it, give it back. Raises BadInput where that is not possible."""
    try:
        printer = open_printer(table)
    except DeviceError as error:
        sentence = error.code if error.code in ("device_gone", "device_busy") else "device_refused"
        raise BadInput(sentence, printer=table.name, reason=str(error)) from error
    with closing(printer):
        try:
            return use(printer)
        except DeviceRefused:  # so for certain nothing came out
            return Outcome("failed", "refused")
        except DeviceError:
            return Outcome("unknown", "connection_lost")


def open_printer(table: PrinterTable) -> Printer:
    """For us alone. Raises DeviceError."""
    driver = registry.find("printer", table.driver)
    opened: Printer = driver.open(structure(table.options, driver.options))
    return opened


def watch(socket: Path, printer: str, job: int) -> Ended:
    """What becomes of a job of the agent within `WAIT` seconds. Raises AdminUnreachable."""
    tick, turns = threading.Event(), int(WAIT / _LOOK_EVERY)
    question = {"do": "print_job", "job": job}
    answer = call(socket, question)
    for _ in range(turns):
        if answer["state"] not in _NOT_YET:
            break
        tick.wait(_LOOK_EVERY)
        answer = call(socket, question)
    return Ended(printer, cast(JobState, answer["state"]), str(answer["note"]), job)
