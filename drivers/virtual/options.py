"""What a virtual printer can be told to be. Light to import: the command line makes its options from the fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from drivers.printers.escpos.slots import slots_of

Answers = Literal["all", "no_ids", "status_only", "none"]
Flow = Literal["hold", "none", "xonxoff", "dtr"]


@dataclass(frozen=True)
class Model:
    """The printer without its cable. Raises ValueError or LookupError for a word that it does not know.

    `answers`: "no_ids" lacks GS ( H, "status_only" answers DLE EOT and nothing else (and lacks DLE DC4 8), "none" is a
    printer on a one-way cable. `chinese`: it starts in the two-byte mode of some clones, until FS . ends it.
    """

    dots: int = field(default=512, metadata={"doc": "width of the head: 512 or 576 for 80 mm paper, 384 for 58 mm"})
    family: str = field(
        default="any", metadata={"doc": "whose code pages: a model's name, or epson, nt-pos, star, rp326, ocd, kr306"}
    )
    chinese: bool = field(default=False, metadata={"doc": "starts in the two-byte mode of Chinese clones"})
    buffer: int = field(default=65536, metadata={"doc": "bytes it holds while it cannot print; a TM-T88III 4096 or 45"})
    speed: int = field(default=0, metadata={"doc": "paper in mm a second; 0 = prints in no time"})
    answers: Answers = field(default="all", metadata={"doc": "what it answers to"})

    def __post_init__(self) -> None:
        _one_of("answers", self.answers, get_args(Answers))
        _at_least("dots", self.dots, 8)
        _at_least("buffer", self.buffer, 1)
        _at_least("speed", self.speed, 0)
        slots_of(self.family)


@dataclass(frozen=True)
class Options(Model):
    """A model, and how it can be reached: on TCP, or with `pty` on a pseudo terminal under that path.

    `flow` is what happens when the buffer is full: "hold" makes the host wait, as TCP and the USB do; the others are
    serial lines, on which bytes that find no room are lost: "none", "xonxoff", "dtr" (told by the control port alone).
    """

    listen: str = field(default="127.0.0.1:0", metadata={"doc": "HOST:PORT; port 0 = any free one"})
    pty: str = field(default="", metadata={"doc": "path of a pseudo terminal to be, instead of a TCP port"})
    control_port: int = 0
    out: str = field(default="", metadata={"doc": "folder for the receipts as PNG and text"})
    flow: Flow = field(default="hold", metadata={"doc": "how it holds the host back when its buffer is full"})
    baud: int = field(default=0, metadata={"doc": "takes baud / 10 bytes a second; 0 = as fast as they come"})

    def __post_init__(self) -> None:
        Model.__post_init__(self)
        _one_of("flow", self.flow, get_args(Flow))
        _at_least("baud", self.baud, 0)


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name}: {value!r} is none of {', '.join(known)}")


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name}: {value} is less than {least}")
