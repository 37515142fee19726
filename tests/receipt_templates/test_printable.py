"""The filter between data and paper."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.printable import printable


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_but_pictures_and_spaces_comes_out(text: str) -> None:
    """Also for lone surrogates, unassigned code points and every control."""
    clean = printable(text)
    assert {unicodedata.category(char)[0] for char in clean} <= set("LNPSMZ")
    assert not {unicodedata.category(char) for char in clean} & {"Zl", "Zp", "Mn", "Me"}
    assert printable(clean) == clean


@given(st.text("abc АБВ ёЁ№«»—₽0123-|{}"))
def test_what_can_stand_on_paper_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_commands_lose_their_lead_and_lines_become_one() -> None:
    assert printable("Анна\x1b@\x1dV\x00") == "Анна@V"
    assert printable("one\r\ntwo\tthree\u2028four") == "one  two three four"


def test_letters_are_composed_and_thin_spaces_hold_together() -> None:
    assert printable("Йод й Зо\u200d\u0301я") == "Йод й Зоя"
    assert printable("1\u2009234\u202f567\u3000₽") == "1\u00a0234\u00a0567\u00a0₽"
    assert printable("soft\xadhyphen, zero\u200bwidth, \u202eturned") == "softhyphen, zerowidth, turned"
