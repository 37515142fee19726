"""What a printer says back, and what to ask it and to tell it.

Replies come on one line without frames and in any mixture: answers to DLE EOT, the answer to GS r (the fence: a printer
sends it when everything before it is on the paper) or to GS ( H (the same, with the id of the job), automatic status (ASB)
at any moment, texts, XON and XOFF in between. They are told apart by their fixed bits alone. All DLE EOT answers look
alike, so `Replies` must be told what was asked.

    replies = Replies()
    replies.asked(2, 4)
    printer.write(ASK_OFFLINE + ASK_PAPER, timeout)
    answers = replies.feed(printer.read(timeout))    # [Answer(2, 0x12), Answer(4, 0x12)]
    condition({answer.query: answer.bits ...}).problem     # None: ready
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ASK_PRINTER, ASK_OFFLINE, ASK_ERROR, ASK_PAPER = (b"\x10\x04" + bytes([query]) for query in (1, 2, 3, 4))
"""DLE EOT 1 to 4: obeyed at once, also off-line and in the middle of a job."""

FENCE = b"\x1dr\x01"
"""GS r 1: answered with a `Fence` in order with the data, so never while the printer holds a job."""

ASK_NAME = b"\x1dIC"
"""GS I 67: answered with a `Block` of the model's name, in order with the data."""

AUTOMATIC_ON = b"\x1da\x0e"
"""GS a: `Automatic` now and at each change of line, error and paper, until ESC @ or the power switches it off."""

CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 8: throws away what was received and not printed, obeyed at once; answered with `Cleared` by those that know it."""

RECOVER, RECOVER_AND_CLEAR = b"\x10\x05\x01", b"\x10\x05\x02"
"""DLE ENQ: after a recoverable error go on from the failed line, or throw away what was not printed. No answer."""

Problem = Literal["paper_out", "cover_open", "cutter", "overheated", "error", "offline"]

_XON, _XOFF = 0x11, 0x13
_BLOCK_STARTS = frozenset({0x37, 0x3B, 0x3D, 0x5F})
_BLOCK_LIMIT = 256
_PRINTED, _CLEARED = b"7\x22", b"7\x25"


def job_id_command(job: bytes) -> bytes:
    """GS ( H, function 48: answered with `Printed(job)` when all data before it is printed. Four bytes of 20..7E hex."""
    if len(job) != 4 or not all(0x20 <= byte <= 0x7E for byte in job):
        raise ValueError(f"a job id is four bytes of printable ASCII, not {job!r}")
    return b"\x1d(H\x06\x0000" + job


@dataclass(frozen=True, slots=True)
class Answer:
    """To DLE EOT `query`; None when nothing was asked."""

    query: int | None
    bits: int


@dataclass(frozen=True, slots=True)
class Fence:
    """To GS r: all data before it has been printed."""

    bits: int


@dataclass(frozen=True, slots=True)
class Automatic:
    """Automatic status, four bytes."""

    bits: bytes


@dataclass(frozen=True, slots=True)
class Printed:
    """To GS ( H: all data before the command with this id has been printed."""

    job: bytes


@dataclass(frozen=True, slots=True)
class Cleared:
    """To DLE DC4 8: the buffers are empty."""


@dataclass(frozen=True, slots=True)
class Block:
    """Any other text, without its NUL: `5F` maker and model."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Flow:
    """XON (go on) or XOFF (stop sending)."""

    go_on: bool


Reply = Answer | Fence | Printed | Cleared | Automatic | Block | Flow


class Replies:
    """Sorts the bytes from a printer; they may arrive in any pieces."""

    def __init__(self) -> None:
        self._asked: deque[int] = deque()
        self._partial = bytearray()  # of an automatic status or a block

    def asked(self, *queries: int) -> None:
        """Note the DLE EOT numbers just sent. Older ones without an answer are given up."""
        self._asked = deque(queries)

    def feed(self, chunk: bytes) -> list[Reply]:
        """The replies that are complete now."""
        return [reply for byte in chunk if (reply := self._take(byte)) is not None]

    def _take(self, byte: int) -> Reply | None:
        if byte in (_XON, _XOFF):
            return Flow(byte == _XON)
        if self._partial and self._partial[0] in _BLOCK_STARTS and not _begins_status(byte):
            return self._block(byte)
        if byte & 0x93 == 0x12:
            if self._partial and self._partial[0] in _BLOCK_STARTS:
                self._partial.clear()
            return Answer(self._asked.popleft() if self._asked else None, byte)
        if self._partial and self._partial[0] not in _BLOCK_STARTS and byte & 0x90 == 0:
            return self._automatic(byte)
        self._partial.clear()
        if byte & 0x93 == 0x10 or byte in _BLOCK_STARTS:
            self._partial.append(byte)
            return None
        return Fence(byte) if byte & 0x90 == 0 else None

    def _automatic(self, byte: int) -> Automatic | None:
        self._partial.append(byte)
        if len(self._partial) < 4:
            return None
        whole = Automatic(bytes(self._partial))
        self._partial.clear()
        return whole

    def _block(self, byte: int) -> Reply | None:
        if byte != 0:
            self._partial.append(byte)
        if byte != 0 and len(self._partial) < _BLOCK_LIMIT:
            return None
        content = bytes(self._partial)
        self._partial.clear()
        if content.startswith(_PRINTED) and len(content) == len(_PRINTED) + 4:
            return Printed(content[len(_PRINTED) :])
        return Cleared() if content == _CLEARED else Block(content)


def _begins_status(byte: int) -> bool:
    """A control byte that no text holds: the block it stands in was cut off, as by a loss of power."""
    return 0 < byte < 0x20 and byte & 0x93 in (0x10, 0x12)


@dataclass(frozen=True, slots=True)
class Condition:
    """How the printer is. `paper_low` prints on, but the cashier should know."""

    offline: bool = False
    cover_open: bool = False
    paper_out: bool = False
    paper_low: bool = False
    cutter: bool = False
    overheated: bool = False
    error: bool = False

    @property
    def problem(self) -> Problem | None:
        """What keeps it from printing, the one that a person should mend first; None = ready."""
        if self.cover_open:
            return "cover_open"
        if self.paper_out:
            return "paper_out"
        if self.cutter:
            return "cutter"
        if self.overheated:
            return "overheated"
        if self.error:
            return "error"
        return "offline" if self.offline else None


def automatic_condition(status: Automatic) -> Condition:
    """From an automatic status, which tells all at once."""
    line, error, paper = status.bits[0], status.bits[1], status.bits[2]
    return Condition(
        offline=bool(line & 0x08),
        cover_open=bool(line & 0x20),
        paper_out=bool(paper & 0x0C),
        paper_low=bool(paper & 0x03),
        cutter=bool(error & 0x08),
        overheated=bool(error & 0x40),
        error=bool(error & 0x24),
    )


def condition(answers: Mapping[int, int]) -> Condition:
    """From the bits of any of the DLE EOT answers, by query."""
    printer, offline, error, paper = (answers.get(query, 0) for query in (1, 2, 3, 4))
    return Condition(
        offline=bool(printer & 0x08),
        cover_open=bool(offline & 0x04),
        paper_out=bool(offline & 0x20) or bool(paper & 0x60),
        paper_low=bool(paper & 0x0C),
        cutter=bool(error & 0x08),
        overheated=bool(error & 0x40),
        error=bool(offline & 0x40) or bool(error & 0x24),
    )
