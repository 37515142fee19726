"""The `tillmate-server` command: one function a verb, no logic.

Exit codes: 78 the folder, the programme or an address must be mended, 69 the address is taken, 1 the wish cannot be granted.
"""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import click
from starlette.types import ASGIApp

from loyalty_server import setup, verify
from loyalty_server.admin import commands
from loyalty_server.admin.api import make_admin_app
from loyalty_server.app import make_app
from loyalty_server.audit import Sample, ask_again
from loyalty_server.auditor import Auditor
from loyalty_server.clock import SystemClock
from loyalty_server.command import closing, data_option, fail, opened, refusals
from loyalty_server.devices import ask_for_key, new_code, new_code_for, revoke
from loyalty_server.edge import Server, names_of, receipt_address
from loyalty_server.enrolment.gateway import load_gateway
from loyalty_server.enrolment.sender import ConsoleSender, Sender
from loyalty_server.enrolment.wording import Wordings
from loyalty_server.expiry import due, expire
from loyalty_server.folder import DataFolder
from loyalty_server.ledger import differences, write_csv
from loyalty_server.life import Life
from loyalty_server.listener import bind, serve
from loyalty_server.redemption import stop_redemption
from loyalty_server.storage.partitions import prepare_days
from loyalty_server.watch import ByPort, MetricsPage

_OBJECTS = 200_000


@click.group()
@click.version_option(version("tillmate"), prog_name="tillmate-server")
def main() -> None:
    """The central loyalty server."""


@main.command()
@data_option
@click.option("--programme", "programme_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--store", "stores", multiple=True, metavar="ID:NAME", help="A store; may be given again.")
@click.option("--till", "tills", multiple=True, metavar="STORE:ID", help="A till of a store; may be given again.")
@click.option(
    "--database", "address", metavar="URL", help="postgresql://USER@HOST/NAME; without it SQLite in the folder."
)
def init(
    data: Path, programme_file: Path | None, stores: tuple[str, ...], tills: tuple[str, ...], address: str | None
) -> None:
    """Make the data folder; run again it adds stores, tills and a programme revision."""
    with refusals():
        database, keys = DataFolder(data).create(address)
    with closing(database), refusals(), database.writing() as connection:
        setup.add_stores(connection, stores)
        setup.add_tills(connection, tills)
        if programme_file is not None:
            setup.publish_file(connection, keys, programme_file, SystemClock().now())
    click.echo(f"initialised data={data}")


