"""The tokens of this agent: who may ask what for which till. Only their SHA-256 is kept, in tokens.json (0600).

A till has two kinds of holders: `screen` (the cashier page, a cookie that may only watch) and `pos` (the cash register).
Of each kind the newest KEPT stay good, so that pairing again and again neither fills the file nor shuts the others out.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import tempfile
import threading
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import msgspec

from agent.api.schemas import Scope

log = logging.getLogger(__name__)

Holder = Literal["screen", "pos"]
SCOPES: Final[dict[Holder, tuple[Scope, ...]]] = {"screen": ("scan",), "pos": ("scan", "sale", "print")}
KEPT: Final = 16


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One token as it is kept."""

    sha256: str
    till: str
    holder: Holder
    scopes: tuple[Scope, ...]
    since: datetime


class Tokens:
    """Thread-safe. The file is read once, at the start, and written whole at each new token."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._grants = _load(path)

    def mint(self, till: str, holder: Holder, now: datetime) -> str:
        """Make a token of 256 random bits, keep its hash, and return it: nobody can ask for it again. Raises OSError."""
        token = secrets.token_urlsafe(32)
        grant = Grant(sha256=_hash(token), till=till, holder=holder, scopes=SCOPES[holder], since=now)
        with self._lock:
            alike = [one for one in self._grants if (one.till, one.holder) == (till, holder)]
            dropped = alike[: max(0, len(alike) - KEPT + 1)]
            grants = (*(one for one in self._grants if one not in dropped), grant)
            _save(self._path, grants)
            self._grants = grants
        return token

    def find(self, token: str) -> Grant | None:
        """Return what the token grants. Takes as long for a wrong token as for a right one."""
        wanted = _hash(token)
        found = None
        for grant in self._grants:
            if hmac.compare_digest(grant.sha256, wanted):
                found = grant
        return found


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _load(path: Path) -> tuple[Grant, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Grant, ...])
    except FileNotFoundError:
        return ()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        aside = path.with_name(path.name + ".damaged")
        path.replace(aside)
        log.warning("tokens damaged, set aside: pair again file=%s reason=%s", aside, error)
        return ()


def _save(path: Path, grants: tuple[Grant, ...]) -> None:
    """Replace the file in one step; mkstemp makes it 0600 from its first moment."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(grants)))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
