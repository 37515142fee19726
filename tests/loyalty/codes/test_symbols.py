"""The parts of the classifier where the published examples do not reach: layout, AIM ids, GS, element strings, markings, articles."""

from __future__ import annotations

import pytest

from loyalty.codes import (
    Invalid,
    Product,
    aim,
    article,
    gs1,
    layout_ru,
    marking,
)
from loyalty.codes.gs1_kinds import of_message
from loyalty.codes.gs1_table import IDENTIFIERS, LENGTHS
from loyalty.codes.gs_disguise import from_bytes, from_text
from loyalty.codes.kinds import Gs1Message

# The Russian layout


@pytest.mark.parametrize("text", ["", "1234.,?:;/", "hello", "мир & труд", "мир [1]", "мир €"])
def test_what_was_not_typed_under_it_stays(text: str) -> None:
    assert layout_ru.turn_back(text) is None


def test_numero_sign_alone_tells_and_control_characters_stay() -> None:
    assert layout_ru.turn_back("№1\x1d2") == "#1\x1d2"


# AIM ids and GS


def test_the_names_of_symbologies() -> None:
    assert [aim.symbology(each) for each in ("]A0", "]Q1", "]X0", "")] == ["code39", "qrcode", None, None]
    assert aim.split_aim("]e0x") == ("]e0", "x")
    assert aim.split_aim("]ex") == ("", "]ex")


@pytest.mark.parametrize(
    "sign",
    [
        "<GS>",
        "<gs>",
        "{GS}",
        "[GS]",
        "(GS)",
        "\\x1d",
        "\\u001D",
        "{0x1D}",
        "%1D",
        "&#29;",
        "^]",
        "^029",
        "\\029",
        "~1",
        "~d029",
        "␝",
        "<F8>",
        "\x1b[19~",
        "<FNC1>",
    ],
)
def test_texts_for_gs(sign: str) -> None:
    assert from_text(f"10A{sign}21B") == "10A\x1d21B"
    assert from_text(f"{sign}10A{sign}21B") == "\x1d10A\x1d21B"
    assert from_text(f"hello{sign}B") == f"hello{sign}B"
    assert from_text(f"10A{sign}21B\x1d") == f"10A{sign}21B\x1d"  # a real GS is there


def test_the_codeword_of_fnc1() -> None:
    assert from_bytes(b"\xe80112\xe821") == b"\x1d0112\x1d21"
    assert from_bytes("è0112è21".encode()) == b"\x1d0112\x1d21"
    assert from_bytes(b"\xe8hello") == b"\xe8hello"
    assert from_bytes(b"\xe801\x1d12") == b"\xe801\x1d12"


# Element strings


def test_the_table_of_identifiers_is_whole() -> None:
    assert len(IDENTIFIERS) == 541
    assert set(LENGTHS.values()) == {2, 3, 4}
    assert all(len(ai) == LENGTHS[ai[:2]] for ai in IDENTIFIERS)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ("", None),
        ("\x1d", None),
        ("05", gs1.Fault("no_such_ai", None)),
        ("3109000000", gs1.Fault("no_such_ai", "3109")),
        ("01123", gs1.Fault("length", "01")),
        ("0112345678901ABC", gs1.Fault("characters", "01")),
        ("10" + "A" * 21, gs1.Fault("length", "10")),
        ("10A B", gs1.Fault("characters", "10")),
        ("17251301", gs1.Fault("date", "17")),
        ("17250230", gs1.Fault("date", "17")),
        ("17250200", None),
        ("4326250200", gs1.Fault("date", "4326")),
        ("10A\x1d10A", None),
        ("10A\x1d10B", gs1.Fault("repeated", "10")),
        ("8005112000" + "93Mdlr", None),  # the GS behind a fixed length was swallowed
        ("80051120005", gs1.Fault("length", "8005")),
        ("7007250101" + "250102", None),
    ],
)
def test_faults(data: str, fault: gs1.Fault | None) -> None:
    assert gs1.parse(data).fault == fault


def test_the_century_of_a_date() -> None:
    this = 1_763_769_600  # 2025
    assert [gs1.iso_date(f"{year:02}0131", this)[:4] for year in (25, 75, 76, 99, 0)] == [
        "2025",
        "2075",
        "1976",
        "1999",
        "2000",
    ]
    assert gs1.iso_date("990131", 3_155_760_000)[:4] == "2099"  # read in 2070
    assert gs1.iso_date("010131", 3_944_700_000)[:4] == "2101"  # read in 2095
    assert gs1.iso_date("240200", this) == "2024-02-29"
    assert gs1.iso_date("251100", this) == "2025-11-30"


