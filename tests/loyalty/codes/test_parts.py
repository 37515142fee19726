"""The parts of the classifier where the published examples do not reach."""

from __future__ import annotations

import pytest

from loyalty.codes import (
    Invalid,
    MemberCard,
    Phone,
    Product,
    aim,
    article,
    decode,
    digital_link,
    fiscal,
    gs1,
    layout_ru,
    marking,
    measure,
    pan,
    phone,
    totp,
)
from loyalty.codes.gs1_kinds import of_message
from loyalty.codes.gs1_table import IDENTIFIERS, LENGTHS
from loyalty.codes.gs_disguise import from_bytes, from_text
from loyalty.codes.kinds import Gs1Message, RejectedRotating, Unknown

KEY = b"12345678901234567890".hex()


# The Russian layout: what the rows of a Windows keyboard type


@pytest.mark.parametrize(
    ("us", "russian"),
    [
        ("`1234567890-=", "ё1234567890-="),
        ("~!@#$%^&*()_+", 'Ё!"№;%:?*()_+'),
        ("qwertyuiop[]\\", "йцукенгшщзхъ\\"),
        ("QWERTYUIOP{}|", "ЙЦУКЕНГШЩЗХЪ/"),
        ("asdfghjkl;'", "фывапролджэ"),
        ('ASDFGHJKL:"', "ФЫВАПРОЛДЖЭ"),
        ("zxcvbnm,./", "ячсмитьбю."),
        ("ZXCVBNM<>?", "ЯЧСМИТЬБЮ,"),
    ],
)
def test_the_rows_of_the_keyboard(us: str, russian: str) -> None:
    assert layout_ru.type_russian(us) == russian
    if not russian.isascii():
        assert layout_ru.turn_back(russian) == us


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
    ["<GS>", "<gs>", "{GS}", "[GS]", "\\x1d", "\\u001D", "%1D", "&#29;", "^]", "~1", "␝", "<F8>", "\x1b[19~", "<FNC1>"],
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


# Telephone numbers


@pytest.mark.parametrize(
    ("typed", "region", "e164"),
    [
        ("89123456789", "RU", "+79123456789"),
        ("89123456789", "KZ", "+79123456789"),
        ("(912) 345-67-89", "RU", "+79123456789"),
        ("0079123456789", "RU", "+79123456789"),
        ("81079123456789", "RU", "+79123456789"),
        ("80291234567", "RU", "+375291234567"),
        ("80301234567", "RU", "+70301234567"),  # neither country has it, so it is what the region says
        ("80301234567", "BY", "+375301234567"),
        ("291234567", "BY", "+375291234567"),
        ("291234567", "RU", None),
        ("9123456789", "BY", None),
        ("1123456789", "RU", None),
        ("11234567890", "RU", None),
        ("+1", "RU", None),
        ("+1234567", "RU", None),
        ("0079123456789012", "RU", None),
        ("phone", "RU", None),
    ],
)
def test_what_is_typed(typed: str, region: phone.Region, e164: str | None) -> None:
    found = phone.read(typed, region)
    assert (found and found.e164) == e164


def test_a_country_without_a_plan_here_is_neither_valid_nor_not() -> None:
    assert phone.read("+4915112345678", "RU") == Phone("+4915112345678", None, None, "+4915112345678")
    assert phone.from_uri("hello", "RU") is None


# Payment cards


@pytest.mark.parametrize(
    ("number", "is_card"),
    [
        ("4111111111111111", True),
        ("4111111111111112", False),
        ("7111111111111114", False),
        ("4006381333931", False),
        ("411111111111", False),
    ],
)
def test_what_looks_like_a_payment_card(number: str, is_card: bool) -> None:
    assert pan.looks_like_card(number) == is_card


def test_only_the_number_is_masked() -> None:
    assert pan.mask("pay 4111-1111-1111-1111 now") == "pay ************1111 now"
    assert pan.mask("order 4111111111111112") == "order 4111111111111112"
    assert pan.mask("14111111111111111x") == "14111111111111111x"


# Rotating codes


def test_the_timestamp_may_be_in_milliseconds() -> None:
    wallet = totp.wallet("{totp_timestamp_millis}.{id}.{totp_value_0}", KEY, 30, 8, 30)
    assert wallet.read("59000.7.94287082", 59).timestamp == 59
    assert wallet.read("59000.7.94287083", 59) == RejectedRotating("7", "wrong")
    assert wallet.read("hello", 59) is None


def test_without_a_literal_part_only_a_right_password_tells() -> None:
    wallet = totp.wallet("{id}{totp_timestamp_seconds}{totp_value_0}", KEY, 30, 8, 30)
    assert wallet.read("x5994287083", 59) is None


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("{id}{totp_value_0}", None),
        ("{totp_value_0}", "{id}"),
        ("{id}", "{totp_value_0}"),
        ("{id}{id}{totp_value_0}", "{id}"),
        ("{id}{totp_value_0}{totp_timestamp_seconds}{totp_timestamp_seconds}", "{totp_timestamp_seconds}"),
    ],
)
def test_places_of_a_template(template: str, place: str | None) -> None:
    assert totp.place_amiss(template) == place


