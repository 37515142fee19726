"""Operators, and what they may do, on the command line: whoever reaches the data folder needs no token."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import select

from loyalty_server.admin.audit_log import last_lines
from loyalty_server.admin.operators import Role, new_operator, revoke_operator
from loyalty_server.clock import SystemClock
from loyalty_server.command import data_option, opened, refusals
from loyalty_server.folder import DataFolder
from loyalty_server.storage.admin_tables import operators


@click.group()
def operator() -> None:
    """Who may ask /v1/admin."""


@operator.command("new")
@data_option
@click.argument("name", metavar="NAME")
@click.option("--role", type=click.Choice(["read", "write"]), default="read", show_default=True)
def operator_new(data: Path, name: str, role: Role) -> None:
    """Make an operator and print his token, once."""
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        token = new_operator(connection, name, role, SystemClock().now())
    click.echo(token)


@operator.command("list")
@data_option
def operator_list(data: Path) -> None:
    """Print all operators, also those who may ask no more."""
    with opened(DataFolder(data)) as (database, _), database.reading() as connection:
        for row in connection.execute(select(operators).order_by(operators.c.name)):
            until = "" if row.revoked_at is None else f" revoked={row.revoked_at.isoformat(timespec='seconds')}"
            click.echo(f"{row.name} role={row.role} since={row.created_at.isoformat(timespec='seconds')}{until}")


@operator.command("revoke")
@data_option
@click.argument("name", metavar="NAME")
def operator_revoke(data: Path, name: str) -> None:
    """Let the token of NAME be good no more."""
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        revoke_operator(connection, name, SystemClock().now())
    click.echo(f"revoked operator={name}")


@click.command("audit-log")
@data_option
@click.option("--last", "count", type=click.IntRange(min=1), default=100, show_default=True, help="So many lines.")
def audit_log(data: Path, count: int) -> None:
    """Print what operators have asked, when, on whom, and what came of it; the newest at the end."""
    with opened(DataFolder(data)) as (database, _), database.reading() as connection:
        for row in last_lines(connection, count):
            words = (row.at.isoformat(timespec="seconds"), row.operator, row.action, row.subject, row.outcome)
            click.echo(" ".join(filter(None, words)))
