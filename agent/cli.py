"""The `tillmate` command: one function a verb, no logic. `rich` is imported by the verbs that draw, never by `run`.

Exit codes: 0 done, 1 not done, 65 a damaged file, 69 port in use, 75 another agent works here, 78 mistakes in the config.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

from agent import __version__
from agent.config import DEFAULT_PATH, Config, ConfigError
from agent.config import example as config_example
from agent.verbs import code as code_cli
from agent.verbs import jobs as jobs_cli
from agent.verbs import printer as printer_cli
from agent.verbs import programme as programme_cli
from agent.verbs import queue as queue_cli
from agent.verbs import receipt as receipt_cli
from agent.verbs import scan as scan_cli
from agent.verbs import scanner as scanner_cli
from agent.verbs import simulate as simulate_cli
from agent.verbs.config import (
    ENVIRONMENT,
    as_json_option,
    config_option,
    fail,
    load_config,
    say,
    stop_on_signals,
)
from loyalty.errors import TillmateError
from loyalty.i18n import text


@click.group()
@click.version_option(__version__, prog_name="tillmate")
@config_option
@click.pass_context
def main(context: click.Context, config_path: Path | None) -> None:
    """Tillmate, the loyalty agent of the till."""
    context.obj = config_path or Path(os.environ.get(ENVIRONMENT) or DEFAULT_PATH)


main.add_command(code_cli.code)
main.add_command(programme_cli.programme)
main.add_command(programme_cli.quote)
main.add_command(receipt_cli.receipt)
main.add_command(printer_cli.printer)
main.add_command(jobs_cli.jobs)
main.add_command(queue_cli.queue)
main.add_command(scan_cli.scan)
main.add_command(scanner_cli.scanner)
main.add_command(simulate_cli.simulate)


@main.command()
@config_option
@click.option("--verbose", is_flag=True, help="Log everything.")
@click.pass_obj
def run(default: Path, config_path: Path | None, verbose: bool) -> None:
    """Be the agent, in the foreground, until SIGTERM or Ctrl-C."""
    from agent import app, logs
    from agent.clock import SystemClock

    config = load_config(config_path or default)
    logs.set_up(logging.DEBUG if verbose else logging.INFO)
    stop = stop_on_signals()
    try:
        agent = app.build(config, SystemClock())
    except TillmateError as error:
        fail(error, config.language, app.exit_code(error))
    hung = agent.run(stop, lambda port: print(f"ready port={port}", flush=True))
    if hung:
        say(text("cli.hung", config.language, names=", ".join(hung)))
    if agent.failure is not None:
        fail(agent.failure, config.language, 1)  # not 65: started again, it finds out what the file holds now


@main.command()
@config_option
@click.pass_obj
def check(default: Path, config_path: Path | None) -> None:
    """Name every mistake in config.toml, and in the receipt templates that it names."""
    path = config_path or default
    config = load_config(path)
    if config.printer:
        _check_receipts(config, path)
    print(text("cli.config_good", config.language, path=str(path)))


@main.group()
def config() -> None:
    """About config.toml."""


@config.command()
def example() -> None:
    """Print an example with every key explained."""
    sys.stdout.write(config_example())


@main.command()
@config_option
@as_json_option
@click.pass_obj
def status(default: Path, config_path: Path | None, as_json: bool) -> None:
    """Ask the running agent how it is."""
    import msgspec
    from rich.console import Console

    from agent.api.admin_socket import call
    from agent.api.schemas import StatusReport
    from agent.tables import status_table, to_json

    config = load_config(config_path or default)
    try:
        answer = call(config.folder / "admin.sock", {"do": "status"})
    except TillmateError as error:
        fail(error, config.language, 1)
    report = msgspec.convert(answer["status"], StatusReport)
    if as_json:
        print(to_json(report))
    else:
        Console().print(status_table(report, config.language))


@main.command(name="open")
@config_option
@click.option("--till", help="Id of the till; default: the first of the config.")
@click.option(
    "--for", "holder", type=click.Choice(["screen", "pos"]), default="screen", show_default=True, help="Who is paired."
)
@click.option("--print", "only_print", is_flag=True, help="Print the address instead of opening a browser.")
@click.pass_obj
def open_page(default: Path, config_path: Path | None, till: str | None, holder: str, only_print: bool) -> None:
    """Open the cashier page of a till in the browser, or print a pairing code for its cash register."""
    import webbrowser

    from agent.api.admin_socket import call

    config = load_config(config_path or default)
    known = [each.id for each in config.till]
    wanted = till or next(iter(known), "")
    if wanted not in known:
        say(text("cli.till_unknown", config.language, till=wanted, known=", ".join(known)))
        sys.exit(1)
    try:
        answer = call(config.folder / "admin.sock", {"do": "pairing_code", "till": wanted, "for": holder})
    except TillmateError as error:
        fail(error, config.language, 1)
    if holder == "pos":
        print(answer["code"])
    elif only_print or not webbrowser.open(str(answer["url"])):
        if not only_print:
            say(text("cli.no_browser", config.language))
        print(answer["url"])


@main.command()
@click.option("--script", is_flag=True, help="Play the whole story without a browser; exit 0 only if each step holds.")
@click.option("--language", type=click.Choice(["ru", "en"]), default="ru", show_default=True)
def demo(script: bool, language: str) -> None:
    """A whole shop on this machine: agent, server, scanner, printer and a page to play with."""
    from rich.console import Console

    from agent.demo.show import play_script, show_store

    console = Console()
    sys.exit(play_script(console, language) if script else show_store(console, language, stop_on_signals()))


def _check_receipts(config: Config, path: Path) -> None:
    """Say what of the retailer's templates and logo will not be printed as it should be, and end where that is a mistake."""
    from agent.receipts.config_checks import check_receipts

    verdict = check_receipts(config)
    for warning in verdict.warnings:
        say(warning)
    if verdict.mistakes:
        say(text("error.config", config.language))
        say(str(ConfigError(path, verdict.mistakes, config.language)))
        sys.exit(78)
