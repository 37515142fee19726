"""The claim: a one-time code and a fresh public key buy this store PC its identity.

Key first, then the claim, then the epoch in the queue, then identity.json: whichever reply or power is lost in between,
the same step can be made again and ends in the same identity.

A device that was shut out, or copied, is claimed again with another code. Its queue may be full then: it goes on under a
new epoch, which the till has begun before it asks, so that all that is kept comes along: nobody knows here how much of it
the server has under the old name.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

from agent import __version__, identity
from agent.identity import Identity
from agent.sync.errors import EpochTaken, ServerRejected, ServerUnreachable
from agent.sync.queue_access import Writer, carried_out
from loyalty.wire import ClaimReply, ClaimRequest
from offline_queue import BeginEpoch, EpochAgreed, FollowClaim, NewEpoch

log = logging.getLogger(__name__)


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

    def has_code_after(self, known: Identity) -> bool:
        """Whether there is another code than the one that made this identity."""
        return self.has_code and identity.code_digest(self._code) != known.claimed_with

    def claim(self) -> Identity:
        """One attempt, or the identity that an earlier one has made already.

        Raises what the server has against it, QueueMismatch and IdentityDamaged.
        """
        known = identity.load(self._folder)
        if known is not None:
            return known
        claimed = self._ask("")
        carried_out(self._writer, BeginEpoch(claimed.device, claimed.epoch))
        return self._keep(claimed)

    def claim_again(self) -> Identity:
        """One attempt to become a device once more, with the queue as it is. Raises as `claim` does."""
        epoch = carried_out(self._writer, NewEpoch("pruned"))
        try:
            claimed = self._ask(epoch)
        except EpochTaken:
            claimed = self._ask("")  # our name for it has been used; the server chooses one, to be followed
        if claimed.epoch == epoch:
            self._keep(claimed)
            carried_out(self._writer, EpochAgreed(claimed.epoch, claimed.device))
            return claimed
        carried_out(self._writer, FollowClaim(claimed.epoch, claimed.device))
        return self._keep(claimed)

    def _ask(self, epoch: str) -> Identity:
        key = identity.claim_key(self._folder)
        machine = identity.machine_id(self._folder)
        request = ClaimRequest(
            code=self._code, public_key=identity.public_key(key), machine=machine, version=__version__, epoch=epoch
        )
        try:
            reply = self._server.claim(request)
        except ServerRejected as refused:
            if refused.problem.code == "key_known":  # by an earlier code, whose answer was lost
                identity.drop_claim_key(self._folder)
            raise
        try:
            return identity.from_claim(reply, key, machine, self._code)
        except ValueError as error:
            raise ServerUnreachable(f"an answer to the claim with bad keys: {error}", "reply") from error

    def _keep(self, claimed: Identity) -> Identity:
        identity.save(self._folder, claimed)
        log.info("claimed device=%s store=%s epoch=%s", claimed.device, claimed.store.id, claimed.epoch)
        return claimed


def note_epoch(folder: Path, epoch: str) -> None:
    """The server has agreed to another epoch of the device whose identity is kept there."""
    identity.update(folder, epoch=epoch)
