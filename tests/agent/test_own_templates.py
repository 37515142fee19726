"""The retailer's own templates: read from a folder, put before ours, and never a reason to stop a sale."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.receipts.own_templates import MOST_BYTES, Slips, TemplatesUnreadable, read_templates
from receipt_templates.layout import slip_lines
from receipt_templates.templates import TemplateError, render

DATA = {"pay": "500,00 руб."}


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_templates_and_parts_of_both_languages_are_read_and_nothing_else(tmp_path: Path) -> None:
    for name in ("ru/sale.receipt", "en/head.part", "ru/notes.txt", "de/sale.receipt", "sale.receipt"):
        write(tmp_path, name, f"\ufeff{name}")
    assert read_templates(tmp_path) == {"ru/sale.receipt": "ru/sale.receipt", "en/head.part": "en/head.part"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xd0\x90\n\xff\xfe", "line 2: not UTF-8"), (b"x" * (MOST_BYTES + 1), "more than"), (None, "No such file")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    folder = tmp_path / "own"
    if content is not None:
        (folder / "ru").mkdir(parents=True)
        (folder / "ru/sale.receipt").write_bytes(content)
    with pytest.raises(TemplatesUnreadable, match=reason) as failed:
        read_templates(folder)
    assert str(failed.value.params["path"]).startswith(str(folder))


@pytest.mark.parametrize("name", ["ru", "ru/sale.receipt"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(TemplatesUnreadable, match=f"{name}: [Nn]ot a "):
        read_templates(tmp_path)


def test_a_broken_template_is_told_once_and_ours_is_taken() -> None:
    told: list[tuple[str, str]] = []
    own = {"ru/sale.receipt": "{{ shoop }}\n", "en/sale.receipt": "Own {{ pay }}\n"}
    slips = Slips(own, lambda name, error: told.append((name, str(error))))
    for _ in range(3):
        assert slips("sale", "ru", DATA) == render("sale", "ru", DATA)
    assert told == [("ru/sale.receipt", "ru/sale.receipt, line 1: unknown name 'shoop'; did you mean 'shop'?")]
    assert slip_lines(slips("sale", "en", DATA), 42) == ["Own 500,00 руб."]


def test_a_mistake_of_the_caller_is_no_mistake_of_the_template() -> None:
    with pytest.raises(TemplateError, match="earnd"):
        Slips({}, lambda *_: None)("sale", "ru", {**DATA, "earnd": "5"})
