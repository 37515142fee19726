"""What is personal in queue.db is sealed: AES-256-GCM, under a data key that lies beside the file and not in it.

A row says by which key it is sealed; the number is a fingerprint of the key, so that a wrong key is told from the right
one before anything is opened. What is sealed is bound to the row it stands in. What must be found again (receipt, member)
stands in the file as a keyed digest. Rows of a file that is older than its key are plain, with key 0, and `Care` seals
them by and by; the hash chain goes over the plain body, so sealing changes nothing for the server.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from offline_queue.errors import QueueSealed

PLAIN: Final = 0
"""Key number of what is not sealed."""
KEY_BYTES: Final = 32
_NONCE = 12
_CHECK = b"tillmate queue"


class Sealed(NamedTuple):
    """A content as it is stored, and the number of its key."""

    content: bytes
    key: int


class Spoiled(Exception):
    """What is stored is not what was sealed there."""


@dataclass(frozen=True)
class _Key:
    number: int
    cipher: AESGCM
    pepper: bytes


class Keyring:
    """The data keys of this till, the present one last; without any key nothing is sealed. Thread-safe."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = {key.number: key for key in (_derive(each) for each in keys)}
        self._present = list(self._keys.values())[-1] if self._keys else None

    def __repr__(self) -> str:
        """Without the keys."""
        return f"Keyring({sorted(self._keys)})"

    @property
    def present(self) -> int:
        """The number of the key that seals now; PLAIN without one."""
        return self._present.number if self._present else PLAIN

    @property
    def numbers(self) -> frozenset[int]:
        """The keys that can be opened with."""
        return frozenset(self._keys)

    def seal(self, content: bytes, *place: object) -> Sealed:
        """Seal for that place; only there it can be opened again."""
        if self._present is None:
            return Sealed(content, PLAIN)
        nonce = os.urandom(_NONCE)
        return Sealed(nonce + self._present.cipher.encrypt(nonce, content, _bound(place)), self._present.number)

    def open(self, content: bytes, key: int, *place: object) -> bytes:
        """The plain content. Raises Spoiled, and QueueSealed when the key is not here."""
        if key == PLAIN:
            return content
        known = self._keys.get(key)
        if known is None:
            raise QueueSealed(f"sealed with key {key:08x}, which is not here", key=f"{key:08x}")
        try:
            return known.cipher.decrypt(content[:_NONCE], content[_NONCE:], _bound(place))
        except (InvalidTag, ValueError) as error:
            raise Spoiled from error

    def ident(self, text: str) -> str:
        """The name under which something is to be found again."""
        return _ident(self._present, text) if self._present else text

    def idents(self, text: str, *, plain: bool) -> tuple[str, ...]:
        """Every name under which it may have been stored, the most likely first; `plain`: as it is, too."""
        names = tuple(_ident(key, text) for key in reversed(self._keys.values()))
        return (*names, text) if plain or not names else names

    def proof(self) -> bytes:
        """Something by which the present key is known again."""
        return self.seal(_CHECK, "proof").content

    def proves(self, proof: bytes, key: int) -> bool:
        """Whether the key of that number is here and made that proof."""
        try:
            return self.open(proof, key, "proof") == _CHECK
        except (Spoiled, QueueSealed):
            return False


NO_KEYS: Final = Keyring()


@dataclass(frozen=True)
class QueueFile:
    """A queue file with the keys to it."""

    path: Path
    keys: Keyring = NO_KEYS

    @classmethod
    def of(cls, file: Path | QueueFile) -> QueueFile:
        """A path alone is a file without keys."""
        return file if isinstance(file, QueueFile) else cls(file)


def _derive(key: bytes) -> _Key:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a data key has {KEY_BYTES} bytes")
    number = int.from_bytes(_hkdf(key, b"tillmate data key number")[:4]) & 0x7FFFFFFF or 1
    return _Key(number, AESGCM(_hkdf(key, b"tillmate data key seal")), _hkdf(key, b"tillmate data key idents"))


def _hkdf(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, None, purpose).derive(key)


def _bound(place: tuple[object, ...]) -> bytes:
    return "\x1f".join(map(str, place)).encode()


def _ident(key: _Key, text: str) -> str:
    return hmac.digest(key.pepper, text.encode(), hashlib.sha256).hex()[:40]
