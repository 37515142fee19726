"""`tillmate simulate printer` takes what the virtual printer can be told to be."""

from dataclasses import fields

import pytest
from click.testing import CliRunner

from agent.cli import main
from drivers.virtual.options import Options


def test_each_documented_field_is_an_option() -> None:
    helped = CliRunner().invoke(main, ["simulate", "printer", "--help"]).output
    assert [f"--{each.name} " in helped for each in fields(Options)] == [
        "doc" in each.metadata for each in fields(Options)
    ]
    assert "all|no_ids|status_only|none" in helped


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--family", "abacus"], "no slots known of 'abacus'"),
        (["--buffer", "0"], "buffer: 0 is less than 1"),
        (["--flow", "smoke"], "'smoke' is not one of"),
        (["--control", "here"], "here is no HOST:PORT"),
    ],
)
def test_a_printer_that_cannot_be_is_refused(words: list[str], said: str) -> None:
    ended = CliRunner().invoke(main, ["simulate", "printer", *words])
    assert (ended.exit_code, said in ended.stderr) == (2, True)
