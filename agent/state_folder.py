"""The state folder: made if need be, and looked at before anything is opened in it.

A file that another user has left here, such as root by a start by hand, is no damaged file, and is not said to be one.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

from loyalty.errors import TillmateError

_OURS = (
    "queue.db", "queue.db-wal", "queue.db-shm", "queue.db.lock", "queue.db.ballast", "data.keys", "members.db", "members.db-wal", "members.db-shm",
    "identity.json", "claim.key", "next.key", "programme.jws", "redemption.stopped", "tokens.json",
)  # fmt: skip


DEFAULT_FOLDER: Final = "/var/lib/tillmate"


class StateFolderUnusable(TillmateError):
    """The state folder, or a file of ours in it, cannot be read or written: mend `[state] folder` or the rights."""

    code: ClassVar[str] = "state_folder"


def profiles_in(folder: Path) -> Path:
    """Where the printer profiles of this store are, which go before ours."""
    return folder / "profiles"


def prepare(folder: Path) -> None:
    """Make the folder, try whether one can write there, and whether all our files are ours. Raises StateFolderUnusable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / ".write-test"
        probe.touch()
        probe.unlink()
        for name in _OURS:
            with suppress(FileNotFoundError):
                (folder / name).open("r+b").close()
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
        raise StateFolderUnusable(reason, folder=str(folder), reason=reason) from error
