"""Operators, and what they may do, on the command line: whoever reaches the data folder needs no token."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from sqlalchemy import Connection, select

from loyalty.i18n import LANGUAGES, Language
from loyalty_server.admin import chain, flags, members
from loyalty_server.admin.audit_log import AT_THE_MACHINE, Trace, last_lines
from loyalty_server.admin.cards import replace_card
from loyalty_server.admin.corrections import correct
from loyalty_server.admin.erasure import erase
from loyalty_server.admin.messages import ByNumber, Correction, LostCard, Said
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


@click.command("list")
@data_option
def device_list(data: Path) -> None:
    """Print all store PCs."""
    with opened(DataFolder(data)) as (database, _), database.reading() as connection:
        page: int | None = 0
        while page is not None:
            found = chain.devices(connection, ByNumber(after=page, limit=500))
            for each in found.devices:
                seen = "-" if each.seen_at is None else each.seen_at.isoformat(timespec="seconds")
                about = f"version={each.version} seen={seen} last_seq={each.last_seq} epoch={each.epoch}"
                click.echo(f"{each.id} store={each.store} state={each.state} {about}")
            page = found.next


@click.group()
def flag() -> None:
    """What is booked and still odd."""


@flag.command("list")
@data_option
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True)
def flag_list(data: Path, language: Language) -> None:
    """Print the flags that are open, the oldest first, and what to do about each."""
    with opened(DataFolder(data)) as (database, _), database.reading() as connection:
        page: int | None = 0
        while page is not None:
            found = flags.open_flags(connection, ByNumber(after=page, limit=500))
            for each in found.flags:
                about = f"{each.at.isoformat(timespec='seconds')} device={each.device} till={each.till or '-'}"
                click.echo(f"{each.id} {each.kind} {about} member={each.member or '-'} {each.detail}".rstrip())
                click.echo(f"    {each.todo[language]}")
            page = found.next


@flag.command("close")
@data_option
@click.argument("number", metavar="FLAG")
@click.option("--note", required=True, help="What came of it.")
def flag_close(data: Path, number: str, note: str) -> None:
    """Somebody has seen to FLAG."""
    with _by_hand(data, "flag close") as (connection, trace):
        flags.close(connection, number, msgspec.convert(note, Said), trace)
    click.echo(f"closed flag={number}")


@click.command("show")
@data_option
@click.argument("name", metavar="MEMBER")
def member_show(data: Path, name: str) -> None:
    """Print what MEMBER has, holds and has agreed to, as JSON."""
    with _by_hand(data, "member show") as (connection, trace):
        found = members.member(connection, name, trace)
    click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())


@click.command("correct")
@data_option
@click.argument("name", metavar="MEMBER")
@click.option("--points", required=True, type=click.IntRange(-(10**12), 10**12), help="To give, or below zero to take.")
@click.option("--reason", required=True, help="Why; it stands in his ledger.")
@click.option("--id", "correction", metavar="UUID", help="The same again under one id is booked once.")
def member_correct(data: Path, name: str, points: int, reason: str, correction: str | None) -> None:
    """Give MEMBER points, or take some."""
    wish = {"member": name, "points": points, "reason": reason}
    with _by_hand(data, "member correct") as (connection, trace):
        correct(connection, correction or str(uuid.uuid4()), msgspec.convert(wish, Correction), trace)
    click.echo(f"corrected member={name} points={points}")


@click.command("card")
@data_option
@click.argument("name", metavar="MEMBER")
@click.option("--lost", required=True, help="The card that is refused from now on.")
@click.option("--new", default="", help="The card that takes its place.")
def member_card(data: Path, name: str, lost: str, new: str) -> None:
    """Block a lost card of MEMBER; tills learn it with their next page of members."""
    wish = {"lost": lost, "new": new}
    with _by_hand(data, "member card") as (connection, trace):
        replace_card(connection, name, msgspec.convert(wish, LostCard), trace)
    click.echo(f"blocked member={name}")


@click.command("erase")
@data_option
@click.argument("name", metavar="MEMBER")
@click.confirmation_option(prompt="His points end, and nobody will find him again. Erase?")
def member_erase(data: Path, name: str) -> None:
    """Forget MEMBER: telephone, name, cards, birthday; what was booked stays, under an id that is nobody's."""
    with _by_hand(data, "member erase") as (connection, trace):
        erase(connection, name, trace)
    click.echo(f"erased member={name}")


@contextmanager
def _by_hand(data: Path, action: str) -> Iterator[tuple[Connection, Trace]]:
    """What is done at the machine is written down, too."""
    trace = Trace(AT_THE_MACHINE, action, SystemClock().now())
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        yield connection, trace
        trace.write(connection)
