"""Against biip and libphonenumber, where they are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import biip
import phonenumbers
from biip import ParseError, ParseResult, gs1_application_identifiers
from biip.checksums import gs1_price_weight_check_digit
from hypothesis import given
from hypothesis import strategies as st

from loyalty.codes import (
    CodeRules,
    Gs1Message,
    InstoreNumber,
    Invalid,
    Product,
    Sscc,
    classify,
    phone,
)
from loyalty.codes.check_digit import price_verifier_4, price_verifier_5
from loyalty.codes.gs1_table import IDENTIFIERS, ends_by_itself

if TYPE_CHECKING:
    from conftest import Published

NOW = 1_763_769_600
NO_RULES = CodeRules()


def test_biip_agrees_on_the_published_codes(all_published: list[Published]) -> None:
    """Numbers of articles and pallets that biip knows are the same here; what we call broken it does not know."""
    asked = 0
    for each in all_published:
        theirs = ask_biip(each.input) if each.channel == "serial" and each.input[:1] not in "](" else None
        code = each.read(NO_RULES).code
        if theirs is None:
            continue
        asked += 1
        if isinstance(code, Product):
            assert code.gtin in (
                theirs.gtin and theirs.gtin.as_gtin_14(),
                theirs.upc and theirs.upc.as_upc_a().zfill(14),
            ), each
        elif isinstance(code, InstoreNumber):
            assert theirs.gtin is not None
            assert theirs.gtin.value == code.ean
        elif isinstance(code, Sscc):
            assert theirs.sscc is not None
            assert theirs.sscc.value == code.sscc
        elif isinstance(code, Invalid) and code.ai is None:
            assert theirs.gtin is None
            assert theirs.sscc is None
    assert asked > 100


def ask_biip(text: str) -> ParseResult | None:
    """None where biip knows nothing, or stumbles: it raises IndexError on some AIM ids and on a lone bracket."""
    try:
        return biip.parse(text)
    except (ParseError, IndexError, ValueError):
        return None


@given(st.text("0123456789", min_size=1, max_size=20))
def test_biip_agrees_on_numbers(digits: str) -> None:
    code = classify(digits.encode(), NO_RULES, now=NOW).code
    theirs = ask_biip(digits)
    gtin = theirs.gtin if theirs else None
    if isinstance(code, Product) and code.format != "UPC-E":
        assert gtin is not None
        assert gtin.as_gtin_14() == code.gtin
    elif isinstance(code, Sscc) and len(digits) == 18:
        assert theirs is not None
        assert theirs.sscc is not None
    elif isinstance(code, Invalid) and len(digits) in (12, 13, 14):
        assert gtin is None


PARTS = st.lists(
    st.sampled_from(
        [
            "0104606203090785",
            "10LOT\x1d",
            "21SERIAL\x1d",
            "15260131",
            "17260131",
            "3103001250",
            "3712\x1d",
            "00376130321109103420",
        ]
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@given(PARTS)
def test_biip_reads_the_same_element_strings(parts: list[str]) -> None:
    data = "]C1" + "".join(parts)
    code = classify(data.encode(), NO_RULES, now=NOW).code
    message = biip.parse(data).gs1_message
    assert message is not None
    theirs = {each.ai.ai: each for each in message.element_strings}
    assert len(theirs) == len(parts)
    if isinstance(code, Sscc):
        assert theirs["00"].value == code.sscc
        return
    assert isinstance(code, Gs1Message)
    assert code.gtin == (theirs["01"].value if "01" in theirs else None)
    assert code.batch == (theirs["10"].value if "10" in theirs else None)
    assert code.serial == (theirs["21"].value if "21" in theirs else None)
    assert code.best_before == (theirs["15"].date.isoformat() if "15" in theirs else None)
    assert code.weight_kg == (str(theirs["3103"].decimal) if "3103" in theirs else None)
    assert dict(code.others).get("17") == (theirs["17"].value if "17" in theirs else None)


@given(st.integers(0, 9999), st.integers(0, 99999))
def test_biip_verifies_prices_the_same_way(four: int, five: int) -> None:
    assert price_verifier_4(f"{four:04}") == gs1_price_weight_check_digit(f"{four:04}")
    assert price_verifier_5(f"{five:05}") == gs1_price_weight_check_digit(f"{five:05}")


def test_every_identifier_of_biip_is_in_our_table() -> None:
    table = gs1_application_identifiers._GS1_APPLICATION_IDENTIFIERS
    assert table.keys() <= IDENTIFIERS.keys()
    assert {ai for ai, each in table.items() if not each.separator_required} <= set(filter(ends_by_itself, IDENTIFIERS))


@given(st.sampled_from(["7", "375"]), st.integers(10**8, 10**10 - 1))
def test_libphonenumber_knows_the_same_mobiles(country: str, number: int) -> None:
    national = str(number)[: 10 if country == "7" else 9]
    found = phone.read(f"+{country}{national}", "RU")
    theirs = phonenumbers.parse(f"+{country}{national}")
    kinds = phonenumbers.PhoneNumberType
    assert found is not None
    assert found.mobile == (phonenumbers.number_type(theirs) == kinds.MOBILE)
    assert bool(found.toll_free) == (phonenumbers.number_type(theirs) == kinds.TOLL_FREE)
    assert found.valid or not phonenumbers.is_valid_number(theirs)
    if found.mobile or phonenumbers.is_valid_number(theirs):
        assert found.e164 == phonenumbers.format_number(theirs, phonenumbers.PhoneNumberFormat.E164)


@given(st.from_regex(r"(8|7|\+7)?9[0-9]{9}", fullmatch=True))
def test_libphonenumber_reads_the_same_number(typed: str) -> None:
    found = phone.read(typed, "RU")
    assert found is not None
    assert found.e164 == phonenumbers.format_number(
        phonenumbers.parse(typed, "RU"), phonenumbers.PhoneNumberFormat.E164
    )
