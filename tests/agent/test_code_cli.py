"""`tillmate code`: a line out for each line in, at once, and words for people."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.verbs.code import answers

RULES = {"member_card": [{"pattern": "29xxxxxxxxxxC"}]}
CONFIG = """
[server]
url = "https://loyalty.example.org"
[codes]
member_card = [{ pattern = "29xxxxxxxxxxC" }]
[[till]]
id = "1"
"""


def ask(*questions: object) -> list[dict[str, object]]:
    lines = [json.dumps(each).encode() if not isinstance(each, bytes) else each for each in questions]
    return [json.loads(answer) for answer in answers(lines)]


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["code", *words])


def test_an_answer_has_class_fields_aim_and_why() -> None:
    assert ask({"input": "]E02900000000018", "config": RULES}) == [
        {
            "class": "member_card",
            "fields": {"card": "2900000000018"},
            "aim": "]E0",
            "why": ["AIM id ]E0: ean", "rule member_card[0] matches"],
        }
    ]


def test_input_is_bytes_as_latin_1_characters() -> None:
    bytes_of_a_wedge = "СДГИ-1".encode().decode("latin-1")
    (wedge, scanner, typed, as_it_is) = ask(
        {"input": bytes_of_a_wedge, "channel": "wedge_text"},
        {"input": "Ïðèâåò", "channel": "serial"},
        {"input": "8 (912) 345-67-89", "channel": "keypad", "config": None},
        {"input": "СДГИ-1", "channel": "wedge_text"},  # no Latin-1 at all: taken as it is
    )
    assert wedge["fields"] == {"text": "CLUB-1", "encoding": "utf-8", "recovered": "CLUB-1", "layout": "ru"}
    assert scanner["fields"] == {"text": "Привет", "encoding": "windows-1251"}
    assert typed["fields"]["e164"] == "+79123456789"
    assert as_it_is == wedge


def test_now_is_unix_seconds_and_the_clock_when_it_is_missing() -> None:
    wallet = {
        "wallet_template": "{id}-{totp_timestamp_seconds}-{totp_value_0}",
        "key_hex": b"12345678901234567890".hex(),
        "digits": 8,
    }
    code = {"input": "7-59-94287082", "config": wallet}
    fresh, fraction, now = ask({**code, "now": 59}, {**code, "now": 59.9}, code)
    assert fresh["fields"] == {"id": "7", "timestamp": 59, "otp_ok": True}
    assert fraction == fresh
    assert now["class"] == "rejected_rotating"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"not json",
        b"[]",
        b"{}",
        b'{"input": 5}',
        b'{"input": "1", "channel": "fax"}',
        b'{"input": "1", "now": "today"}',
        b'{"input": "1", "now": 1e999}',
        b'{"input": "1", "more": 1}',
        b'{"input": "1", "config": []}',
        b'{"input": "1", "config": {"member_cards": []}}',
        b'{"input": "1", "config": {"member_card": [{"regex": "("}]}}',
        b'{"input": "\xff"}',
        b"[" * 100_000,
        b'{"input": "1", "config": ' + b"[" * 100_000,
    ],
)
def test_a_line_that_cannot_be_read_is_answered_and_the_next_one_taken(line: bytes) -> None:
    error, good = ask(line, {"input": "96385074"})
    assert error.keys() == {"error"}
    assert good["class"] == "product"


def test_each_answer_comes_before_the_next_question() -> None:
    start = "from agent.cli import main; main()"
    command = [sys.executable, "-c", start, "code", "--json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for code in ("96385074", "hello"):
            process.stdin.write(json.dumps({"input": code}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["class"] in ("product", "text")
        process.stdin.close()
        assert process.wait(10) == 0


def test_people_get_words(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, encoding="utf-8")
    result = run("2900000000018", "]E496385074", "--config", str(path))
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "member_card  (13 characters)",
        "  card = 2900000000018",
        "  - rule member_card[0] matches",
        "product ]E4  (11 characters)",
        "  gtin = 00000096385074",
        "  format = EAN-8",
        "  restricted = False",
        "  check_ok = True",
        "  - AIM id ]E4: ean",
        "  - no rule of the site matches",
        "  - 8 digits, check digit right: product",
    ]


def test_without_a_config_there_are_no_rules() -> None:
    result = CliRunner().invoke(main, ["--config", "/nowhere/config.toml", "code", "2900000000018"])
    assert result.exit_code == 0
    assert "no rules" in result.stderr
    assert "instore_number" in result.stdout


def test_a_config_with_mistakes_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.replace("29xxxxxxxxxxC", "29yy"), encoding="utf-8")
    result = run("2900000000018", "--config", str(path))
    assert result.exit_code == 78
    assert "codes.member_card[0]" in result.stderr


def test_a_code_is_needed() -> None:
    assert run().exit_code == 2


def test_json_reads_standard_input_to_its_end() -> None:
    result = CliRunner().invoke(main, ["code", "--json"], input='{"input": "96385074"}\n{"input": ""}')
    assert [json.loads(line)["class"] for line in result.stdout.splitlines()] == ["product", "unknown"]
    assert result.exit_code == 0
