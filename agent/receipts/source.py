"""What the receipt verbs work from: data, templates, profiles and pictures, out of files, each mistake in one sentence."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from agent.config import Config
from agent.receipts.own_templates import Own, read_templates
from drivers.printers.escpos.profile import Profile, ProfileError, load_profile, profile_names
from loyalty.errors import TillmateError
from loyalty.i18n import LANGUAGES, Language, Param, texts
from receipt_templates.document import Document
from receipt_templates.templates import TemplateError, names, render

STANDARD: Final = "-"
"""As the name of a file: standard input or output."""

MOST_BYTES: Final = 1024 * 1024


class BadInput(TillmateError):
    """Something that was given to the verb; `said` is the sentence."""

    code: ClassVar[str] = "bad_input"

    def __init__(self, sentence: str, /, **params: Param) -> None:
        super().__init__(sentence)
        self._sentence, self._params = sentence, params

    def said(self, language: Language) -> str:
        """In words."""
        return texts(f"receipt.{self._sentence}", **self._params)[language]

    def __str__(self) -> str:
        return self.said("en")


@dataclass(frozen=True)
class Source:
    """Where templates and profiles come from, and how slips look."""

    own: Own = field(default_factory=dict)
    profiles: Path | None = None
    logo: Path | None = None
    language: Language = "ru"
    shop: str = ""

    def document(self, name: str, language: Language, data: Mapping[str, object]) -> Document:
        """The slip. Raises BadInput."""
        known(name)
        try:
            return render(name, language, data, self.own.get)
        except TemplateError as error:
            raise BadInput("template", reason=error.said) from error

    def profile(self, name: str) -> Profile:
        """Raises BadInput."""
        try:
            return load_profile(name, self.profiles)
        except LookupError as error:
            raise _unknown("profile_unknown", name, profile_names(self.profiles)) from error
        except (ProfileError, OSError) as error:
            raise BadInput("profile_bad", reason=str(error)) from error


def known(name: str) -> str:
    """The name of a template, if it is one. Raises BadInput."""
    if name not in names():
        raise _unknown("template_unknown", name, names())
    return name


def source_of(config: Config | None, templates: Path | None = None) -> Source:
    """What that config says, or what works without one; `templates` goes before both. Raises TemplatesUnreadable."""
    folder = templates or (Path(config.receipt.templates) if config and config.receipt.templates else None)
    own = read_templates(folder) if folder else {}
    if config is None:
        return Source(own)
    logo = Path(config.receipt.logo) if config.receipt.logo else None
    return Source(own, config.profiles, logo, config.language, config.receipt.shop)


def read_data(file: str) -> dict[str, object]:
    """A JSON object out of that file. Raises BadInput."""
    path = "stdin" if file == STANDARD else file
    try:
        if file == STANDARD:
            text = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                text = opened.read(MOST_BYTES + 1)
        data = json.loads(text) if len(text) <= MOST_BYTES else None  # UTF-8, or UTF-16 as PowerShell writes it
    except OSError as error:
        raise BadInput("file_unreadable", path=path, reason=error.strerror or str(error)) from error
    except json.JSONDecodeError as error:
        raise BadInput("not_json", path=path, line=error.lineno, reason=error.msg) from error
    except UnicodeDecodeError as error:
        raise BadInput("not_utf8", path=path) from error
    except (ValueError, RecursionError) as error:
        raise BadInput("not_json", path=path, line=1, reason="too long a number, or nested too deeply") from error
    if len(text) > MOST_BYTES:
        raise BadInput("file_large", path=path, limit=MOST_BYTES)
    if not isinstance(data, dict):
        raise BadInput("not_object", path=path)
    return data


def take_language(data: dict[str, object]) -> Language | None:
    """The language that the data itself names, taken out of it. Raises BadInput."""
    told = data.pop("language", None)
    for language in LANGUAGES:
        if told == language:
            return language
    if told is not None:
        raise BadInput("language_unknown", told=str(told))
    return None


def as_json(value: object) -> bytes:
    """As people read it."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"


def write(file: str, content: bytes) -> None:
    """As it is, whatever the terminal takes for its encoding. Raises BadInput."""
    if file == STANDARD:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        Path(file).write_bytes(content)
    except OSError as error:
        raise BadInput("file_unwritable", path=file, reason=error.strerror or str(error)) from error


def _unknown(sentence: str, name: str, there: Collection[str]) -> BadInput:
    lowered = {each.lower(): each for each in there}
    near = difflib.get_close_matches(name.lower(), lowered, n=1)
    if near:
        return BadInput(f"{sentence}_near", name=name, near=lowered[near[0]])
    return BadInput(sentence, name=name, known=", ".join(there))
