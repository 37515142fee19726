"""What differs between printer models, as data: one TOML file for each in `profiles/`.

A wrong slot number prints rubbish that no program can see, so the files say where their numbers come from.
"""

from __future__ import annotations

import difflib
import tomllib
from importlib import resources
from typing import Annotated, Literal

import msgspec

CELL_WIDTH, CELL_HEIGHT = 12, 24  # dots of one letter of font A


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code page the printer has: its Python codec and the number that ESC t takes for it."""

    codec: str
    slot: Annotated[int, msgspec.Meta(ge=0, le=255)]

    def __post_init__(self) -> None:
        try:
            "".encode(self.codec)
        except LookupError as error:
            raise ValueError(f"unknown codec {self.codec!r}") from error


class Size(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paper of one width: dots that the head prints and letters of font A on a line."""

    dots: Annotated[int, msgspec.Meta(ge=CELL_WIDTH, le=2040)]
    columns: Annotated[int, msgspec.Meta(ge=16, le=160)]

    def __post_init__(self) -> None:
        if self.area > self.dots:
            raise ValueError(f"{self.columns} columns of {CELL_WIDTH} dots do not fit into {self.dots} dots")

    @property
    def area(self) -> int:
        """Dots that our lines take; the rest of the head stays white."""
        return self.columns * CELL_WIDTH


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One printer model."""

    title: str
    pages: Annotated[tuple[Page, ...], msgspec.Meta(min_length=1)] = msgspec.field(name="page")  # the best first
    paper: dict[str, Size]  # by paper width in mm
    native_qr: bool
    cutter: Literal["partial", "full", "none"]
    positions: bool = True  # obeys ESC $
    leaves_chinese_mode: bool = False  # must be told FS . first
    module: Annotated[int, msgspec.Meta(ge=4, le=8)] = 6  # dots of one QR module, where the paper has room

    def size(self, width_mm: int) -> Size:
        """Raises LookupError when the model does not take this paper."""
        if str(width_mm) not in self.paper:
            raise LookupError(f"{self.title}: no {width_mm} mm paper, only {', '.join(sorted(self.paper))} mm")
        return self.paper[str(width_mm)]


class ProfileError(ValueError):
    """A profile file that is not one; says what and where."""


def profile_names() -> list[str]:
    """The profiles that are shipped."""
    return sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml"))


def load_profile(name: str) -> Profile:
    """The shipped profile `name`. Raises LookupError, with the nearest name."""
    if name not in (names := profile_names()):
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise LookupError(f"no printer profile {name!r}; {hint}")
    return read_profile((_FOLDER / f"{name}.toml").read_text("utf-8"))


def read_profile(text: str) -> Profile:
    """A profile from the text of its file. Raises ProfileError."""
    try:
        return msgspec.convert(tomllib.loads(text), Profile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ProfileError(str(error)) from error


_FOLDER = resources.files("drivers.printers.escpos") / "profiles"
