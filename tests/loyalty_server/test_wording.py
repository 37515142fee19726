"""Consent texts: a retailer's own newer version counts once it is whole, and old ones stay readable."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from loyalty.i18n import LANGUAGES
from loyalty_server.enrolment.wording import PURPOSES, Wordings

TEXT = "Title\n\nFirst\nparagraph.\n\nSecond.\n"


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(TEXT, encoding="utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_each_purpose_has_a_text_in_each_language(purpose: str, language: str) -> None:
    wording = Wordings().find(purpose, 1, language)
    assert wording is not None
    assert len(wording.title) > 10
    assert len(wording.paragraphs) >= 3
    assert "\n" not in "".join(wording.paragraphs)


def test_the_shipped_version_is_the_current_one(tmp_path: Path) -> None:
    assert Wordings().current() == 1
    assert Wordings(tmp_path / "nothing").current() == 1


def test_a_retailers_own_text_takes_over_when_it_is_whole(tmp_path: Path) -> None:
    names = [f"{language}/{purpose}.2.txt" for language in LANGUAGES for purpose in PURPOSES]
    write(tmp_path, *names[:-1])
    assert Wordings(tmp_path).current() == 1
    write(tmp_path, names[-1])
    wordings = Wordings(tmp_path)
    assert wordings.current() == 2
    own = wordings.find("advertising", 2, "ru")
    assert own is not None
    assert (own.title, own.paragraphs) == ("Title", ("First paragraph.", "Second."))
    assert own.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert wordings.find("advertising", 1, "ru") == Wordings().find("advertising", 1, "ru")


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "ru/advertising.x.txt", "ru/advertising.0.txt", "ru/readme.txt", "de/advertising.3.txt")
    wordings = Wordings(tmp_path)
    assert wordings.current() == 1
    assert [wordings.find("advertising", version, "ru") for version in (0, 3)] == [None, None]
