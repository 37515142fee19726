"""What differs between printer models, as data: one TOML file for each in `profiles/`.

The files are made by `generate_profiles` from the printer database that other ESC/POS libraries share too (see NOTICE). A
wrong slot number prints rubbish that no program can see; a store whose printer lies about its slots keeps a profile of
its own in a folder, which goes before ours.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec.structs import force_setattr

CELL_WIDTH, SMALL_WIDTH = 12, 9  # dots of one letter of font A and of font B

_USUAL_CODECS = frozenset(
    {"cp1251", "cp866", "cp1125", "kz1048", "cp855", "cp1252", "cp858", "cp850", "cp437", "ascii"}
)


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code page the printer has: its Python codec and the number that ESC t takes for it."""

    codec: str
    slot: Annotated[int, msgspec.Meta(ge=0, le=255)]

    def __post_init__(self) -> None:
        if self.codec in _USUAL_CODECS:  # not looked up, so that a job loads only its own
            return
        try:
            "".encode(self.codec)
        except LookupError as error:
            raise ValueError(f"unknown codec {self.codec!r}") from error


class Size(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paper of one width: dots that the head prints, letters of font A on a line, and of font B (as many: there is none)."""

    dots: Annotated[int, msgspec.Meta(ge=CELL_WIDTH, le=2040)]
    columns: Annotated[int, msgspec.Meta(ge=16, le=160)]
    small_columns: Annotated[int, msgspec.Meta(ge=0, le=240)] = 0

    def __post_init__(self) -> None:
        if self.area > self.dots:
            raise ValueError(f"{self.columns} columns of {CELL_WIDTH} dots do not fit into {self.dots} dots")
        if self.small_columns < self.columns:
            force_setattr(self, "small_columns", self.columns)

    @property
    def area(self) -> int:
        """Dots that lines of letters of 12 dots take; the rest of the head stays white."""
        return self.columns * CELL_WIDTH


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One printer model."""

    title: str
    pages: Annotated[tuple[Page, ...], msgspec.Meta(min_length=1)] = msgspec.field(name="page")  # the best first
    paper: Annotated[dict[str, Size], msgspec.Meta(min_length=1)]  # by paper width in mm
    native_qr: bool
    cutter: Literal["partial", "full", "none"]
    head: Annotated[int, msgspec.Meta(ge=0, le=2040)] = 0  # dots of the head where it is wider than the paper
    positions: bool = True  # obeys ESC $, and its letters are 12 and at most 9 dots wide
    leaves_chinese_mode: bool = False  # must be told FS . first
    user_glyphs: bool = False  # takes letters of 12x24 dots by ESC &
    barcodes: bool = True  # draws them itself, by GS k
    pictures: bool = True  # takes GS v 0
    job_numbers: bool = False  # tells by GS ( H that a job is on the paper, and forgets what it holds on DLE DC4 8
    module: Annotated[int, msgspec.Meta(ge=4, le=8)] = 6  # dots of one QR module, where the paper has room

    def size(self, width_mm: int) -> Size:
        """Raises LookupError when the model does not take this paper."""
        if str(width_mm) not in self.paper:
            raise LookupError(f"{self.title}: no {width_mm} mm paper, only {', '.join(sorted(self.paper))} mm")
        return self.paper[str(width_mm)]

    def limit(self, size: Size) -> int | None:
        """The width in dots that the printer must be told (GS W) so that what it centres stands above our columns."""
        width = size.area if self.positions and size.dots - size.area >= CELL_WIDTH else size.dots
        return width if max(self.head, size.dots) > width else None


class ProfileError(ValueError):
    """A profile file that is not one; says what and where."""


def profile_names(folder: Path | None = None) -> list[str]:
    """The profiles that `load_profile` finds: the shipped ones and those in `folder`."""
    return sorted({*_shipped(), *(_files(folder) if folder else ())}, key=str.lower)


def load_profile(name: str, folder: Path | None = None) -> Profile:
    """The profile `name`, in capital or small letters: out of `folder` if it is there, else the shipped one.

    Raises LookupError, with the nearest name, and ProfileError.
    """
    files = _shipped() | (_files(folder) if folder else {})
    found = {known.lower(): file for known, file in files.items()}.get(name.lower())
    if found is None:
        raise LookupError(_not_found(name, list(files)))
    return _parsed(found, found.stat().st_mtime_ns)


def read_profile(text: str) -> Profile:
    """A profile from the text of its file. Raises ProfileError."""
    try:
        return msgspec.convert(tomllib.loads(text), Profile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ProfileError(str(error)) from error


def _not_found(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    lowered = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), lowered, 1)
    hint = f"did you mean {lowered[near[0]]!r}?" if near else f"there are {', '.join(sorted(known, key=str.lower))}"
    return f"no printer profile {name!r}; {hint}"


def _files(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in folder.glob("*.toml")}


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Path]:
    return _files(Path(__file__).parent / "profiles")


@lru_cache(maxsize=8)
def _parsed(file: Path, _modified: int) -> Profile:
    try:
        return read_profile(file.read_text("utf-8"))
    except ProfileError as error:
        raise ProfileError(f"{file}: {error}") from error