@main.command()
@data_option
@click.option("--listen", default="127.0.0.1:8080", metavar="HOST:PORT", help="Where to listen; port 0 = any free one.")
@click.option("--public-url", metavar="URL", help="What stands in enrolment QRs; default: where it listens.")
@click.option("--name", "names", multiple=True, metavar="HOST[:PORT]", help="Another name that tills ask by.")
@click.option(
    "--gateway",
    "gateway_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="How codes reach phones; without it they appear on the console, for development.",
)
@click.option("--metrics", metavar="HOST:PORT", help="Where monitoring reads /metrics; without it nowhere.")
@click.option("--admin", metavar="HOST:PORT", help="Where operators ask /v1/admin; without it nowhere.")
@click.option(
    "--audit",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    metavar="N",
    help="Ask the engine again for one in N sales, beside the work; 0 = for none.",
)
def run(
    data: Path,
    listen: str,
    public_url: str | None,
    names: tuple[str, ...],
    gateway_file: Path | None,
    metrics: str | None,
    admin: str | None,
    audit: int,
) -> None:
    """Serve until SIGTERM or Ctrl-C; says `ready url=...` on stdout."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder = DataFolder(data)
    host, _ = _address("--listen", listen)
    ports = {option: text for option, text in (("--metrics", metrics), ("--admin", admin)) if text is not None}
    for option, text in ports.items():
        _address(option, text)
    public = _receipt_address(public_url or f"http://{listen}")
    stop = threading.Event()
    sender = _sender(gateway_file, folder, stop)
    with opened(folder) as (database, keys):
        listener = _bound("--listen", listen)
        url = f"http://{host}:{_port(listener)}"
        public = public if public_url else url
        life = Life(folder.mark_file)
        life.begin(database)
        prepare_days(database, SystemClock().now().date())
        server = Server(database, keys, SystemClock(), public, names_of(url, public, *names), life=life)
        _calm_collector()
        _stop_on_signals(stop)
        apps: dict[str, ASGIApp] = {"--metrics": MetricsPage(server.meters), "--admin": make_admin_app(server)}
        beside: dict[int, ASGIApp] = {}
        sockets = [_bound(option, text) for option, text in ports.items()]
        for option, each in zip(ports, sockets, strict=True):
            if _port(each) in (_port(listener), *beside):
                fail(f"{option} {ports[option]}: must be another port than --listen and all others", 78)
            beside[_port(each)] = apps[option]
            click.echo(f"{option.removeprefix('--')} port={_port(each)}", err=True)
        app = ByPort(make_app(server, sender, Wordings(folder.path / "texts")), beside)
        auditor = Auditor(database, server.clock, server.meters, Sample(keys, audit))
        with auditor.beside(stop) if audit else nullcontext():
            serve(app, listener, stop, lambda: _ready(url), *sockets)
        with database.reading() as connection:
            life.note(connection)


@main.group()
def device() -> None:
    """Store PCs."""


@device.command("new-code")
@data_option
@click.option("--store", help="The store that a new device will belong to.")
@click.option("--device", "name", help="Or the device that will go on with a new key: on other hardware, or again.")
def device_new_code(data: Path, store: str | None, name: str | None) -> None:
    """Print a one-time code for one device; good for seven days."""
    if (store is None) == (name is None):
        raise click.UsageError("give either --store or --device")
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        now = SystemClock().now()
        code = new_code(connection, store, now) if store is not None else new_code_for(connection, str(name), now)
    click.echo(code)


@device.command("revoke")
@data_option
@click.argument("name", metavar="DEVICE")
def device_revoke(data: Path, name: str) -> None:
    """Refuse whatever DEVICE asks from now on."""
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        revoke(connection, name, SystemClock().now())
    click.echo(f"revoked device={name}")


@device.command("rotate-key")
@data_option
@click.argument("name", metavar="DEVICE")
def device_rotate_key(data: Path, name: str) -> None:
    """Let DEVICE change its key, at its next heartbeat; the old key is good for a day longer."""
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        ask_for_key(connection, name, SystemClock().now())
    click.echo(f"asked device={name}")


@device.command("stop-redemption")
@data_option
@click.argument("name", metavar="[DEVICE]", required=False)
@click.option("--store", help="Or all devices of this store.")
def device_stop_redemption(data: Path, name: str | None, store: str | None) -> None:
    """Let DEVICE take no points as payment, from its next heartbeat on."""
    _redemption(data, name, store, SystemClock().now())


@device.command("allow-redemption")
@data_option
@click.argument("name", metavar="[DEVICE]", required=False)
@click.option("--store", help="Or all devices of this store that are not stopped themselves.")
def device_allow_redemption(data: Path, name: str | None, store: str | None) -> None:
    """Let DEVICE take points again."""
    _redemption(data, name, store, None)


def _redemption(data: Path, name: str | None, store: str | None, stopped: datetime | None) -> None:
    if (name is None) == (store is None):
        raise click.UsageError("give either DEVICE or --store")
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        stop_redemption(connection, stopped, device=name, store=store)
    click.echo(
        f"redemption={'allowed' if stopped is None else 'stopped'} {f'device={name}' if name else f'store={store}'}"
    )


@main.group()
def programme() -> None:
    """Programme revisions."""


@programme.command("publish")
@data_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def programme_publish(data: Path, file: Path) -> None:
    """Sign FILE (.toml or .json) and hand it to the tills from its `starts_at` on."""
    with opened(DataFolder(data)) as (database, keys), refusals(), database.writing() as connection:
        revision, new = setup.publish_file(connection, keys, file, SystemClock().now())
    click.echo(f"{'published' if new else 'unchanged'} revision={revision}")


@main.group()
def member() -> None:
    """Members."""


@member.command("add")
@data_option
@click.option("--card", required=True, help="The card number as scanners read it.")
@click.option("--balance", type=click.IntRange(0, 10**12), default=0, help="Points that the member brings along.")
@click.option("--phone", help="Phone number.")
@click.option("--greeting", help="First name, if the member allows it on screens.")
@click.option("--store", "homes", multiple=True, help="Whose tills shall know the member offline; default: all.")
def member_add(
    data: Path, card: str, balance: int, phone: str | None, greeting: str | None, homes: tuple[str, ...]
) -> None:
    """Make a member with a card; prints his id."""
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        name = setup.add_known_member(connection, card, balance, phone, greeting, SystemClock().now(), homes)
    click.echo(name)


@member.command("allow-offline")
@data_option
@click.argument("name", metavar="MEMBER")
def member_allow_offline(data: Path, name: str) -> None:
    """Let MEMBER pay with points offline again, after shortfalls that were cleared up; the next one counts on."""
    with opened(DataFolder(data)) as (database, _), refusals(), database.writing() as connection:
        setup.allow_offline(connection, name)
    click.echo(f"allowed member={name}")


@main.command("ledger")
@data_option
@click.option("--csv", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
def ledger_csv(data: Path, file: Path) -> None:
    """Write every ledger entry and every receipt; exit 1 when a balance differs from its entries."""
    with opened(DataFolder(data)) as (database, _), database.reading() as connection:
        with refusals(), file.open("w", encoding="utf-8", newline="") as out:
            lines = write_csv(connection, out)
        wrong = differences(connection)
    click.echo(f"written lines={lines} file={file}")
    if wrong:
        fail(f"{len(wrong)} balances differ from the sum of their entries", 1)


@main.command("expire")
@data_option
def expire_points(data: Path) -> None:
    """Book points that have burnt, flag returns whose sale has not come in 35 days, forget who never joined. May be run again."""
    with opened(DataFolder(data)) as (database, _), refusals():
        now = SystemClock().now()
        with database.reading() as connection:
            members = due(connection, now)
        with _progress("expire", members) as said:
            done = expire(database, now, said)
    click.echo(f"expired members={done.members} points={done.points} returns_without_sale={done.waiting}")


@main.command("verify")
@data_option
@click.option("--audit", type=click.IntRange(min=1), metavar="N", help="Ask the engine again for one in N sales.")
def verify_ledger(data: Path, audit: int | None) -> None:
    """Hold the ledger against itself: balances, entries, lots, receipts, chains; exit 1 and name whatever differs."""
    with opened(DataFolder(data)) as (database, keys), refusals():
        with database.reading() as connection, _progress("verify", verify.count_of(connection)) as said:
            found = list(verify.differences(connection, said))
        asked = 0
        if audit is not None:
            asked, odd = ask_again(database, keys, audit, SystemClock().now())
            found += odd
    for each in found:
        click.echo(f"{each.kind}={each.name} {each.detail}")
    click.echo(f"verified differences={len(found)}" + (f" sales_asked_again={asked}" if audit is not None else ""))
    if found:
        fail(f"{len(found)} things differ", 1)


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for people; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # only for who looks, never by `run`
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total)
        yield lambda count: bar.advance(task, count)


def _calm_collector() -> None:
    """What is here now stays; a batch makes tens of thousands of objects that are all dropped at its end, without rings."""
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 50)


def _sender(file: Path | None, folder: DataFolder, stop: threading.Event) -> Sender:
    if file is None:
        return ConsoleSender(sys.stdout, folder.codes_file)
    try:
        return load_gateway(file, stop)
    except (ValueError, OSError) as error:
        fail(f"--gateway: {error}", 78)


def _address(option: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 65536):
        fail(f"{option} {text}: must be HOST:PORT", 78)
    return host, int(port)


def _bound(option: str, text: str) -> socket.socket:
    host, port = _address(option, text)
    try:
        return bind(host.strip("[]"), port)
    except OSError as error:
        fail(f"{option}: cannot listen on {text}: {error.strerror or error}", 69)


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _receipt_address(text: str) -> str:
    try:
        return receipt_address(text)
    except ValueError as error:
        fail(f"--public-url: {error}", 78)


def _ready(url: str) -> None:
    click.echo(f"ready url={url}")


def _stop_on_signals(stop: threading.Event) -> None:
    def on_signal(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)


for _group, _commands in (
    (main, (commands.audit_log, commands.flag, commands.operator)),
    (device, (commands.device_list,)),
    (member, (commands.member_card, commands.member_correct, commands.member_erase, commands.member_show)),
):
    for _command in _commands:
        _group.add_command(_command)
