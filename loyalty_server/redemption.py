"""The kill switch: devices, or all of a store, that must not take points as payment until a person allows it again.

A till learns it with its next heartbeat (`stop_redemption`, for as long as it is said), and no hold is granted meanwhile.
What it has sold is booked as ever.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from loyalty_server.devices import Device
from loyalty_server.storage.tables import devices, stores


def stop_redemption(
    connection: Connection, now: datetime | None, *, device: str | None = None, store: str | None = None
) -> None:
    """Stop it for this device or this store; `now` = None allows it again. Raises LookupError."""
    table, name, kind = (stores, store, "store") if device is None else (devices, device, "device")
    changed = update(table).where(table.c.id == name).values(redemption_stopped_at=now)
    if connection.execute(changed).rowcount == 0:
        raise LookupError(f"there is no {kind} {name!r}")


def redemption_stopped(connection: Connection, device: Device) -> bool:
    """Tell whether this device must not take points."""
    both = select(devices.c.redemption_stopped_at, stores.c.redemption_stopped_at.label("of_store"))
    row = connection.execute(both.join(stores, stores.c.id == devices.c.store).where(devices.c.id == device.id)).one()
    return row.redemption_stopped_at is not None or row.of_store is not None