# Fiscal receipts

RECEIPT = {"t": "20200923T0940", "s": "911.00", "fn": "9289000100597234", "i": "57908", "fp": "1791342888", "n": "1"}


def receipt(**changed: str | None) -> str:
    return "&".join(f"{key}={value}" for key, value in (RECEIPT | changed).items() if value is not None)


@pytest.mark.parametrize(
    ("money", "kopecks"), [("911", 91100), ("911.5", 91150), ("0.07", 7), ("911,50", 91150), ("000911.00", 91100)]
)
def test_money_is_read_digit_by_digit(money: str, kopecks: int) -> None:
    assert fiscal.read(receipt(s=money)).sum_kopecks == kopecks


@pytest.mark.parametrize(
    "changed",
    [
        {"t": "20201323T0940"}, {"t": "20200931T0940"}, {"t": "20200923T2440"}, {"t": "20200923T0960"}, {"t": "20200923T094060"},
        {"t": "2020"}, {"s": "911.001"}, {"s": "-1"}, {"s": ""}, {"fn": "928900010059723"}, {"i": "x"}, {"fp": "12345678901"}, {"n": "5"},
        {"n": "0"}, {"n": None}, {"fp": None}, {"t": None}, {"s": None}, {"i": "\u0661"},
    ],
)  # fmt: skip
def test_a_parameter_amiss(changed: dict[str, str | None]) -> None:
    assert fiscal.read(receipt(**changed)) == Unknown("fiscal_incomplete")
    assert fiscal.read("https://x.ru/?" + receipt(**changed)) is None


@pytest.mark.parametrize("code", ["a=1&b=2", "t=1&s=2", "t=1&s=2&i=3&fp=4", "fn=1", "", "n=1"])
def test_other_parameters_are_no_receipt(code: str) -> None:
    assert fiscal.read(code) is None


def test_parameters_more_than_needed_and_percent_signs() -> None:
    assert fiscal.read(receipt(t="20200923T0940%3000") + "&foo=1") == Unknown("fiscal_incomplete")
    assert fiscal.read("https://x.ru/a?x=1&" + receipt(s="911%2E00") + "#top").sum_kopecks == 91100


# Digital Link


@pytest.mark.parametrize(
    "address",
    [
        "https://x.ru", "https://x.ru/01", "https://x.ru/01/", "https://x.ru/01/hello", "https://x.ru/401/catalog",
        "https://x.ru/01/09520123456788/21/A/10/B", "https://x.ru/17/250101", "https://x.ru/10/A", "https://x.ru/01/20240115",
        "https://x.ru/a/01/09520123456788/5", "https://x.ru/00/123", "Https://x.ru/01/09520123456788",
    ],
)  # fmt: skip
def test_addresses_like_any_other(address: str) -> None:
    found = digital_link.web_address(address)
    assert found is not None
    assert digital_link.read(found) is None


@pytest.mark.parametrize(
    "code", ["ftp://x.ru", "https://", "https:///a", "https://:80", "https://x y", "x.ru/01/09520123456788"]
)
def test_no_addresses(code: str) -> None:
    assert digital_link.web_address(code) is None


def test_an_attribute_amiss_breaks_the_link() -> None:
    address = digital_link.web_address("https://x.ru/01/09520123456788?17=251399;foo;98=")
    assert digital_link.read(address).fault == gs1.Fault("date", "17")


# Labels and code pages


def test_a_label_without_an_item() -> None:
    label = measure.label(measure.MeasureRule("29xxxxxWWWWWC"), 3)
    assert label.read("2900000012509") == measure.Measured(None, "1.250")
    assert label.read("2800000012502") is None
    assert measure.label(measure.MeasureRule("29xxxxxWWWWWx"), 3).read("2900000012509") == measure.Measured(
        None, "1.250"
    )


@pytest.mark.parametrize(
    ("name", "iana"),
    [
        ("cp1251", "windows-1251"),
        ("cp866", "ibm866"),
        ("koi8-r", "koi8-r"),
        ("latin-1", "iso-8859-1"),
        ("ascii", "us-ascii"),
        ("kz1048", "kz-1048"),
        ("utf8", "utf-8"),
        ("mac-cyrillic", "x-mac-cyrillic"),
    ],
)
def test_code_pages_have_the_names_of_iana(name: str, iana: str) -> None:
    assert decode.is_code_page(name)
    assert decode.iana_name(name) == iana


@pytest.mark.parametrize("name", ["", "hex", "utf-16", "punycode", "nonsense", "cp1251\0", "idna"])
def test_other_encodings_are_no_code_pages(name: str) -> None:
    assert not decode.is_code_page(name)


def test_a_member_is_looked_up_by_the_number_that_the_card_has() -> None:
    assert MemberCard(card="2900000000018").number == "2900000000018"
    assert MemberCard(gsrn="123456789012345675", srin="1").number == "123456789012345675"
