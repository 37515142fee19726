"""Heartbeats: how a device says it is, and what it should do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select, update

from loyalty.wire import Heartbeat, HeartbeatReply
from loyalty_server.devices import Device
from loyalty_server.epochs import heard
from loyalty_server.programmes import revision_in_force
from loyalty_server.redemption import redemption_stopped
from loyalty_server.storage.tables import devices, epochs, rows

SHORTEST_SPREAD, LONGEST_SPREAD = 60, 900
DEVICES_A_SECOND = 100
"""So many devices may come back in a second after an outage."""


def note_heartbeat(connection: Connection, device: Device, beat: Heartbeat, now: datetime) -> HeartbeatReply:
    """Keep the last one and answer with commands."""
    said = msgspec.json.encode(beat).decode()
    seen = update(devices).where(devices.c.id == device.id)
    connection.execute(seen.values(seen_at=now, version=beat.version[:64], heartbeat=said))
    here = select(epochs).where(epochs.c.device == device.id, epochs.c.epoch == beat.epoch)
    epoch = connection.execute(here).one_or_none()
    commands = []
    if beat.programme_revision != revision_in_force(connection, now):
        commands.append("fetch_programme")
    if device.key_asked:
        commands.append("rotate_key")
    if redemption_stopped(connection, device):
        commands.append("stop_redemption")
    if _continues(connection, device, beat, epoch):
        heard(connection, device.id, beat, now)
    else:
        commands.append("open_epoch")
    return HeartbeatReply(
        now,
        tuple(commands),
        watermark=epoch.last_seq if epoch else None,
        last_hash=epoch.last_hash if epoch else "",
        spread=_spread(connection),
        diverged=epoch is not None and _diverged(connection, device, beat),
    )


def _continues(connection: Connection, device: Device, beat: Heartbeat, epoch: Row[Any] | None) -> bool:
    """Tell whether the device's queue goes on from what is booked.

    One that seems to be behind may have sent more since it was asked: it must compare `watermark` itself.
    """
    if epoch is None or epoch.closed_at is not None or _is_copy(beat, epoch):
        return False
    return _booked(connection, device, beat.epoch, beat.last_seq) in (None, beat.last_hash)


def _diverged(connection: Connection, device: Device, beat: Heartbeat) -> bool:
    """Tell whether another row is booked under the number of the device's last settled one."""
    if not beat.settled_hash:
        return False
    return _booked(connection, device, beat.epoch, beat.last_seq - beat.pending) not in (None, beat.settled_hash)


def _booked(connection: Connection, device: Device, epoch: str, seq: int) -> str | None:
    """The hash of the row that is booked under this number."""
    here = select(rows.c.hash).where(rows.c.device == device.id, rows.c.epoch == epoch, rows.c.seq == seq)
    return connection.execute(here).scalar_one_or_none()


def _is_copy(beat: Heartbeat, epoch: Row[Any]) -> bool:
    """Tell whether this file is older than the one that was last heard of, or one of two that were opened side by side."""
    if not epoch.instance or not beat.instance:
        return False
    twin = beat.opened == epoch.opened and beat.instance != epoch.instance
    return twin or bool(beat.opened < epoch.opened)


def _spread(connection: Connection) -> int:
    """By the highest number of a device: to count them with each heartbeat would cost a chain more than all else."""
    most = int(connection.execute(select(func.max(devices.c.number))).scalar_one())
    return min(max(most // DEVICES_A_SECOND, SHORTEST_SPREAD), LONGEST_SPREAD)
