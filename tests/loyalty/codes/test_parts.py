"""The parts of the classifier where the published examples do not reach: telephone numbers, cards, receipts, addresses, labels."""

from __future__ import annotations

import pytest

from loyalty.codes import MemberCard, Phone, decode, digital_link, fiscal, gs1, measure, pan, phone, totp
from loyalty.codes.kinds import RejectedRotating, Unknown

KEY = b"12345678901234567890".hex()


# Telephone numbers


@pytest.mark.parametrize(
    ("typed", "region", "e164"),
    [
        ("89123456789", "RU", "+79123456789"),
        ("89123456789", "KZ", "+79123456789"),
        ("(912) 345-67-89", "RU", "+79123456789"),
        (" +7 912 345-67-89 ", "RU", "+79123456789"),
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
    for blank in (" ", "-", ".", "\u00a0", "\u2009", "\u2011"):
        assert pan.mask(blank.join(("4111", "1111", "1111", "1111"))) == "************1111"


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


@pytest.mark.parametrize("size", range(len("t=20200923T0940&s="), len(receipt())))
def test_a_receipt_that_was_cut_off_is_incomplete(size: int) -> None:
    found = fiscal.read(receipt()[:size])
    assert found == Unknown("fiscal_incomplete")


def test_an_ampersand_at_the_end_changes_nothing() -> None:
    assert fiscal.read(receipt() + "&") == fiscal.read(receipt())


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
