"""`tillmate scan`: what comes from the scanners, live. From the running agent, or from the ports where none runs.

Exit codes: 0 done, 1 there is no such scanner, 78 mistakes in the config.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.verbs.config import as_json_option, config_option, load_config, say, stop_on_signals
from loyalty.i18n import text

if TYPE_CHECKING:
    from agent.config import Config, Scanner
    from agent.messages import LinkChanged, Scanned


@click.command()
@click.option("--scanner", "wanted", help="Name of a [[scanner]]; default: all.")
@click.option("--count", type=click.IntRange(1), help="End after so many scans.")
@as_json_option
@config_option
@click.pass_obj
def scan(default: Path, config_path: Path | None, wanted: str | None, count: int | None, as_json: bool) -> None:
    """Show what the scanners read: bytes, AIM id, class, and why. Until Ctrl-C."""
    from agent.clock import SystemClock
    from agent.scanning.listen import from_agent, from_ports, last_of_agent

    config, clock, stop = load_config(config_path or default), SystemClock(), stop_on_signals()
    tables = _chosen(config, wanted)
    socket = config.folder / "admin.sock"
    last = last_of_agent(socket)
    if last is None:
        say(text("scan.from_ports", config.language))
        _show(config, from_ports(tables, stop, clock), count, as_json, stop)
    else:
        say(text("scan.from_agent", config.language))
        names = {each.name for each in tables}
        _show(config, from_agent(socket, last, names, stop, clock), count, as_json, stop)


def _chosen(config: Config, wanted: str | None) -> list[Scanner]:
    found = [each for each in config.scanner if wanted in (None, each.name)]
    if not found:
        known = ", ".join(each.name for each in config.scanner)
        say(text("scan.unknown" if known else "scan.none", config.language, scanner=wanted or "", known=known))
        sys.exit(1)
    return found


def _show(
    config: Config,
    news: Iterable[Scanned | LinkChanged],
    count: int | None,
    as_json: bool,
    stop: threading.Event,
) -> None:
    from agent.api.admin_socket import AdminUnreachable
    from agent.messages import Scanned
    from agent.scanning.show import lines, record

    told = 0
    try:
        for each in news:
            if not isinstance(each, Scanned):
                _say_change(each, config)
                continue
            click.echo(record(each, config.codes) if as_json else "\n".join(lines(each, config.codes, config.language)))
            told += 1
            if told == count:
                stop.set()
                return
    except AdminUnreachable:
        say(text("scan.agent_gone", config.language))
        sys.exit(1)


def _say_change(change: LinkChanged, config: Config) -> None:
    key = "scanner_ok" if change.up else f"scanner_{change.code}"
    say(f"{change.device}: {text(f'status.{key}', config.language)}")
