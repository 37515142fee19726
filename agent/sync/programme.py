"""The programme in force: signed by the server, kept on the disk, so that a till that starts offline can quote at once.

The signature is checked with the key that was pinned at the claim. A revision never goes back.
"""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

import msgspec

from agent.identity import write_private
from loyalty import jws
from loyalty.errors import TillmateError
from loyalty.programme import Programme, load
from loyalty.wire import Programmes

log = logging.getLogger(__name__)


class OldRevision(TillmateError):
    """The server offers an older programme than the one in force; it is not taken."""

    code = "old_revision"


class ProgrammeBook:
    """The current programme and the next one. For one thread."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self._path = folder / "programme.jws"
        self._key = key
        self._current: Programme | None = None
        self._next: Programme | None = None

    def open(self) -> None:
        """Take what is kept on the disk; what cannot be read there is fetched again."""
        try:
            self._take(msgspec.json.decode(self._path.read_bytes(), type=Programmes))
        except FileNotFoundError:
            log.info("programme none_kept file=%s", self._path.name)
        except (msgspec.MsgspecError, ValueError, OSError, TillmateError) as error:
            log.warning("programme kept_one_unusable file=%s error=%s", self._path.name, error)

    def take(self, programmes: Programmes) -> None:
        """Take over and keep what the server says.

        Raises BadSignature, ProgrammeError or OldRevision; then the one in force stays. Raises QueueFull when it could
        not be kept.
        """
        self._take(programmes)
        write_private(self._path, msgspec.json.encode(programmes))

    def in_force(self, now: datetime) -> Programme | None:
        """The programme to quote with at this time; the next one steps in by itself."""
        if self._next and self._next.header.starts_at <= now:
            self._current, self._next = self._next, None
        return self._current

    def _take(self, programmes: Programmes) -> None:
        current = self._read(programmes.current)
        following = self._read(programmes.next) if programmes.next else None
        held = self._current.header.revision if self._current else 0
        if current.header.revision < held:
            raise OldRevision(
                f"revision {current.header.revision} is older than {held}", revision=current.header.revision
            )
        if current.header.revision > held:
            self._current = current
        self._next = following if following and following.header.revision > current.header.revision else None

    def _read(self, signed: str) -> Programme:
        return load(jws.open_programme(signed, self._key), "json")
