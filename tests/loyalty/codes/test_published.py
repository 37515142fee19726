"""Every published code is what it is, from any scanner, under any layout, and nothing else is a member."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from loyalty.codes import CLASSES, Channel, CodeRules, Rule, classify
from loyalty.codes.pan import looks_like_card

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Published

MEMBERS = {"member_card", "member_rotating"}
SITE_CLASSES = {"cashier", "certificate"}  # only a shop can publish these
CHANNELS: tuple[Channel, ...] = ("serial", "keypad", "wedge_text")
CARDS = "test numbers of payment systems"


def test_what_is_it(published: Published) -> None:
    table = published.read().table()
    assert (table["class"], table["fields"], table["aim"]) == (published.kind, published.fields, published.aim)


def test_each_is_explained_without_its_number(all_published: list[Published]) -> None:
    for each in all_published:
        why = each.read().why
        assert why, each
        assert not any(re.search("[0-9]{5}", word) for word in why), each


def test_there_are_enough_of_each_class(all_published: list[Published]) -> None:
    counts = Counter(each.kind for each in all_published)
    assert counts.keys() == set(CLASSES)
    assert all(counts[each] >= 8 for each in CLASSES if each not in SITE_CLASSES), counts


def test_nobody_is_a_member_by_mistake(
    all_published: list[Published], shop: CodeRules, proof: Callable[[str], None]
) -> None:
    others = [each for each in all_published if each.kind not in MEMBERS]
    assert len(others) > 300
    for each in others:
        for rules in (each.rules, shop, CodeRules()):
            assert each.read(rules).code.name not in MEMBERS, each
            for channel in CHANNELS:
                found = classify(each.input.encode("latin-1"), rules, channel, each.now)
                assert found.code.name not in MEMBERS, each
    proof(f"codes: {len(all_published)} published, {len(others)} of them nobody's card, no member among those")


def test_the_russian_layout_is_turned_back(all_published: list[Published], type_russian: Callable[[str], str]) -> None:
    typed = [
        (each, type_russian(each.input))
        for each in all_published
        if each.channel == "serial" and each.input.isascii() and not type_russian(each.input).isascii()
    ]
    assert len(typed) > 150
    for each, russian in typed:
        reading = classify(russian.encode(), each.rules, "wedge_text", each.now)
        meant = classify(each.input.encode(), each.rules, "wedge_text", each.now)
        assert (reading.code, reading.aim) == (meant.code, meant.aim), each
        assert reading.fields()["layout"] == "ru"
        assert reading.recovered == each.input or each.source == CARDS


def test_no_number_of_a_payment_card_gets_out(all_published: list[Published]) -> None:
    for each in all_published:
        if each.source != CARDS:
            continue
        digits = "".join(letter for letter in each.input if letter.isdigit())[:19]
        number = next(digits[:size] for size in range(19, 12, -1) if looks_like_card(digits[:size]))
        greedy = CodeRules(member_card=(Rule(regex="[^A-Z]+"), Rule(pattern="x" * len(number))))
        for rules in (greedy, CodeRules()):
            for channel in CHANNELS:
                said = msgspec.json.encode(classify(each.input.encode(), rules, channel, 0).table()).decode()
                assert number not in said.replace(" ", ""), each
