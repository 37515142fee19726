"""What a person orders about the queue: from the running agent where there is one, and by our own hand where there is none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from agent import identity
from agent.api.admin_socket import AdminUnreachable, call
from agent.clock import SystemClock
from agent.queue_listing import Progress
from loyalty.errors import TillmateError
from offline_queue import Care, Claimed, ForgetAttempts, Keyring, Queue, QueueFile, RetryRow, open_queue
from offline_queue.ballast import Room
from offline_queue.epochs import Reason
from offline_queue.salvage import Standing

_WITHIN: Final = 30.0
_LOOK_EVERY: Final = 0.2


class SalvageImpossible(TillmateError):
    """The file could not be taken over."""

    code: ClassVar[str] = "salvage_impossible"


@dataclass(frozen=True)
class Salvaged:
    """What came of a file: rows taken over, and rows of which only the number is left."""

    rows: int
    lost: int


def retry(folder: Path, number: int | None) -> int | None:
    """Try to deliver at once, or send the rejected row `number` again; returns its new seq. Raises TillmateError."""
    request = {"do": "queue_retry", **({} if number is None else {"number": number})}
    try:
        answer = call(folder / "admin.sock", request, _WITHIN)
    except AdminUnreachable:
        with _opened(folder) as (queue, _):
            if number is not None:
                return queue.submit(RetryRow(number)).result(_WITHIN)
            queue.submit(ForgetAttempts()).result(_WITHIN)
            return None
    return int(str(answer["seq"])) if number is not None else None


def salvage(folder: Path, file: Path, keys: tuple[bytes, ...], told: Progress) -> Salvaged:
    """Take over what can be read of that file. Raises TillmateError, SalvageImpossible."""
    texts = [identity.to_base64(key) for key in keys]
    try:
        call(folder / "admin.sock", {"do": "queue_salvage", "file": str(file), "keys": texts}, _WITHIN)
    except AdminUnreachable:
        with _opened(folder) as (queue, own):
            care = Care(queue, own, SystemClock(), _Nobody())
            care.salvage(file, Keyring([*keys, *identity.data_keys(folder)]) if keys else None)
            return _wait(lambda: _worked(care, file), told)
    return _wait(lambda: _asked(folder, file), told)


class _State(msgspec.Struct, frozen=True):
    stage: str
    seen: int
    whole: int
    rows: int
    lost: int
    trouble: str


def _worked(care: Care, file: Path) -> _State:
    care.step()
    now = care.progress(file)
    return _State(now.standing.stage, now.seen, now.whole, now.standing.rows, now.standing.lost, now.trouble)


def _asked(folder: Path, file: Path) -> _State:
    threading.Event().wait(_LOOK_EVERY)
    answer = call(folder / "admin.sock", {"do": "queue_salvage_state", "file": str(file)}, _WITHIN)
    return msgspec.convert(answer, _State)


def _wait(look: Callable[[], _State], told: Progress) -> Salvaged:
    while True:
        now = look()
        if now.trouble:
            raise SalvageImpossible(now.trouble, why=now.trouble)
        told(now.seen, now.whole)
        if now.stage == "done":
            return Salvaged(now.rows, now.lost)


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[Queue, QueueFile]]:
    """The queue with its writer, for the time that no agent runs. Raises QueueLocked."""
    who = identity.load(folder)
    file = QueueFile(folder / "queue.db", Keyring(identity.data_keys(folder)))
    queue = open_queue(file.path, SystemClock(), Claimed(who.device, who.epoch) if who else None, keys=file.keys)
    stop = threading.Event()
    ended: Future[None] = Future()

    def write() -> None:
        try:
            queue.run(stop)
            ended.set_result(None)
        except TillmateError as error:
            ended.set_exception(error)

    writer = threading.Thread(target=write, name="queue")
    writer.start()
    try:
        yield queue, file
    finally:
        stop.set()
        writer.join()
    ended.result()


class _Nobody:
    """Nobody is to be told: the command says it itself."""

    def room(self, room: Room) -> None:
        """Nothing."""

    def new_epoch(self, reason: Reason) -> None:
        """Nothing."""

    def salvaging(self, file: str, seen: int, whole: int, now: Standing) -> None:
        """Nothing."""

    def unsalvaged(self, file: str, why: str) -> None:
        """Nothing."""

    def damaged(self, rows: int) -> None:
        """Nothing."""
