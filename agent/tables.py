"""What the command line shows to people: tables of rich. Never imported by `tillmate run`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import msgspec
from rich.table import Table
from rich.text import Text

from agent.api.schemas import StatusReport
from agent.logs import clean
from agent.printing.job_listing import JobListing
from agent.printing.job_words import job_in_words
from agent.queue_listing import QueueListing, ShownRow
from loyalty.i18n import Language, text

_COLOURS = {"ok": "green", "warning": "yellow", "down": "red"}
_NAMED = ("printer", "scanner", "till")
"""Parts of which there may be several."""


def status_table(report: StatusReport, language: Language) -> Table:
    """Each part of the agent in words."""
    if report.device:
        title = text(
            "cli.status_device", language, device=report.device, store=report.store or "", version=report.version
        )
    else:
        title = text("cli.status_unclaimed", language, version=report.version)
    table = Table(title=title, show_header=False, title_justify="left")
    for part in report.parts:
        state = Text(text(f"cli.status_{part.state}", language), _COLOURS[part.state])
        name = part.name if part.part in _NAMED else ""
        table.add_row(state, text(f"cli.part_{part.part}", language), name, part.text[language], _moment(part.since))
    return table


def queue_table(listing: QueueListing, language: Language) -> Table:
    """What waits for the server, and what it has refused."""
    summary = (
        text("cli.queue_pending", language, count=listing.pending),
        text("cli.queue_rejected", language, count=listing.rejected),
        text("cli.queue_last", language, seq=listing.last_seq),
    )
    table = Table(title=", ".join(summary), title_justify="left")
    for key in ("row", "at", "kind", "document", "paid", "state"):
        table.add_column(text(f"cli.queue_{key}", language), justify="right" if key in ("row", "paid") else "left")
    for row in listing.rows:
        table.add_row(*_cells(row, language))
    return table


def job_table(listing: JobListing, language: Language) -> Table:
    """Print jobs, and what became of each."""
    table = Table(title=text("cli.jobs_title", language), title_justify="left")
    for key in ("job", "printer", "at", "became"):
        table.add_column(text(f"cli.jobs_{key}", language), justify="right" if key == "job" else "left")
    for job in listing.jobs:
        became = Text(job_in_words(job.state, job.note, language), "yellow" if job.in_doubt else "")
        table.add_row(str(job.id), job.printer, _moment(datetime.fromisoformat(job.created_at)), became)
    return table


def row_table(row: ShownRow, language: Language) -> Table:
    """One row, with everything in it but card numbers and tokens."""
    table = Table(show_header=False)
    for key, cell in zip(("row", "at", "kind", "document", "paid", "state"), _cells(row, language), strict=True):
        table.add_row(text(f"cli.queue_{key}", language), cell)
    if row.reason:
        table.add_row(text("cli.queue_reason", language), row.reason)
    table.add_row("", json.dumps(json.loads(clean(row.body)), ensure_ascii=False, indent=2))
    return table


def _cells(row: ShownRow, language: Language) -> Sequence[str]:
    return (
        str(row.number),
        _moment(datetime.fromisoformat(row.at)),
        text(f"cli.queue_kind_{row.kind}", language),
        row.receipt or "",
        f"{row.pay // 100}.{row.pay % 100:02}" if row.pay is not None else "",
        text(f"cli.queue_state_{row.state}", language),
    )


def _moment(at: datetime) -> str:
    """In the time of this machine."""
    return f"{at.astimezone():%d.%m.%Y %H:%M}"


def to_json(value: msgspec.Struct) -> str:
    """For machines."""
    return msgspec.json.encode(value).decode()
