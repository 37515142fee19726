"""Heartbeats: how a device says it is, and what it should do."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, select, update

from loyalty.wire import Heartbeat, HeartbeatReply
from loyalty_server.devices import Device
from loyalty_server.programmes import revision_in_force
from loyalty_server.storage.tables import devices, epochs, rows


def note_heartbeat(connection: Connection, device: Device, beat: Heartbeat, now: datetime) -> HeartbeatReply:
    """Keep the last one and answer with commands."""
    said = msgspec.json.encode(beat).decode()
    seen = update(devices).where(devices.c.id == device.id)
    connection.execute(seen.values(seen_at=now, version=beat.version[:64], heartbeat=said))
    commands = []
    if beat.programme_revision != revision_in_force(connection, now):
        commands.append("fetch_programme")
    if not _continues(connection, device, beat):
        commands.append("open_epoch")
    return HeartbeatReply(now, tuple(commands))


def _continues(connection: Connection, device: Device, beat: Heartbeat) -> bool:
    """Tell whether the device's queue goes on from what is booked; a restored one is behind or has another past."""
    if beat.epoch != device.epoch:
        return False
    here = select(epochs).where(epochs.c.device == device.id, epochs.c.epoch == device.epoch)
    booked = connection.execute(here).one()
    if beat.last_seq < booked.last_seq:
        return False
    last = select(rows.c.hash).where(rows.c.device == device.id, rows.c.epoch == device.epoch)
    known = connection.execute(last.where(rows.c.seq == min(beat.last_seq, booked.last_seq))).scalar_one_or_none()
    return known is None or beat.last_seq > booked.last_seq or known == beat.last_hash
