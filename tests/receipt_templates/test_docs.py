"""docs/receipts.md tells of every template, and of every field as it is declared."""

import runpy
from pathlib import Path

from receipt_templates.dialect import FILTERS
from receipt_templates.markup import parse
from receipt_templates.templates import names

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "receipts.md").read_text("utf-8")


def test_the_tables_of_fields_are_those_of_the_declaration() -> None:
    """`python docs/receipts.py` writes them anew."""
    assert runpy.run_path(str(DOCS / "receipts.py"))["field_tables"]() in PAGE


def test_every_template_has_its_pictures() -> None:
    for name in names():
        assert f"pictures/receipts/{name}-" in PAGE or name == "enrolment"
        for language in ("ru", "en"):
            for width in (58, 80):
                assert (DOCS / "pictures" / "receipts" / f"{name}-{language}-{width}.png").is_file()


def test_the_commands_and_filters_are_told() -> None:
    for command in ("{qr A}", "{barcode code128 A}", "{progress 4000}", "{stamps 4 6}", "{logo}", "{feed 3}"):
        assert parse(command, "en").elements
        assert command.split()[0].strip("{}") in PAGE
    told = PAGE.partition("values know the filters ")[2].partition(".")[0]
    assert FILTERS - {"d", "count"} == {word.strip("`\n ") for word in told.replace(" and ", ",").split(",")}
