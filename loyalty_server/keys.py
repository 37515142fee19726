"""The server's secrets: two random keys, and all others derived from them by purpose, owner and generation.

Derived (HKDF-SHA-256) instead of stored: any server process with the same two keys can check any token, and the database
alone is worth nothing to a thief. A key is rotated by counting its generation up.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


@dataclass(frozen=True, repr=False)
class Keys:
    """`programme` signs programmes (raw Ed25519), `master` is what all other keys come from."""

    programme: bytes
    master: bytes

    @classmethod
    def new(cls) -> Keys:
        """Make new random ones."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw(), secrets.token_bytes(32))

    @property
    def programme_public(self) -> bytes:
        """What tills pin at their claim."""
        return Ed25519PrivateKey.from_private_bytes(self.programme).public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """What a database knows them by; tells nothing about them."""
        return self._derive("fingerprint").hex() + sha256(self.programme_public).hexdigest()[:16]

    def token(self, device_number: int, generation: int) -> bytes:
        """Key of the enrolment tokens of one device."""
        return self._derive(f"token {device_number} {generation}")

    def ident(self, store: str, generation: int) -> bytes:
        """Key of the replica idents of one store."""
        return self._derive(f"ident {generation} {store}")

    def code(self, attempt: str) -> bytes:
        """Key under which the code of one enrolment attempt is kept. Not remembered: a stranger names the attempt."""
        return _fresh(self.master, f"code {attempt}")

    @property
    def sample(self) -> bytes:
        """Key by which sales are chosen for the audit, so that no till knows which."""
        return self._derive("sample")

    def _derive(self, purpose: str) -> bytes:
        return _derived(self.master, purpose)


@lru_cache(maxsize=1 << 16)
def _derived(master: bytes, purpose: str) -> bytes:
    return _fresh(master, purpose)


def _fresh(master: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"tillmate " + purpose.encode()).derive(master)


def save_keys(keys: Keys, path: Path) -> None:
    """Write a new file that only its owner may read. Raises FileExistsError: keys are never overwritten."""
    document = {name: encode_bytes(getattr(keys, name)) for name in ("programme", "master")}
    if path.exists():
        raise FileExistsError(str(path))
    half = path.with_suffix(".new")
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    half.rename(path)


def load_keys(path: Path) -> Keys:
    """Read them back. Raises FileNotFoundError or ValueError."""
    document = json.loads(path.read_text(encoding="utf-8"))
    try:
        keys = Keys(**{name: decode_bytes(document[name]) for name in ("programme", "master")})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is not a key file of this server") from error
    if {len(keys.programme), len(keys.master)} != {32}:
        raise ValueError(f"{path.name} is damaged")
    return keys


def encode_bytes(value: bytes) -> str:
    """Return base64url without padding, as bytes travel on the wire."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decode_bytes(text: str) -> bytes:
    """Undo `encode_bytes`. Raises ValueError."""
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
