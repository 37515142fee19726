"""What is shown of a scan."""

import json
from datetime import UTC, datetime

from agent.messages import Scanned
from agent.scanning.show import lines, readable, record
from loyalty.codes import CodeRules, Rule

RULES = CodeRules(member_card=(Rule(pattern="29xxxxxxxxxxC"),))
CARD = b"]E02900000000117"
PAN = b"4111111111111111"


def scan(data: bytes, *, partial: bool = False) -> Scanned:
    return Scanned("counter", data, datetime(2026, 11, 21, 10, 2, 3, 456000, tzinfo=UTC), partial)


def test_bytes_aim_id_class_and_why_are_shown() -> None:
    shown = "\n".join(lines(scan(CARD), RULES, "en"))
    assert "counter" in shown
    assert "bytes: 16" in shown
    assert "5d 45 30 32 39 30 30 30 30 30 30 30 30 31 31 37" in shown
    assert "]E02900000000117" in shown
    assert "class  member_card" in shown
    assert "card = 2900000000117" in shown
    assert shown.count("why") == 1


def test_control_characters_have_names_and_nothing_can_disturb_the_terminal() -> None:
    assert readable(b"]d2\x1d01\x00\x7f\x1b[2J") == "]d2<GS>01<NUL><7F><ESC>[2J"
    assert readable("кофе".encode()) == "кофе"
    assert readable(b"\xca\x9b\xff") == "Ê<9B>ÿ"


def test_a_long_code_has_several_lines_of_hex() -> None:
    shown = lines(scan(b"x" * 40), RULES, "en")
    assert sum("78 78" in line for line in shown) == 3


def test_half_a_code_is_not_classified() -> None:
    shown = "\n".join(lines(scan(CARD[:9], partial=True), RULES, "en"))
    assert "half a code" in shown
    assert "class" not in shown
    assert "class" not in json.loads(record(scan(CARD[:9], partial=True), RULES))


def test_the_number_of_a_payment_card_is_nowhere() -> None:
    for data in (PAN, b"]C0" + PAN, b"x " + b"4111 1111 1111 1111"):
        shown = "\n".join(lines(scan(data), RULES, "en"))
        table = record(scan(data), RULES).decode()
        for text in (shown, table):
            assert "4111" not in text
            assert PAN.hex(" ") not in text
            assert PAN.hex() not in text
            assert "1111" in text


def test_a_line_of_json_for_machines() -> None:
    table = json.loads(record(scan(CARD), RULES))
    assert table["scanner"] == "counter"
    assert table["hex"] == CARD.hex()
    assert (table["class"], table["aim"], table["fields"]["card"]) == ("member_card", "]E0", "2900000000117")
    assert table["why"]
