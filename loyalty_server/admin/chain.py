"""Stores and devices as people see them, codes for new ones, and the end of a stolen one."""

from __future__ import annotations

from collections import defaultdict

import msgspec
from sqlalchemy import Connection, and_, func, select

from loyalty.wire import Heartbeat, Named
from loyalty_server.admin.audit_log import Trace
from loyalty_server.admin.messages import (
    ByName,
    ByNumber,
    ClaimCode,
    CodeFor,
    DeviceLine,
    Devices,
    Revoked,
    Store,
    Stores,
)
from loyalty_server.devices import CODE_LIVES, new_code, new_code_for, revoke
from loyalty_server.problems import refuse
from loyalty_server.storage import tables
from loyalty_server.storage.statements import within


def stores(connection: Connection, page: ByName) -> Stores:
    """Return a page of stores, by their ids."""
    count = func.count(tables.devices.c.id)
    in_use = and_(tables.devices.c.store == tables.stores.c.id, tables.devices.c.revoked_at.is_(None))
    counted = select(tables.stores, count.label("devices")).outerjoin(tables.devices, in_use)
    counted = counted.where(tables.stores.c.id > page.after).group_by(*tables.stores.c)
    found = connection.execute(counted.order_by(tables.stores.c.id).limit(page.limit + 1)).all()
    tills: defaultdict[str, list[Named]] = defaultdict(list)
    of_page = within(connection, tables.tills.c.store, [row.id for row in found])
    for till in connection.execute(select(tables.tills).where(of_page).order_by(tables.tills.c.id)):
        tills[till.store].append(Named(till.id, till.name))
    shown = tuple(
        Store(
            id=row.id,
            name=row.name,
            tills=tuple(tills[row.id]),
            devices=row.devices,
            redemption_stopped_at=row.redemption_stopped_at,
        )
        for row in found[: page.limit]
    )
    return Stores(shown, shown[-1].id if len(found) > page.limit else None)


def devices(connection: Connection, page: ByNumber) -> Devices:
    """Return a page of devices, in the order in which they were claimed first."""
    own, epoch = tables.devices.c, tables.epochs.c
    here = and_(epoch.device == own.id, epoch.epoch == own.epoch)
    joined = select(tables.devices, epoch.last_seq).outerjoin(tables.epochs, here).where(own.number > page.after)
    found = connection.execute(joined.order_by(own.number).limit(page.limit + 1)).all()
    shown = found[: page.limit]
    lines = tuple(
        DeviceLine(
            id=row.id,
            store=row.store,
            state="in_use" if row.revoked_at is None else "revoked",
            version=row.version,
            claimed_at=row.claimed_at,
            seen_at=row.seen_at,
            revoked_at=row.revoked_at,
            redemption_stopped_at=row.redemption_stopped_at,
            epoch=row.epoch,
            last_seq=row.last_seq or 0,
            heartbeat=None if row.heartbeat is None else msgspec.json.decode(row.heartbeat, type=Heartbeat),
        )
        for row in shown
    )
    return Devices(lines, shown[-1].number if len(found) > page.limit else None)


def device_code(connection: Connection, wish: CodeFor, trace: Trace) -> ClaimCode:
    """Make a one-time code. Raises Refused `malformed` unless a store or a device is given, `not_found`."""
    if bool(wish.store) == bool(wish.device):
        raise refuse("malformed", "either `store` or `device`")
    make, of = (new_code, wish.store) if wish.store else (new_code_for, wish.device)
    try:
        code = make(connection, of, trace.now)
    except LookupError as error:
        raise refuse("not_found") from error
    trace.on(**{"store" if wish.store else "device": of})
    return ClaimCode(code, trace.now + CODE_LIVES)


def revoke_device(connection: Connection, device: str, trace: Trace) -> Revoked:
    """Refuse whatever it asks from now on. Raises Refused `not_found`."""
    try:
        revoke(connection, device, trace.now)
    except LookupError as error:
        raise refuse("not_found") from error
    trace.on(device=device)
    return Revoked(device)
