"""Who this store PC is: identity.json in the state folder, made by the claim and never changed by hand.

The private key is made before the claim and kept in claim.key, so that a claim whose reply was lost can be repeated
with the same key and gets the same answer. Both files belong to their owner alone.

    identity.json       device, store, tills, epoch of the queue, and all keys
    claim.key           the private key while the claim is not answered yet
    next.key            the one that follows it, while the server has not been heard to take it
    data.keys           the keys that what is personal in queue.db is sealed with, the present one last
    machine.id          only where the system has no machine id of its own
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
import uuid
from pathlib import Path
from typing import ClassVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.errors import TillmateError
from loyalty.wire import ClaimReply, Named
from offline_queue import QueueFull
from offline_queue.store import sync_folder

SYSTEM_MACHINE_ID = Path("/etc/machine-id")

_KEY_BYTES = 32
_UPDATE = threading.Lock()


class IdentityDamaged(TillmateError):
    """identity.json, claim.key or data.keys cannot be read: restore it, or (not data.keys) remove it and claim again.

    Exit 65.
    """

    code: ClassVar[str] = "identity_damaged"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """This device, as the server knows it. Keys are raw bytes; they are never logged."""

    device: str
    device_number: int
    store: Named
    tills: tuple[Named, ...]
    epoch: str
    enrolment_url: str
    machine: str
    token_generation: int
    private_key: bytes
    programme_key: bytes
    token_key: bytes
    ident_key: bytes
    claimed_with: str = ""  # digest of the code that made this identity

    def __repr__(self) -> str:
        """Without the keys: a log or a traceback may show it."""
        return f"Identity(device={self.device!r}, store={self.store.id!r}, epoch={self.epoch!r})"


def from_claim(reply: ClaimReply, private_key: bytes, machine: str, code: str = "") -> Identity:
    """The identity that the server has given to this key, for that code. Raises ValueError for keys that are none."""
    return Identity(
        device=reply.device,
        device_number=reply.device_number,
        store=reply.store,
        tills=reply.tills,
        epoch=reply.epoch,
        enrolment_url=reply.enrolment_url,
        machine=machine,
        token_generation=reply.token_generation,
        private_key=private_key,
        programme_key=_key(reply.programme_key),
        token_key=from_base64(reply.token_key),
        ident_key=from_base64(reply.ident_key),
        claimed_with=code_digest(code),
    )


def code_digest(code: str) -> str:
    """By what a claim code is known again without being kept."""
    return hashlib.sha256(code.replace("-", "").strip().upper().encode()).hexdigest()[:32] if code else ""


def load(folder: Path) -> Identity | None:
    """The identity of this state folder; None = not claimed yet. Raises IdentityDamaged."""
    path = folder / "identity.json"
    try:
        identity = msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        raise IdentityDamaged(f"{path}: {error}", file=path.name) from error
    if len(identity.private_key) != _KEY_BYTES or len(identity.programme_key) != _KEY_BYTES:
        raise IdentityDamaged(f"{path}: a key has the wrong length", file=path.name)
    return identity


def save(folder: Path, identity: Identity) -> None:
    """Keep the identity, durably, and drop the key of the claim that made it."""
    write_private(folder / "identity.json", msgspec.json.format(msgspec.json.encode(identity)))
    drop_claim_key(folder)


def update(folder: Path, **changes: str | bytes) -> None:
    """Change some of the identity that is kept there, whoever else does so at the same time."""
    with _UPDATE:
        known = load(folder)
        if known is not None and any(getattr(known, name) != value for name, value in changes.items()):
            save(folder, msgspec.structs.replace(known, **changes))


def drop_claim_key(folder: Path) -> None:
    """The next claim makes a new one."""
    (folder / "claim.key").unlink(missing_ok=True)


def claim_key(folder: Path) -> bytes:
    """The private key to claim with: the one of an earlier attempt, or a new one. Raises IdentityDamaged."""
    return pending_key(folder / "claim.key")


def pending_key(path: Path) -> bytes:
    """The private key of an earlier attempt that is kept there, or a new one. Raises IdentityDamaged."""
    if not path.exists():
        key = new_key()
        write_private(path, to_base64(key).encode())
        return key
    try:
        return _key(path.read_text(encoding="ascii"))
    except (ValueError, OSError) as error:
        raise IdentityDamaged(f"{path}: {error}", file=path.name) from error


def data_keys(folder: Path) -> tuple[bytes, ...]:
    """The keys to what is personal in queue.db, the present one last; the first one is made when there is none.

    Raises IdentityDamaged: without the right key nothing in the queue can be read, so a new one is no help.
    """
    path = folder / "data.keys"
    if not path.exists():
        write_private(path, to_base64(os.urandom(_KEY_BYTES)).encode() + b"\n")
    return read_keys(path)


def read_keys(path: Path) -> tuple[bytes, ...]:
    """The keys in such a file. Raises IdentityDamaged."""
    try:
        keys = tuple(_key(line) for line in path.read_text(encoding="ascii").split())
    except (ValueError, OSError) as error:
        raise IdentityDamaged(f"{path}: {error}", file=path.name) from error
    if not keys:
        raise IdentityDamaged(f"{path}: no key in it", file=path.name)
    return keys


def new_key() -> bytes:
    """A raw Ed25519 private key."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private_key: bytes) -> str:
    """The public half as it travels."""
    return to_base64(Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw())


def machine_id(folder: Path, system: Path = SYSTEM_MACHINE_ID) -> str:
    """A name for this installation that a copied disk shares and another PC does not.

    The system's own id is confidential, so only a digest of it is used.
    """
    try:
        source = system.read_text(encoding="ascii").strip()
    except OSError:
        source = ""
    if not source:
        own = folder / "machine.id"
        if not own.exists():
            write_private(own, uuid.uuid4().hex.encode())
        source = own.read_text(encoding="ascii")
    return hmac.new(source.encode(), b"tillmate", hashlib.sha256).hexdigest()[:32]


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner alone, and durable when this returns.

    Raises QueueFull when the disk does not take it; then the old file stays.
    """
    beside = path.with_name(path.name + ".new")
    try:
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise QueueFull(f"{path.name} cannot be written: {error}", file=path.name) from error


def to_base64(raw: bytes) -> str:
    """Bytes as they travel: base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """The bytes behind `to_base64`. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _key(text: str) -> bytes:
    key = from_base64(text)
    if len(key) != _KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return key
