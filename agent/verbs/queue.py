"""`tillmate queue ...`: what waits for the server, whether the file is sound, and what a person decides about it.

Exit codes: 0 done, 1 not done, 65 the file is damaged or sealed with another key, 78 mistakes in the config.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from agent.verbs.config import as_json_option, config_option, fail, load_config, queue_with_keys, say
from loyalty.errors import TillmateError
from loyalty.i18n import Language, text

_ROW = click.argument("row", metavar="N", type=click.IntRange(1))
_LONG: Final = 5000
"""From so many rows on it takes long enough for a bar."""


@click.group()
def queue() -> None:
    """About the offline queue: look, verify, export, send again, salvage."""


@queue.command(name="list")
@config_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@as_json_option
@click.pass_obj
def list_(default: Path, config_path: Path | None, limit: int, as_json: bool) -> None:
    """What waits for the server, and what it has refused; works with and without the agent."""
    from rich.console import Console

    from agent.queue_listing import list_queue
    from agent.tables import queue_table, to_json

    config, file = queue_with_keys(config_path or default)
    with _refusals(config.language):
        listing = list_queue(file, limit)
    if as_json:
        click.echo(to_json(listing))
        return
    Console().print(queue_table(listing, config.language) if listing.rows else text("cli.queue_empty", config.language))


@queue.command()
@config_option
@_ROW
@as_json_option
@click.pass_obj
def show(default: Path, config_path: Path | None, row: int, as_json: bool) -> None:
    """Row N of the queue, without card numbers."""
    from rich.console import Console

    from agent.queue_listing import show_row
    from agent.tables import row_table, to_json

    config, file = queue_with_keys(config_path or default)
    with _refusals(config.language):
        found = show_row(file, row)
    if found is None:
        say(text("cli.queue_no_row", config.language, seq=row))
        sys.exit(1)
    if as_json:
        click.echo(to_json(found))
    else:
        Console().print(row_table(found, config.language))


@queue.command()
@config_option
@as_json_option
@click.pass_obj
def verify(default: Path, config_path: Path | None, as_json: bool) -> None:
    """Read every page and every row: are they what was written?"""
    from agent.queue_listing import verify as verify_queue
    from agent.tables import to_json

    config, file = queue_with_keys(config_path or default)
    language = config.language
    with _refusals(language), _bar(text("cli.queue_verifying", language)) as told:
        verdict = verify_queue(file, told)
    if as_json:
        click.echo(to_json(verdict))
    elif verdict.sound:
        click.echo(text("cli.queue_sound", language, rows=verdict.rows, pending=verdict.pending))
    else:
        numbers = ", ".join(map(str, verdict.damaged)) or "-"
        say(text("cli.queue_unsound", language, count=len(verdict.damaged), rows=numbers))
        say(text("cli.details", language, text=verdict.pages or "-"))
    sys.exit(0 if verdict.sound else 65)


@queue.command()
@config_option
@click.argument("out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def export(default: Path, config_path: Path | None, out: Path) -> None:
    """Write what waits for the server to FILE as JSON lines. It is personal data: card numbers are in it."""
    from agent.queue_listing import export as export_rows

    config, file = queue_with_keys(config_path or default)
    language = config.language
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        say(text("cli.queue_not_written", language, path=str(out), reason=error.strerror or ""))
        sys.exit(1)
    with os.fdopen(handle, "wb") as stream, _refusals(language), _bar(text("cli.queue_exporting", language)) as told:
        rows = export_rows(file, stream, told)
    click.echo(text("cli.queue_exported", language, count=rows, path=str(out)))


@queue.command()
@config_option
@click.argument("row", metavar="[N]", type=click.IntRange(1), required=False)
@click.pass_obj
def retry(default: Path, config_path: Path | None, row: int | None) -> None:
    """Try to deliver at once; with N, send the rejected row N again, as a new row that corrects it."""
    from agent.queue_orders import retry as order_retry

    config, _ = queue_with_keys(config_path or default)
    with _refusals(config.language, 1):
        seq = order_retry(config.folder, row)
    key = "cli.queue_retried" if row is None else "cli.queue_sent_again"
    click.echo(text(key, config.language, row=row or 0, seq=seq or 0))


@queue.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True))
@click.option(
    "--keys",
    "key_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="data.keys of the PC that the file comes from, if it is not this one.",
)
@click.pass_obj
def salvage(default: Path, config_path: Path | None, file: Path, key_file: Path | None) -> None:
    """Take over what can be read of FILE, a queue that was set aside or comes from a dead PC. Can be repeated."""
    from agent import identity
    from agent.queue_orders import salvage as order_salvage

    config = load_config(config_path or default)
    language = config.language
    with _refusals(language, 1), _bar(text("cli.queue_salvaging", language)) as told:
        keys = identity.read_keys(key_file) if key_file else ()
        done = order_salvage(config.folder, file, keys, told)
    click.echo(text("cli.queue_salvaged", language, rows=done.rows, lost=done.lost))


@contextmanager
def _refusals(language: Language, code: int = 65) -> Iterator[None]:
    try:
        yield
    except TillmateError as error:
        fail(error, language, code)


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, when it takes long."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, visible=False, total=None)

        def told(done: int, whole: int) -> None:
            progress.update(task, completed=done, total=whole, visible=whole >= _LONG)

        yield told
