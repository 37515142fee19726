"""Store PCs: the one-time code that makes one, and who a device is afterwards.

A code belongs to a store and makes one device. The same code with the same key and machine gives the same answer again,
because a reply may be lost; anything else with a used code is a clone or a mistake and is refused.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, insert, or_, select, update

from loyalty.chain import GENESIS
from loyalty.wire import ClaimReply, ClaimRequest, Named
from loyalty_server.keys import Keys, decode_bytes, encode_bytes
from loyalty_server.problems import refuse
from loyalty_server.storage.statements import next_number
from loyalty_server.storage.tables import claim_codes, devices, epochs, stores, tills

CODE_LIVES = timedelta(days=7)
_LONGEST_EPOCH = 64
_LONGEST_VERSION = 64


@dataclass(frozen=True)
class Device:
    """A store PC."""

    id: str
    number: int
    store: str
    epoch: str
    public_key: bytes
    machine: str
    token_generation: int
    revoked: bool
    old_key: bytes | None = None
    old_key_until: datetime | None = None
    key_asked: bool = False
    signed_by: bytes = b""
    """The key that has signed the request which this is about."""

    def keys(self, now: datetime) -> tuple[bytes, ...]:
        """Return the keys that may sign at this time, the newest first."""
        old = self.old_key if self.old_key_until is not None and now < self.old_key_until else None
        return (self.public_key,) if old is None else (self.public_key, old)


def new_code(connection: Connection, store: str, now: datetime) -> str:
    """Return a code that makes one device of this store. Raises LookupError for an unknown store."""
    if connection.execute(select(stores.c.id).where(stores.c.id == store)).first() is None:
        raise LookupError(f"there is no store {store!r}")
    return _code(connection, store, None, now)


def new_code_for(connection: Connection, device: str, now: datetime) -> str:
    """Return a code by which this device goes on with a new key and a new epoch. Raises LookupError."""
    store = connection.execute(select(devices.c.store).where(devices.c.id == device)).scalar_one_or_none()
    if store is None:
        raise LookupError(f"there is no device {device!r}")
    return _code(connection, store, device, now)


def _code(connection: Connection, store: str, replaces: str | None, now: datetime) -> str:
    letters = base64.b32encode(secrets.token_bytes(10)).decode()
    code = "-".join(letters[at : at + 4] for at in range(0, 16, 4))
    made = insert(claim_codes).values(code_sha256=_digest(code), store=store, expires_at=now + CODE_LIVES)
    connection.execute(made.values(device=None, replaces=replaces))
    return code


def claim(connection: Connection, keys: Keys, request: ClaimRequest, url: str, now: datetime) -> ClaimReply:
    """Make the device, or find the one that this very request has made before. Raises Refused."""
    public_key = _public_key(request.public_key)
    by_code = select(claim_codes).where(claim_codes.c.code_sha256 == _digest(request.code)).with_for_update()
    code = connection.execute(by_code).one_or_none()
    if code is None:
        raise refuse("claim_code_unknown")
    if code.device is not None:
        return _claimed_before(connection, keys, code.device, request, url)
    if code.expires_at <= now:
        raise refuse("claim_code_unknown")
    if is_known_key(connection, request.public_key):
        raise refuse("key_known")
    if code.replaces is None:
        device = _register(connection, code.store, request, public_key, now)
    else:
        device = _replace(connection, code.replaces, request, now)
    used = update(claim_codes).where(claim_codes.c.code_sha256 == code.code_sha256)
    connection.execute(used.values(device=device.id))
    return _welcome(connection, keys, device, url)


def find_device(connection: Connection, device: str) -> Device | None:
    """Return the device of this id."""
    row = connection.execute(select(devices).where(devices.c.id == device)).one_or_none()
    return None if row is None else _device(row)


def lock_device(connection: Connection, device: str) -> Device:
    """Return the device as it is now, and keep everybody else from it until the transaction ends."""
    return _device(connection.execute(select(devices).where(devices.c.id == device).with_for_update()).one())


def is_known_key(connection: Connection, key: str) -> bool:
    """Tell whether this is, or was last, the key of a device."""
    of_any = select(devices.c.id).where(or_(devices.c.public_key == key, devices.c.old_public_key == key))
    return connection.execute(of_any).first() is not None


def find_by_number(connection: Connection, number: int) -> Device | None:
    """Return the device whose enrolment tokens carry this number."""
    row = connection.execute(select(devices).where(devices.c.number == number)).one_or_none()
    return None if row is None else _device(row)


def revoke(connection: Connection, device: str, now: datetime) -> None:
    """Refuse whatever this device asks from now on. Raises LookupError."""
    if connection.execute(update(devices).where(devices.c.id == device).values(revoked_at=now)).rowcount == 0:
        raise LookupError(f"there is no device {device!r}")


def ask_for_key(connection: Connection, device: str, now: datetime) -> None:
    """Let this device change its key, at its next heartbeat. Raises LookupError."""
    if connection.execute(update(devices).where(devices.c.id == device).values(key_asked_at=now)).rowcount == 0:
        raise LookupError(f"there is no device {device!r}")


def _claimed_before(connection: Connection, keys: Keys, device: str, request: ClaimRequest, url: str) -> ClaimReply:
    row = connection.execute(select(devices).where(devices.c.id == device)).one()
    if row.revoked_at is not None:
        raise refuse("claim_code_unknown")
    if (row.public_key, row.machine) != (request.public_key, request.machine):
        raise refuse("claim_code_used")
    return _welcome(connection, keys, _device(row), url)


def _register(connection: Connection, store: str, request: ClaimRequest, public_key: bytes, now: datetime) -> Device:
    number = next_number(connection, "device")
    device = Device(
        id=f"D{number}",
        number=number,
        store=store,
        epoch=_new_epoch(connection, request),
        public_key=public_key,
        machine=request.machine,
        token_generation=1,
        revoked=False,
    )
    connection.execute(
        insert(devices).values(
            id=device.id,
            number=number,
            store=store,
            public_key=request.public_key,
            machine=request.machine,
            version=request.version[:_LONGEST_VERSION],
            token_generation=device.token_generation,
            epoch=device.epoch,
            claimed_at=now,
        )
    )
    begin_epoch(connection, device.id, device.epoch, now)
    return device


def _replace(connection: Connection, name: str, request: ClaimRequest, now: datetime) -> Device:
    """The device with another key, on another machine if need be, and with an epoch that no copy of it knows."""
    old = lock_device(connection, name)
    close_epoch(connection, old, "claimed", now)
    epoch = _new_epoch(connection, request)
    begin_epoch(connection, name, epoch, now)
    changed = update(devices).where(devices.c.id == name).values(public_key=request.public_key, epoch=epoch)
    changed = changed.values(old_public_key=None, old_key_until=None, key_asked_at=None)
    connection.execute(
        changed.values(
            machine=request.machine, version=request.version[:_LONGEST_VERSION], claimed_at=now, revoked_at=None
        )
    )
    return _device(connection.execute(select(devices).where(devices.c.id == name)).one())


def _new_epoch(connection: Connection, request: ClaimRequest) -> str:
    """The one that the till proposes, if nobody has it."""
    if not request.epoch:
        return uuid.uuid4().hex
    if not is_epoch(request.epoch):
        raise refuse("malformed", "epoch must be 1-64 letters and digits")
    if connection.execute(select(epochs.c.epoch).where(epochs.c.epoch == request.epoch)).first():
        raise refuse("epoch_taken")
    return request.epoch


def is_epoch(text: str) -> bool:
    """Tell whether this can be the name of an epoch."""
    return 0 < len(text) <= _LONGEST_EPOCH and text.isascii() and text.isalnum()


def begin_epoch(connection: Connection, device: str, epoch: str, now: datetime) -> None:
    """Rows of this epoch are taken from now on, from 1 on. The caller makes it the device's."""
    opened = insert(epochs).values(device=device, epoch=epoch, last_seq=0, last_hash=GENESIS.hex())
    connection.execute(opened.values(opened_at=now))


