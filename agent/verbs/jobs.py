"""`tillmate jobs ...`: what became of each receipt that was to be printed, and what a person decides about one.

Exit codes: 0 done, 1 not done, 65 a damaged queue file, 78 mistakes in the config.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.verbs.config import as_json_option, config_option, fail, load_config, queue_file, say
from loyalty.errors import TillmateError
from loyalty.i18n import text

if TYPE_CHECKING:
    from agent.config import Config

_WITHIN = 10.0  # a printer that is to forget a receipt may take some seconds

_NUMBER = click.argument("job", metavar="N", type=click.IntRange(1))


@click.group()
def jobs() -> None:
    """About print jobs: what became of a receipt, once more, not at all."""


@jobs.command(name="list")
@config_option
@click.option("--all", "every", is_flag=True, help="Also those that are printed or decided.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@as_json_option
@click.pass_obj
def list_(default: Path, config_path: Path | None, every: bool, limit: int, as_json: bool) -> None:
    """What is not printed, or not known to be; works with and without the agent."""
    from rich.console import Console

    from agent.printing.job_listing import list_jobs
    from agent.tables import job_table, to_json

    config, path = queue_file(config_path or default)
    language = config.language
    try:
        listing = list_jobs(path, limit, every=every)
    except TillmateError as error:
        fail(error, language, 65)
    if as_json:
        click.echo(to_json(listing))
        return
    Console().print(job_table(listing, language) if listing.jobs else text("cli.jobs_none", language))
    if listing.more:
        click.echo(text("cli.jobs_more", language, count=limit))
    if any(job.in_doubt for job in listing.jobs):
        click.echo(text("cli.jobs_decide", language))


@jobs.command()
@config_option
@_NUMBER
@click.pass_obj
def again(default: Path, config_path: Path | None, job: int) -> None:
    """Print the receipt of job N once more, as a copy that says so."""
    from agent.printing.job_orders import print_again

    config = load_config(config_path or default)
    with _refusals(config):
        ended = print_again(config.folder / "admin.sock", job, _WITHIN)
    click.echo(text("cli.job_again", config.language, job=job, ended=ended.said(config.language)))
    sys.exit(0 if ended.done else 1)


@jobs.command()
@config_option
@_NUMBER
@click.pass_obj
def drop(default: Path, config_path: Path | None, job: int) -> None:
    """Do not print job N, or let it be as it is."""
    from agent.printing.job_orders import drop_job

    config = load_config(config_path or default)
    with _refusals(config):
        outcome = drop_job(config.folder / "admin.sock", job, _WITHIN)
    click.echo(text(f"cli.job_{outcome}", config.language, job=job))


@contextmanager
def _refusals(config: Config) -> Iterator[None]:
    from agent.printing.job_orders import OrderRefused

    try:
        yield
    except OrderRefused as error:
        say(error.said(config.language))
        sys.exit(1)
    except TillmateError as error:
        fail(error, config.language, 1)
