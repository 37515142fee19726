"""The claim: a one-time code and a fresh public key buy this store PC its identity.

Key first, then the claim, then the epoch in the queue, then identity.json: whichever reply or power is lost in between,
the same step can be made again and ends in the same identity.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from agent import __version__, identity
from agent.identity import Identity
from agent.sync.errors import ServerUnreachable
from loyalty.wire import ClaimReply, ClaimRequest
from offline_queue import BeginEpoch, QueueFull

log = logging.getLogger(__name__)

PATIENCE_WITH_DISK = 30.0


class Writer(Protocol):
    """The queue's way in."""

    def submit(self, operation: BeginEpoch, /) -> Future[None]:
        """Carry it out."""
        ...


class Claims(Protocol):
    """The server, as far as strangers may talk to it."""

    def claim(self, request: ClaimRequest) -> ClaimReply:
        """Become a device."""
        ...


class Claimant:
    """Claims with one code. For one thread."""

    def __init__(self, *, folder: Path, code: str, server: Claims, writer: Writer) -> None:
        self._folder = folder
        self._code = code.strip()
        self._server = server
        self._writer = writer

    @property
    def has_code(self) -> bool:
        """Whether there is anything to claim with."""
        return bool(self._code)

    def claim(self) -> Identity:
        """One attempt, or the identity that an earlier one has made already.

        Raises what the server has against it, QueueMismatch and IdentityDamaged.
        """
        known = identity.load(self._folder)
        if known is not None:
            return known
        key = identity.claim_key(self._folder)
        machine = identity.machine_id(self._folder)
        request = ClaimRequest(
            code=self._code, public_key=identity.public_key(key), machine=machine, version=__version__
        )
        reply = self._server.claim(request)
        try:
            claimed = identity.from_claim(reply, key, machine)
        except ValueError as error:
            raise ServerUnreachable(f"an answer to the claim with bad keys: {error}", "reply") from error
        self._begin(claimed)
        identity.save(self._folder, claimed)
        log.info("claimed device=%s store=%s epoch=%s", claimed.device, claimed.store.id, claimed.epoch)
        return claimed

    def _begin(self, claimed: Identity) -> None:
        begun = self._writer.submit(BeginEpoch(claimed.device, claimed.epoch))
        try:
            begun.result(PATIENCE_WITH_DISK)
        except TimeoutError as error:
            raise QueueFull("the disk is too slow to begin the queue") from error