@pytest.mark.parametrize(
    ("digits", "places", "number"),
    [
        ("01250", 3, "1.250"),
        ("000007", 5, "0.00007"),
        ("1234", 0, "1234"),
        ("0000", 0, "0"),
        ("5", 3, "0.005"),
        ("00", 1, "0.0"),
    ],
)
def test_decimals_without_a_float(digits: str, places: int, number: str) -> None:
    assert gs1.decimal(digits, places) == number


def test_a_second_count_and_a_second_weight_stay_as_they_are() -> None:
    found = of_message(gs1.parse("3012\x1d3734\x1d31020012003103001200"), 0)
    assert found == Gs1Message(count=34, weight_kg="12.00", others=(("30", "12"), ("3103", "001200")))


def test_brackets_of_other_texts() -> None:
    assert gs1.parse_brackets("hello (01)") is None
    assert gs1.parse_brackets("(495)1234567") is None
    assert gs1.parse_brackets("") is None


# Markings


def test_a_pack_with_a_wrong_gtin_needs_a_price_of_the_usual_kind() -> None:
    assert marking.tobacco_pack("12345678901234ABCDEFGHIJKLMNO") is None
    found = marking.tobacco_pack("12345678901234ABCDEFGAJKLMNOP")
    assert found is not None
    assert not found.gtin_check_ok
    assert marking.tobacco_pack("1" * 29) is None


def test_a_marking_with_a_wrong_gtin_is_still_one() -> None:
    found = of_message(gs1.parse("0103041094787444215Qbag!\x1d93Zjqw"), 0)
    assert isinstance(found, type(marking.without_gs("0103041094787444215Qbag!93Zjqw")))
    assert not found.gtin_check_ok
    assert of_message(gs1.parse("0103041094787444215Qbag!"), 0) == Invalid("check_digit", "01")
    assert of_message(gs1.parse("0103041094787443215Qbag!\x1d93Zjqw\x1d17251399"), 0) == Invalid("date", "17")


@pytest.mark.parametrize(
    "code", ["0103041094787443215Qbag!", "0103041094787443215Qbag! 93Zjq\x02", "0103041094787443215Qbag! 94Z"]
)
def test_no_marking_without_its_tail(code: str) -> None:
    assert marking.without_gs(code) is None


@pytest.mark.parametrize("sign", [" ", "GS", "|", "\u00e8", "\x1e", "^^", "\u0438"])
def test_any_sign_that_gs1_does_not_have_parts_a_marking(sign: str) -> None:
    found = marking.without_gs(f"010460043993125621JgXJ5.T{sign}8005112000{sign}93Mdlr")
    assert found is not None
    assert (found.serial, found.ai8005, found.ai93, found.gs_lost) == ("JgXJ5.T", "112000", "Mdlr", False)


def test_a_block_of_tobacco_without_its_tail() -> None:
    found = marking.without_gs("010460043993125621JgXJ5.T8005112000")
    assert found is not None
    assert (found.serial, found.ai8005, found.gs_lost) == ("JgXJ5.T", "112000", True)


# Articles


@pytest.mark.parametrize(
    ("six", "upc_a"),
    [
        ("123450", "012000003455"),
        ("123451", "012100003454"),
        ("123452", "012200003453"),
        ("123453", "012300000451"),
        ("123454", "012340000053"),
        ("123456", "012345000065"),
    ],
)
def test_a_upc_e_stands_for_a_upc_a(six: str, upc_a: str) -> None:
    assert article.upc_e(six) == Product(upc_a.zfill(14), "UPC-E")
    assert article.upc_e(f"0{six}{upc_a[-1]}") == Product(upc_a.zfill(14), "UPC-E")
    assert article.upc_e(f"0{six}{(int(upc_a[-1]) + 1) % 10}") is None


def test_a_upc_e_begins_with_0_or_1() -> None:
    assert article.upc_e("2123456") is None
    assert article.ean("2123456") == Invalid("check_digit")
    assert article.ean("12345") == Invalid("length")
    assert article.ean("96385074") == Product("00000096385074", "EAN-8")
