"""Another device key, because the server's operator wants one: made here, proved to the server, kept, and then used.

`next.key` is written before anybody is asked and removed when it stands in identity.json: whichever reply or power is lost
in between, the same step is made again, with the old key as long as that is good, else with the new one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from agent import identity
from agent.identity import Identity
from agent.sync.errors import NotAuthorised, ServerRejected
from loyalty.wire import KeyReply

log = logging.getLogger(__name__)


class Server(Protocol):
    """The server, as far as a device changes its key there."""

    def change_key(self, key: bytes) -> KeyReply:
        """Go on with this private key."""
        ...


class NewKey:
    """Changes the key in one state folder. For one thread."""

    def __init__(self, folder: Path, connect: Callable[[Identity], Server]) -> None:
        self._folder = folder
        self._file = folder / "next.key"
        self._connect = connect

    @property
    def begun(self) -> bool:
        """Whether a change has begun and not ended."""
        return self._file.exists()

    def take(self, known: Identity) -> Identity:
        """One attempt; returns this device with its new key. Raises what the server has against it, and IdentityDamaged."""
        key = identity.pending_key(self._file)
        renewed = msgspec.structs.replace(known, private_key=key)
        try:
            self._ask(known, renewed)
        except ServerRejected as refused:
            log.warning("key refused device=%s code=%s", known.device, refused.problem.code)
            self._file.unlink(missing_ok=True)
            raise
        identity.update(self._folder, private_key=key)
        with suppress(FileNotFoundError):
            self._file.unlink()
        log.info("key changed device=%s", known.device)
        return renewed

    def _ask(self, known: Identity, renewed: Identity) -> None:
        try:
            self._connect(known).change_key(renewed.private_key)
        except NotAuthorised as refused:
            if refused.why != "bad_signature":
                raise
            self._connect(renewed).change_key(renewed.private_key)  # its reply was lost long ago
