"""`tillmate programme ...` and `tillmate quote` as people and scripts call them: exact output, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from loyalty.schema import programme_schema

Json = dict[str, Any]
Call = Callable[..., Result]

PROGRAMME = """
[programme]
id = "club"
revision = 7
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
[earn]
rate_bp = 100
[redeem]
cap_bp = 5000
[[tier]]
id = "basic"
name = { ru = "Базовый", en = "Basic" }
[[tier]]
id = "silver"
any_of = [
  { counter = "purchases", period = "lifetime", at_least = 5 },
  { counter = "turnover", period = "lifetime", at_least = 1000000 },
]
[[stamp_card]]
id = "spa"
buy = 1
free = 1
on = { categories = ["spa"] }
[[offer]]
id = "tenth"
name = { ru = "Скидка дня", en = "Deal of the day" }
give = { discount_bp = 1000 }
when = { coupon = "LATTE" }
[[offer]]
id = "toy"
give = { gift = { what = "фигурка", for_each = 50000 } }
[[offer]]
id = "wheel"
give = { slip = "wheel" }
"""
AT = "2026-12-12T12:00:00+03:00"
CASE: Json = {
    "at": AT,
    "redeem": 10,
    "member": {
        "balance": 300, "as_of": AT, "coupons": ["LATTE"], "stamps": {"spa": 0},
        "counters": {"purchases": {"lifetime": 3}, "turnover": {"lifetime": 412000}},
    },
    "basket": {
        "lines": [
            {"sku": "1", "name": "Кофе [red]", "sum": 50000},
            {"sku": "2", "name": "Маска\x1b[2J", "categories": ["spa"], "quantity": 2000, "sum": 20000},
            {"sku": "3", "quantity": 1250, "sum": 1000},
        ]
    },
    "returns": [{"lines": [0]}, {"units": [[1, 1]]}],
}  # fmt: skip


@pytest.fixture
def call(tmp_path: Path) -> Call:
    (tmp_path / "club.toml").write_text(PROGRAMME, encoding="utf-8")
    (tmp_path / "one.json").write_text(json.dumps(CASE), encoding="utf-8")
    (tmp_path / "guest.json").write_text(
        json.dumps({"at": AT, "basket": {"lines": [{"sum": 20000}]}}), encoding="utf-8"
    )
    (tmp_path / "bad.json").write_text(json.dumps(CASE | {"redeem": 5000}), encoding="utf-8")

    def run(*words: str) -> Result:
        placed = [str(tmp_path / word) if (tmp_path / word).exists() or "." in word else word for word in words]
        result = CliRunner().invoke(main, placed)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return run


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_one_line_of_json_for_each_case_in_order(call: Call) -> None:
    result = call("quote", "club.toml", "one.json", "guest.json")
    assert result.exit_code == 0
    one, guest = map(json.loads, result.stdout.splitlines())
    assert (one["pay"], one["redeemed"], one["coupons_used"]) == (53_900, 10, ["LATTE"])
    assert [list(each) for each in one["returns"]] == [["refund", "points_back", "clawback", "balance_after"]] * 2
    assert list(one)[:6] == ["total", "discount", "line_discounts", "max_redeem", "redeemed", "line_redeemed"]
    assert (guest["pay"], guest["tier"], guest["stamps_after"]) == (20_000, None, {})
    assert not {"returns", "lots_after", "fiscal_lines"} & set(guest)


def test_a_refused_case_is_a_line_too_and_the_command_fails_at_the_end(call: Call) -> None:
    result = call("quote", "club.toml", "bad.json", "missing.json", "guest.json")
    assert result.exit_code == 1
    bad, missing, guest = map(json.loads, result.stdout.splitlines())
    assert list(bad) == ["error"]
    assert {key: bad["error"][key] for key in ("code", "at", "most")} == {
        "code": "redeem_above_most",
        "at": "redeem",
        "most": 274,
    }
    assert set(bad["error"]["text"]) == {"ru", "en"}
    assert missing["error"]["code"] == "case_unreadable"
    assert guest["pay"] == 20_000


def test_a_programme_with_mistakes_answers_nothing(call: Call, tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text(PROGRAMME.replace("rate_bp = 100\n", "rate_bp = 10001\nx = 1\n", 1))
    result = call("quote", "broken.toml", "one.json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"], error["at"]) == (1, "programme", "earn.rate_bp")
    assert [each["at"] for each in error["mistakes"]] == ["earn.rate_bp", "earn.x"]


def test_json_and_toml_are_the_same_programme(call: Call, tmp_path: Path) -> None:
    from loyalty.programme import load, to_json

    (tmp_path / "club.json").write_bytes(to_json(load(PROGRAMME, "toml")))
    assert call("quote", "club.json", "one.json").stdout == call("quote", "club.toml", "one.json").stdout


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("ru", ["Кофе [red]", "Маска [2J", "итого", "«Скидка дня»: скидка 10 %", "«spa»: бесплатно 1 штука", "Базовый",
                "фигурка: 1", "wheel: wheel", "LATTE", "1.25", "возврат денег", "silver: 1 покупка", "spa: 0"]),
        ("en", ["total", "Deal of the day: 10% off", "spa: 1 unit free", "Basic", "refund", "to the next level"]),
    ],
)  # fmt: skip
def test_explained_as_a_receipt(call: Call, language: str, said: list[str]) -> None:
    result = call("quote", "club.toml", "one.json", "--explain", "--language", language)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    shown = plain(result.stdout)
    assert [word for word in said if word not in shown] == []


def test_a_receipt_without_a_card_and_a_refusal_are_explained(call: Call) -> None:
    result = call("quote", "club.toml", "guest.json", "bad.json", "--explain")
    assert result.exit_code == 1
    assert "с картой начислили бы" in result.stdout
    assert "redeem: Можно списать не больше чем 274 бонуса." in plain(result.stdout)


def test_a_receipt_on_which_nothing_is_given_has_no_reasons(call: Call, tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(json.dumps({"at": AT, "basket": {"lines": [{"sum": 1}]}}))
    assert "почему" not in call("quote", "club.toml", "tiny.json", "--explain").stdout


def test_a_sound_programme(call: Call) -> None:
    result = call("programme", "check", "club.toml")
    assert (result.exit_code, result.stdout.endswith("club.toml: ошибок нет.\n")) == (0, True)


WRONG = PROGRAMME.replace("revision = 7", "revision = 0").replace("[earn]\n", '[earn]\nstep = "5"\n')


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "ru",
            ["programme.revision: должно быть от 1 до 1000000000", "earn.step: ожидается целое число, а здесь текст"],
        ),
        ("en", ["programme.revision: must be from 1 to 1000000000", "earn.step: must be a whole number, not text"]),
    ],
)
def test_every_mistake_with_its_place(call: Call, tmp_path: Path, language: str, lines: list[str]) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(WRONG, encoding="utf-8")
    result = call("programme", "check", "wrong.toml", "--language", language)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [f"{file}: {line}" for line in lines]


def test_what_is_no_document(call: Call, tmp_path: Path) -> None:
    (tmp_path / "open.toml").write_text("[programme", encoding="utf-8")
    result = call("programme", "check", "open.toml")
    assert (result.exit_code, "open.toml: не читается как TOML" in result.stdout) == (1, True)


GROUP = '[[offer]]\nid = "{id}"\ngroup = "g"\ngive = {{ discount = 5 }}\n'
RISKY = PROGRAMME + GROUP.format(id="a") + GROUP.format(id="b")
RISKY += '[[offer]]\nid = "c"\npriority = 1\ngive = { discount = 5 }\non = { categories = ["tea"] }\n'


def test_a_warning_alone_is_no_failure(call: Call, tmp_path: Path) -> None:
    (tmp_path / "risky.toml").write_text(RISKY, encoding="utf-8")
    result = call("programme", "check", "risky.toml")
    assert (result.exit_code, "предупреждение: offer[5]: " in result.stdout) == (0, True)


def test_a_rule_that_never_holds_is_a_failure_and_all_is_there_for_machines(call: Call, tmp_path: Path) -> None:
    never = '[[offer]]\nid = "d"\ngive = { points = 0 }\n'
    (tmp_path / "never.toml").write_text(RISKY + never, encoding="utf-8")
    result = call("programme", "check", "never.toml", "--json", "--language", "en")
    assert result.exit_code == 1
    remarks = json.loads(result.stdout)
    assert [(each["severity"], each["at"]) for each in remarks] == [
        ("never", "offer[6].give.points"),
        ("warning", "offer[5]"),
    ]
    assert remarks[0]["text"] == "gives nothing"


def test_the_schema_is_printed(call: Call) -> None:
    assert json.loads(call("programme", "schema").stdout) == programme_schema()


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "b_member.json").write_text(json.dumps(CASE), encoding="utf-8")
    (folder / "a_guest.json").write_text(json.dumps({"at": AT, "basket": {"lines": [{"sum": 100}]}}), encoding="utf-8")
    (folder / "c_refused.json").write_text(json.dumps(CASE | {"redeem": 200}), encoding="utf-8")
    (folder / "notes.txt").write_text("no case")
    return folder


def test_what_a_new_revision_would_change_for_whom(call: Call, tmp_path: Path, cases: Path) -> None:
    new = PROGRAMME.replace("cap_bp = 5000", "cap_bp = 1000").replace("discount_bp = 1000", "discount_bp = 2000")
    (tmp_path / "new.toml").write_text(new, encoding="utf-8")
    result = call("programme", "compare", "club.toml", "new.toml", "--cases", str(cases), "--json")
    assert result.exit_code == 0
    member, refused = map(json.loads, result.stdout.splitlines())
    assert (member["case"], member["tier"]) == ("b_member", "basic")
    assert member["fields"]["pay"] == [53_900, 47_800]
    assert member["fields"]["max_redeem"] == [274, 48]
    assert refused["case"] == "c_refused"
    assert refused["fields"]["refused"] == [None, "redeem_above_most"]

    table = plain(call("programme", "compare", "club.toml", "new.toml", "--cases", str(cases)).stdout)
    for word in ("b_member", "Базовый", "539,00 руб.", "478,00 руб.", "274 бонуса", "redeem_above_most"):
        assert word in table
    assert table.endswith("Изменится случаев: 2 из 3.\n")


def test_the_same_programme_changes_nothing(call: Call, cases: Path) -> None:
    result = call("programme", "compare", "club.toml", "club.toml", "--cases", str(cases))
    assert plain(result.stdout) == "Изменится случаев: 0 из 3.\n"


def test_as_a_process_of_its_own(call: Call, tmp_path: Path) -> None:
    """Bytes on stdout whatever the terminal is, and nothing on stderr."""
    inside = call("quote", "club.toml", "one.json").stdout_bytes
    done = subprocess.run(
        [sys.executable, "-c", "from agent.cli import main; main()", "quote", "club.toml", "one.json"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (inside, b"")
