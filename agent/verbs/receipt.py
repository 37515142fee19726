"""`tillmate receipt ...`: see, check and print slips before a customer does.

Works without an agent, and without a config: of `--config`, $TILLMATE_CONFIG or the usual file, if it is there and may be
read, come the retailer's templates, logo, printer profiles and language. The language of a slip is `--language`, else what
the data says (`"language": "en"`), else that of the config, else Russian.

Exit codes: 0 done, 1 refused by lint or not printed, 2 what was given is wrong, 78 mistakes in the config.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from agent.receipts.desk import WIDTHS, Desk, said, widths_of, with_desk
from loyalty.i18n import LANGUAGES, Language, text

if TYPE_CHECKING:
    from agent.receipts.check import Remark
    from agent.receipts.paper import Model
    from receipt_templates.document import Document

_NAME = click.argument("name", metavar="NAME")
_DATA = click.option("--data", metavar="FILE", help="JSON; - = standard input; default: the example.")
_PROFILE = click.option("--profile", default="default", show_default=True, help="Printer model.")
_WIDTH = click.Choice([str(width) for width in WIDTHS])


@click.group()
def receipt() -> None:
    """About slips: what stands on them, how they look, what a printer makes of them."""


@receipt.command(name="list")
@with_desk()
def list_(desk: Desk) -> None:
    """The templates, and which of them are the retailer's own."""
    from rich.console import Console

    from agent.receipts.tables import template_table

    Console().print(template_table(desk.source.own, desk.language))


@receipt.command(name="example")
@_NAME
@click.option("--language", type=click.Choice(LANGUAGES), default="ru", show_default=True)
def example_(name: str, language: Language) -> None:
    """Print data that the template takes, as JSON."""
    from agent.receipts.source import STANDARD, as_json, known, write
    from receipt_templates.templates import example

    with said(language):
        write(STANDARD, as_json({"language": language, **example(known(name), language)}))


@receipt.command()
@_NAME
@_DATA
@_PROFILE
@click.option("--width", type=_WIDTH, default="80", show_default=True, help="Of the paper, in mm.")
@click.option("--out", metavar="FILE", help="The bytes for the printer; in each FILE - = standard output.")
@click.option("--png", metavar="FILE", help="A picture of the paper.")
@click.option("--text", "text_file", metavar="FILE", help="What stands on the paper.")
@click.option("--lines", metavar="FILE", help="Plain lines for a POS that prints.")
@click.option("--atol", metavar="FILE", help="A task for a fiscal printer of ATOL.")
@click.option("--columns", type=click.IntRange(16, 160), help="Letters a line of --lines and --atol.")
@with_desk()
def render(
    desk: Desk,
    name: str,
    data: str | None,
    profile: str,
    width: str,
    out: str | None,
    png: str | None,
    text_file: str | None,
    lines: str | None,
    atol: str | None,
    columns: int | None,
) -> None:
    """Make a slip for a printer, as bytes, picture, text or lines."""
    outputs = [out, png, text_file, lines, atol]
    if not any(outputs) or outputs.count("-") > 1:
        raise click.UsageError(text("receipt.one_output" if any(outputs) else "receipt.no_output", desk.language))
    slip = desk.slip(name, data)
    printer = desk.model(profile, int(width))
    if lines or atol:
        _as_lines(slip, columns or printer.columns, lines, atol)
    if out or png or text_file:
        _as_paper(slip, printer, out, png, text_file)


def _as_lines(slip: Document, columns: int, lines: str | None, atol: str | None) -> None:
    from agent.receipts.paper import atol_task, lines_of
    from agent.receipts.source import as_json, write

    if lines:
        write(lines, lines_of(slip, columns).encode())
    if atol:
        write(atol, as_json(atol_task(slip, columns)))


def _as_paper(slip: Document, printer: Model, out: str | None, png: str | None, text_file: str | None) -> None:
    from agent.receipts.source import write

    job = printer.job(slip)
    if out:
        write(out, job)
    if text_file:
        write(text_file, printer.text(slip).encode())
    if png:
        write(png, printer.draw(job).png())


@receipt.command()
@_NAME
@_DATA
@_PROFILE
@click.option("--width", type=_WIDTH, help="Of the paper, in mm; default: both, side by side.")
@click.option("--png", metavar="FILE", help="Write a picture too.")
@with_desk()
def preview(desk: Desk, name: str, data: str | None, profile: str, width: str | None, png: str | None) -> None:
    """Show a slip as it will be on the paper, on both widths."""
    from agent.receipts.paper import one_png, side_by_side
    from agent.receipts.source import STANDARD, write

    slip = desk.slip(name, data)
    printers = desk.models(profile, widths_of(width))
    papers = [printer.draw(printer.job(slip)) for printer in printers]
    write(STANDARD, side_by_side(slip, printers).encode())
    if png:
        write(png, one_png(papers))


@receipt.command()
@click.argument("wanted", metavar="[NAME]...", nargs=-1)
@click.option("--data", metavar="FILE", help="JSON for one template, instead of the examples; - = standard input.")
@click.option(
    "--profile", "profiles", multiple=True, help="Printer model, as often as you like; default: the config's."
)
@click.option("--width", type=_WIDTH, help="Of the paper, in mm; default: the config's, or both.")
@click.option("--notes/--no-notes", default=True, help="Name what comes out otherwise than written, too.")
@with_desk()
def lint(
    desk: Desk, wanted: tuple[str, ...], data: str | None, profiles: tuple[str, ...], width: str | None, notes: bool
) -> None:
    """Name what will not fit or cannot be printed."""
    from agent.receipts.check import check, check_data
    from agent.receipts.source import known

    printers = desk.all_models(profiles, width)
    names = [known(name) for name in wanted]
    if data is None:
        remarks = list(check(desk.source, printers, names))
    elif len(names) == 1:
        language, read = desk.read(data)
        remarks = list(check_data(desk.source, printers, names[0], language, read))
    else:
        raise click.UsageError(text("receipt.data_for_one", desk.language))
    sys.exit(_tell(remarks, desk.language, notes))


def _tell(remarks: Sequence[Remark], language: Language, notes: bool) -> int:
    for remark in remarks:
        if notes or remark.finding.severity != "note":
            click.echo(remark.said(language))
    refused = sum(remark.finding.severity == "refused" for remark in remarks)
    warnings = sum(remark.finding.severity == "warning" for remark in remarks)
    click.echo(text("lint.sum", language, refused=refused, warnings=warnings))
    return int(refused > 0)


@receipt.command(name="print")
@_NAME
@_DATA
@click.option("--printer", help="Name of a [[printer]]; default: the first.")
@with_desk(needs_config=True)
def print_(desk: Desk, name: str, data: str | None, printer: str | None) -> None:
    """Print a slip: through the agent if it runs, else on the printer itself."""
    from agent.receipts.slip_printing import print_slip

    ended = print_slip(desk.configured, desk.slip(name, data), printer)
    click.echo(ended.said(desk.language))
    sys.exit(0 if ended.done else 1)
