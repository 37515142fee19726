"""The retailer's own templates: read once from a folder, put before ours, and never a reason to stop a sale.

FOLDER/ru/sale.receipt    instead of our `sale` in Russian
FOLDER/ru/head.part       instead of the head of all of our Russian slips
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final

from loyalty.errors import TillmateError
from loyalty.i18n import LANGUAGES, Language
from receipt_templates.document import Document
from receipt_templates.templates import TemplateError, render

log = logging.getLogger(__name__)

MOST_BYTES: Final = 64 * 1024
"""Of one file; a receipt of a few hundred lines has less."""

SUFFIXES: Final = (".receipt", ".part")

Own = Mapping[str, str]
"""Texts by their names, like `ru/sale.receipt`."""


class TemplatesUnreadable(TillmateError):
    """The folder, or a file in it, cannot be read."""

    code: ClassVar[str] = "templates_unreadable"


class TemplateNotUtf8(TemplatesUnreadable):
    """A file is in another encoding."""

    code: ClassVar[str] = "template_not_utf8"


def read_templates(folder: Path) -> dict[str, str]:
    """All templates and parts of the folder. Raises TemplatesUnreadable."""
    with _said_of(folder):
        there = {path.name for path in folder.iterdir()}
    return {
        f"{language}/{file.name}": _text(file)
        for language in LANGUAGES
        if language in there
        for file in _files(folder / language)
    }


def _files(folder: Path) -> list[Path]:
    with _said_of(folder):
        return sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)


def _text(file: Path) -> str:
    with _said_of(file):
        if not file.is_file():
            raise OSError("not a file")
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise OSError(f"more than {MOST_BYTES} bytes")
        return _decoded(file, content)


def _decoded(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TemplateNotUtf8(f"{file}, line {line}: not UTF-8", path=str(file), line=line) from error


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    """What goes wrong within is a TemplatesUnreadable about that path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise TemplatesUnreadable(f"{path}: {reason}", path=str(path), reason=reason) from error


class Slips:
    """Fills templates in, for the tills; the retailer's first. Any thread may call it."""

    def __init__(self, own: Own, spoilt: Callable[[str, Exception], None]) -> None:
        self._own = own
        self._spoilt = spoilt
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def __call__(self, name: str, language: Language, fields: Mapping[str, object]) -> Document:
        """The slip. One of the retailer's that cannot be filled in is told once, and ours is taken."""
        if not self._own:
            return render(name, language, fields)
        try:
            return render(name, language, fields, self._own.get)
        except TemplateError as error:
            self._tell(f"{language}/{name}.receipt", error)
        return render(name, language, fields)

    def _tell(self, template: str, error: Exception) -> None:
        with self._lock:
            first = template not in self._told
            self._told.add(template)
        if first:
            log.warning("receipt template=%s not_used error=%s", template, error)
            self._spoilt(template, error)
