"""The texts that a customer agrees to: each purpose its own document, each change a new version.

They ship as `texts/<language>/<purpose>.<version>.txt` beside this file: title, empty line, paragraphs. A retailer puts
his own, with his name and address and a higher version, into a folder of the same shape; old versions stay readable.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loyalty.i18n import LANGUAGES, Language

Purpose = Literal["personal_data", "advertising"]

PURPOSES: tuple[Purpose, ...] = ("personal_data", "advertising")

_SHIPPED = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Wording:
    """One document in one language, exactly as it is shown."""

    purpose: Purpose
    version: int
    language: Language
    title: str
    paragraphs: tuple[str, ...]
    sha256: str


class Wordings:
    """All documents, read once."""

    def __init__(self, own: Path | None = None) -> None:
        found = _read(_SHIPPED)
        if own is not None and own.is_dir():
            found |= _read(own)
        self._found = found

    def current(self) -> int:
        """Return the newest version that every purpose has in every language."""
        versions = [
            {version for p, version, lang in self._found if (p, lang) == (purpose, language)}
            for purpose in PURPOSES
            for language in LANGUAGES
        ]
        return max(set.intersection(*versions))

    def find(self, purpose: str, version: int, language: str) -> Wording | None:
        """Return the document."""
        return self._found.get((purpose, version, language))


def _read(folder: Path) -> dict[tuple[str, int, str], Wording]:
    found: dict[tuple[str, int, str], Wording] = {}
    for language in LANGUAGES:
        for purpose in PURPOSES:
            for path in sorted((folder / language).glob(f"{purpose}.*.txt")):
                named = re.fullmatch(r"[a-z_]+\.([1-9][0-9]{0,5})\.txt", path.name)
                if named:
                    wording = _wording(path, purpose, int(named[1]), language)
                    found[purpose, wording.version, language] = wording
    return found


def _wording(path: Path, purpose: Purpose, version: int, language: Language) -> Wording:
    text = path.read_text(encoding="utf-8")
    title, *paragraphs = (part.strip() for part in re.split(r"\n\s*\n", text.strip()))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Wording(purpose, version, language, title, tuple(" ".join(part.split()) for part in paragraphs), digest)
