"""Finds out what a printer really is: asks it, prints a page, and turns a person's answers into a profile of the store.

The printer must be free, so the agent must not run. Nothing in config.toml is changed; what to write there is said.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.clock import Clock
from agent.config import Config
from agent.config import Printer as PrinterTable
from agent.printing.job_words import job_in_words
from agent.printing.once import Outcome, print_now
from agent.receipts.slip_printing import agent_runs, on_printer
from agent.receipts.source import BadInput
from drivers import registry
from drivers.base import Printer
from drivers.printers.escpos.code_page_test import SetupPage, setup_page
from drivers.printers.escpos.identify import ASK_MAKER, ASK_MODEL, likely_profile, said
from drivers.printers.escpos.profile import load_profile, profile_names
from drivers.printers.escpos.profile_file import profile_toml
from drivers.printers.escpos.status import Replies

ANSWER_WITHIN: Final = 1.0
_WRITE = 5.0


@dataclass(frozen=True)
class Printed:
    """The page as it went out. `maker` and `model` are "" where the printer does not say."""

    maker: str
    model: str
    likely: str | None
    base: str
    page: SetupPage
    outcome: Outcome


def print_page(config: Config, table: PrinterTable, clock: Clock) -> Printed:
    """Ask the printer who it is and print the page. Raises BadInput, AdminUnreachable."""
    if agent_runs(config.folder / "admin.sock"):
        raise BadInput("agent_runs")
    answers = registry.find("printer", table.driver).answers
    found: list[Printed] = []

    def use(printer: Printer) -> Outcome:
        maker, model = [ask_text(printer, question, clock) if answers else "" for question in (ASK_MAKER, ASK_MODEL)]
        likely = likely_profile(model, profile_names()) if model else None
        base = likely or table.profile
        page = setup_page(load_profile(base, config.profiles), table.width)
        outcome = print_now(printer, page.job, clock, threading.Event(), answers=answers)
        found.append(Printed(maker, model, likely, base, page, outcome))
        return outcome

    outcome = on_printer(table, use)
    if not found or outcome.state not in ("printed", "sent"):
        note = job_in_words(outcome.state, outcome.note, config.language)
        raise BadInput("page_not_printed", printer=table.name, note=note)
    return found[0]


def write_profile(
    config: Config, table: PrinterTable, printed: Printed, right: Sequence[int], columns: int, *, qr: bool
) -> Path:
    """Keep what the answers say as a profile named like the printer, and return its file. Raises BadInput."""
    title = f"{table.name}: {' '.join(filter(None, (printed.maker, printed.model))) or printed.base}"
    try:
        profile = printed.page.profile(right, columns, qr=qr, title=title)
    except LookupError as error:
        raise BadInput(
            "no_such_line", lines=len(printed.page.lines), rulers=", ".join(map(str, printed.page.rulers))
        ) from error
    file = config.profiles / f"{table.name}.toml"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            profile_toml(profile, f"Written by tillmate printer setup, from {printed.base}."), encoding="utf-8"
        )
    except OSError as error:
        raise BadInput("file_unwritable", path=str(file), reason=error.strerror or str(error)) from error
    return file


def ask_text(printer: Printer, question: bytes, clock: Clock) -> str:
    """The answer to one of the questions of `identify`, "" where it gives none in time. Raises DeviceGone."""
    printer.write(question, _WRITE)
    replies, end = Replies(), clock.monotonic() + ANSWER_WITHIN
    while (left := end - clock.monotonic()) > 0:
        for reply in replies.feed(printer.read(left)):
            if (answer := said(reply)) is not None:
                return answer
    return ""
