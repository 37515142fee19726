"""The two sync threads, made and wired: who tells whom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agent import identity
from agent.clock import Clock
from agent.config import Server
from agent.identity import Identity
from agent.redemption import Redemption
from agent.situation import Situation
from agent.status import Status
from agent.sync import Claimant, Client, Drain, Feed, Listeners, Live, Patience, Report, make_session
from agent.sync.claim import note_epoch
from agent.sync.live import DEADLINE, TIMEOUTS
from agent.sync.retry import Bell
from agent.sync.server_clock import ServerClock
from agent.views import Health
from loyalty.wire import Heartbeat, HeartbeatReply
from offline_queue import Queue, Reader, Replica


@dataclass(frozen=True)
class Sync:
    """The two threads that talk to the server, and what they report to."""

    feed: Feed
    drain: Drain
    report: Report


@dataclass(frozen=True, kw_only=True)
class SyncParts:
    """What they work with."""

    server: Server
    folder: Path
    clock: Clock
    queue: Queue
    open_reader: Callable[[], Reader]
    replica: Replica
    situation: Situation
    status: Status


def make_sync(parts: SyncParts) -> Sync:
    """Claim, programme, members, delivery."""
    clock, queue, situation = parts.clock, parts.queue, parts.situation
    server_clock = ServerClock(clock)
    report = Report(parts.status, clock)
    if situation.identity is None:
        report.programme("warning", "missing")

    def connect(device: Identity | None) -> Client:
        return Client(parts.server.url, clock, make_session(), device, server_clock)

    def on_agreed(epoch: str) -> None:
        note_epoch(parts.folder, epoch)
        if situation.identity is not None:
            situation.identity = msgspec.structs.replace(situation.identity, epoch=epoch)

    drain = Drain(
        writer=queue,
        open_reader=parts.open_reader,
        connect=connect,
        report=report,
        clock=clock,
        patience=Patience(Bell(clock)),
        identity=situation.identity,
        machine=identity.machine_id(parts.folder),
        agreed=on_agreed,
        operator_needed=lambda: feed.operator_needed(),
    )

    def on_claimed(device: Identity) -> None:
        situation.on_claimed(device)
        drain.identified(device)

    on_commands = _kill_switch(parts)

    def on_heartbeat(beat: Heartbeat, reply: HeartbeatReply) -> None:
        on_commands(reply.commands)
        drain.heard(beat, reply)

    feed = Feed(
        folder=parts.folder,
        claimant=Claimant(folder=parts.folder, code=parts.server.claim_code, server=connect(None), writer=queue),
        replica=parts.replica,
        open_reader=parts.open_reader,
        connect=connect,
        listeners=Listeners(
            on_claimed, situation.on_programme, situation.on_members, on_heartbeat, lambda: _devices(parts.status)
        ),
        report=report,
        clock=clock,
        patience=Patience(Bell(clock)),
        every=parts.server.sync_seconds,
        identity=situation.identity,
    )
    report.when_recovered(lambda _: feed.wake())
    report.when_recovered(drain.recovered)
    return Sync(feed, drain, report)


def _kill_switch(parts: SyncParts) -> Callable[[Collection[str]], None]:
    """Let the tills take no points while the server says so; returns who hears the commands of each heartbeat."""
    redemption = Redemption(parts.folder)

    def show() -> None:
        parts.situation.on_redemption(redemption.allowed)
        state: Health = "ok" if redemption.allowed else "warning"
        word = "allowed" if redemption.allowed else "stopped"
        parts.status.set("programme", "redemption", state, f"status.programme.redemption_{word}")

    def hear(commands: Collection[str]) -> None:
        if redemption.said("stop_redemption" not in commands):
            show()

    if not redemption.allowed:
        show()
    return hear


def make_live(server: Server, situation: Situation, clock: Clock) -> Live:
    """The connection for what customers wait for."""

    def connect(device: Identity) -> Client:
        return Client(server.url, clock, make_session(), device, timeouts=TIMEOUTS, deadline=DEADLINE)

    return Live(connect, lambda: situation.identity, clock)


def _devices(status: Status) -> Mapping[str, str]:
    return {part.name: part.state for part in status.snapshot() if part.part in ("printer", "scanner")}
