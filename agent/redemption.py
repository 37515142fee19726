"""The kill switch on the till: whether points may be taken as payment here, as the server has said last.

`redemption.stopped` in the state folder outlives a restart without a connection: what was stopped stays so until the
server allows it again.
"""

from __future__ import annotations

import logging
from pathlib import Path

from agent.identity import write_private
from offline_queue import QueueFull

log = logging.getLogger(__name__)


class Redemption:
    """For the thread of the feed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "redemption.stopped"
        self.allowed = not self._file.exists()

    def said(self, allowed: bool) -> bool:
        """Take over what the server says; tell whether that is news."""
        if allowed is self.allowed:
            return False
        self.allowed = allowed
        log.warning("redemption=%s", "allowed" if allowed else "stopped")
        try:
            if allowed:
                self._file.unlink(missing_ok=True)
            else:
                write_private(self._file, b"")
        except (QueueFull, OSError) as error:
            log.warning("redemption=not_kept error=%s", error)  # it holds until the next start, and is said again then
        return True