def close_epoch(connection: Connection, device: Device, reason: str, now: datetime, last_seq: int = 0) -> None:
    """The device's epoch ends; rows up to `last_seq` may still come, if they go on from what is booked."""
    here = update(epochs).where(epochs.c.device == device.id, epochs.c.epoch == device.epoch)
    connection.execute(here.values(closed_at=now, closes_at=last_seq, reason=reason))


def _welcome(connection: Connection, keys: Keys, device: Device, url: str) -> ClaimReply:
    store = connection.execute(select(stores).where(stores.c.id == device.store)).one()
    of_store = select(tills).where(tills.c.store == device.store).order_by(tills.c.id)
    return ClaimReply(
        device=device.id,
        device_number=device.number,
        store=Named(store.id, store.name),
        tills=tuple(Named(till.id, till.name) for till in connection.execute(of_store)),
        epoch=device.epoch,
        programme_key=encode_bytes(keys.programme_public),
        token_key=encode_bytes(keys.token(device.number, device.token_generation)),
        token_generation=device.token_generation,
        ident_key=encode_bytes(keys.ident(store.id, store.ident_generation)),
        enrolment_url=url,
    )


def _device(row: Row[tuple[object, ...]]) -> Device:
    return Device(
        id=row.id,
        number=row.number,
        store=row.store,
        epoch=row.epoch,
        public_key=decode_bytes(row.public_key),
        machine=row.machine,
        token_generation=row.token_generation,
        revoked=row.revoked_at is not None,
        old_key=None if row.old_public_key is None else decode_bytes(row.old_public_key),
        old_key_until=row.old_key_until,
        key_asked=row.key_asked_at is not None,
    )


def _public_key(text: str) -> bytes:
    try:
        raw = decode_bytes(text)
        Ed25519PublicKey.from_public_bytes(raw)
    except ValueError as error:
        raise refuse("malformed", "public_key is not an Ed25519 key in base64url") from error
    if encode_bytes(raw) != text:
        raise refuse("malformed", "public_key is not plain base64url")
    return raw


def _digest(code: str) -> str:
    return hashlib.sha256(code.replace("-", "").strip().upper().encode()).hexdigest()
