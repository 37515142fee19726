"""The hash chain over a device's rows: checksum of each row and proof of their order in one.

hash(n) = SHA-256( hash(n-1) | epoch | seq | kind | at | SHA-256(body) ), where each field after the first stands behind
its own length (4 bytes, big-endian) and seq is written in decimal digits. The body goes in as its digest, so that an
erased body leaves a chain that still verifies.
"""

from __future__ import annotations

import hashlib

GENESIS = bytes(32)
"""What the first row of an epoch follows."""


def row_hash(previous: bytes, epoch: str, seq: int, kind: str, at: str, body: bytes) -> bytes:
    """Return the 32 bytes that seal this row to the one before it."""
    return seal(previous, epoch, seq, kind, at, hashlib.sha256(body).digest())


def seal(previous: bytes, epoch: str, seq: int, kind: str, at: str, digest: bytes) -> bytes:
    """Return the same for a body of which only the SHA-256 is at hand."""
    link = previous
    for field in (epoch.encode(), str(seq).encode(), kind.encode(), at.encode(), digest):
        link += len(field).to_bytes(4, "big") + field
    return hashlib.sha256(link).digest()
