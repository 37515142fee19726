"""Opening the queue of this till whatever has become of its file.

A file that is damaged, sealed with a lost key, or not ours is set aside and never deleted, and a new one is begun: the till
sells on in a new epoch, to which the server agrees later. What can still be read of the old file is taken over while the
till sells (`salvage`). Whatever moment the power goes in between: what was begun is ended by the next start.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock

from offline_queue import store
from offline_queue.epochs import BeginAfter, Reason
from offline_queue.errors import QueueDamaged
from offline_queue.prepare import Clock, clear_suspect, lock_file
from offline_queue.sealing import NO_KEYS, Keyring, QueueFile
from offline_queue.writer import Queue

log = logging.getLogger(__name__)

_SIDE_FILES: Final = ("-wal", "-shm")


@dataclass(frozen=True)
class Claimed:
    """Whose queue it must be."""

    device: str
    epoch: str


def open_queue(
    path: Path, clock: Clock, claimed: Claimed | None, *, keys: Keyring = NO_KEYS, ballast: int = 0
) -> Queue:
    """The queue, in its old file or in a new one; see `Queue.open`.

    Raises QueueLocked, QueueTooNew and QueueFull; QueueDamaged only where the file cannot be set aside.
    """
    lock = lock_file(path)
    try:
        _end_setting_aside(path)
        if _is_empty(path):
            _remove(path)
        return _open(QueueFile(path, keys), lock, clock, claimed, ballast)
    except BaseException:
        lock.release()
        raise


def _open(file: QueueFile, lock: FileLock, clock: Clock, claimed: Claimed | None, ballast: int) -> Queue:
    """Ends, because a new file is a good one."""
    try:
        queue = Queue.open_locked(file, lock, clock, None, ballast)
    except QueueDamaged as error:
        log.exception("queue_damaged file=%s code=%s", file.path.name, error.code)
        set_aside(file.path, clock, "damaged")
        return _open(file, lock, clock, claimed, ballast)
    try:
        whose = queue.whose(claimed.device, claimed.epoch) if claimed else "ours"
        if claimed and whose == "nobody":
            reason: Reason = "damaged" if damaged_files(file.path) else "lost"
            queue.carry_out_now(BeginAfter(reason, claimed.device, claimed.epoch))
            log.error("queue_new_epoch reason=%s after=%s", reason, claimed.epoch)
    except BaseException:
        queue.let_go()
        raise
    if whose in ("ours", "nobody"):
        return queue
    queue.let_go()
    set_aside(file.path, clock, "damaged" if whose == "older" else "foreign")
    return _open(file, lock, clock, claimed, ballast)


def damaged_files(path: Path) -> list[Path]:
    """Files that were set aside and hold rows of ours, the oldest first."""
    files = path.parent.glob(f"{path.name}.damaged-*")
    return sorted(each for each in files if not each.name.endswith((*_SIDE_FILES, "-journal")))


def set_aside(path: Path, clock: Clock, why: Literal["damaged", "foreign"]) -> Path:
    """Move the file and its log away, the file first. Raises QueueDamaged where that is not possible."""
    aside = _free_name(path, f"{path.name}.{why}-{clock.now():%Y%m%dT%H%M%SZ}")
    try:
        path.replace(aside)
        _move_side_files(path, aside)
        clear_suspect(path)
        store.sync_folder(path.parent)
    except OSError as error:
        raise QueueDamaged(f"{path.name}: cannot be set aside: {error}", file=path.name, reason=str(error)) from error
    log.error("queue_set_aside file=%s as=%s", path.name, aside.name)
    return aside


def _is_empty(path: Path) -> bool:
    return path.exists() and path.stat().st_size == 0


def _remove(path: Path) -> None:
    for name in (path.name, *(path.name + side for side in _SIDE_FILES)):
        path.with_name(name).unlink(missing_ok=True)


def _end_setting_aside(path: Path) -> None:
    """The power went after the file was moved and before its log was."""
    if path.exists() or not any(path.with_name(path.name + side).exists() for side in _SIDE_FILES):
        return
    files = sorted(
        [*damaged_files(path), *path.parent.glob(f"{path.name}.foreign-*")], key=lambda each: each.name[-16:]
    )
    if files and not files[-1].with_name(files[-1].name + "-wal").exists():
        _move_side_files(path, files[-1])
    else:
        _move_side_files(path, _free_name(path, f"{path.name}.stray"))


def _move_side_files(path: Path, aside: Path) -> None:
    for side in _SIDE_FILES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + side).replace(aside.with_name(aside.name + side))


def _free_name(path: Path, name: str) -> Path:
    free, number = path.with_name(name), 2
    while free.exists():
        free, number = path.with_name(f"{name}-{number}"), number + 1
    return free
