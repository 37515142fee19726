"""`tillmate printer ...`: what store IT does with a printer.

Exit codes: 0 done, 1 not printed or not ready, 2 what was given is wrong, 78 mistakes in the config.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from agent.receipts.desk import Desk, with_desk
from agent.verbs.config import as_json_option
from loyalty.i18n import Language, text

if TYPE_CHECKING:
    from agent.printing.printer_status import PrinterReport
    from agent.printing.setup import Printed


@click.group()
def printer() -> None:
    """About receipt printers."""


@printer.command()
@click.option("--printer", "wanted", help="Name of a [[printer]]; default: all.")
@as_json_option
@with_desk(needs_config=True)
def status(desk: Desk, wanted: str | None, as_json: bool) -> None:
    """Say how it is: the agent does if it runs, else the printer itself."""
    import msgspec

    from agent.clock import SystemClock
    from agent.printing.printer_status import look

    reports = look(desk.configured, wanted, SystemClock())
    if as_json:
        click.echo(msgspec.json.encode(reports))
    else:
        for report in reports:
            _tell(report, desk.language)
    sys.exit(int(any(report.state == "down" for report in reports)))


def _tell(report: PrinterReport, language: Language) -> None:
    words = report.text[language]
    click.echo(text(f"cli.printer_by_{report.told_by}", language, printer=report.printer, text=words))
    if report.model:
        click.echo(text("cli.printer_model", language, model=report.model))
    if report.detail:
        click.echo(text("cli.details", language, text=report.detail))


@printer.command()
@click.option("--printer", "wanted", help="Name of a [[printer]]; default: the first.")
@with_desk(needs_config=True)
def test(desk: Desk, wanted: str | None) -> None:
    """Print a page with letters, signs and codes, and say what became of it."""
    from agent.clock import SystemClock
    from agent.printing.selftest import selftest_data
    from agent.receipts.slip_printing import print_slip, printer_of

    config, clock = desk.configured, SystemClock()
    table = printer_of(config, wanted)
    page = desk.source.document("selftest", desk.language, selftest_data(config, table, clock, desk.language))
    ended = print_slip(config, page, table.name, clock)
    click.echo(ended.said(desk.language))
    sys.exit(0 if ended.state in ("printed", "sent") else 1)


@printer.command()
@click.option("--printer", "wanted", help="Name of a [[printer]]; default: the first.")
@click.option("--choose", type=int, multiple=True, help="Instead of asking: a line that reads right; 0 = none.")
@click.option("--columns", type=int, help="Instead of asking: the longest ruled line that is not broken.")
@click.option("--qr/--no-qr", default=None, help="Instead of asking: whether there is a QR code on the page.")
@click.option("--yes", is_flag=True, help="Ask nothing; what is not told is as the model has it.")
@with_desk(needs_config=True)
def setup(
    desk: Desk, wanted: str | None, choose: tuple[int, ...], columns: int | None, qr: bool | None, yes: bool
) -> None:
    """Print a page, ask what reads right on it, and write a profile for this very printer."""
    from agent.clock import SystemClock
    from agent.printing.setup import print_page, write_profile
    from agent.receipts.slip_printing import printer_of

    language = desk.language
    if yes and not choose:
        raise click.UsageError(text("setup.choose_needed", language))
    table = printer_of(desk.configured, wanted)
    printed = print_page(desk.configured, table, SystemClock())
    _introduce(printed, language)
    page = printed.page
    right = [number for number in choose or _ask_lines(len(page.lines), language) if number]
    columns = columns or (page.usual if yes else _ask_columns(page.rulers, page.usual, language))
    if qr is None:
        qr = page.base.native_qr if yes else click.confirm(text("setup.ask_qr", language))
    file = write_profile(desk.configured, table, printed, right, columns, qr=qr)
    click.echo(text("setup.written", language, path=str(file)))
    click.echo(text("setup.to_config", language, printer=table.name))
    click.echo(f'profile = "{file.stem}"')


def _introduce(printed: Printed, language: Language) -> None:
    if printed.model:
        who = " ".join(filter(None, (printed.maker, printed.model)))
        click.echo(text("setup.says", language, who=who, profile=printed.base))
    else:
        click.echo(text("setup.says_nothing", language, profile=printed.base))


def _ask_lines(count: int, language: Language) -> tuple[int, ...]:
    """The numbers that a person types, until they are some."""
    while True:
        answer = str(click.prompt(text("setup.ask_lines", language)))
        words = answer.replace(",", " ").split()
        if words and all(word.isdecimal() and int(word) <= count for word in words):
            return tuple(int(word) for word in words)
        click.echo(text("setup.numbers_only", language, count=count), err=True)


def _ask_columns(rulers: tuple[int, ...], usual: int, language: Language) -> int:
    choice = click.Choice([str(columns) for columns in rulers])
    return int(click.prompt(text("setup.ask_columns", language), type=choice, default=str(usual)))
