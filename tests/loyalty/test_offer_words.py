"""Offers in words: why lines, the retailer's own line with its numbers, gifts; in Russian with its plural forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from loyalty.programme import Programme, ProgrammeError
from loyalty.quote import Line, MemberState

Club = Callable[..., Programme]
Known = Callable[..., MemberState]
Ask = Any  # the Asking of conftest.py


def plain(texts: dict[str, str]) -> tuple[str, str]:
    ru, en = (texts[language].replace("\N{NO-BREAK SPACE}", " ") for language in ("ru", "en"))
    return ru, en


def offer(give: str, more: str = "", name: str = "x") -> str:
    return f'[[offer]]\nid = "{name}"\ngive = {give}\n{more}\n'


COFFEE = 'name = { ru = "Кофе", en = "Coffee" }'
EARN = "[earn]\nrate_bp = 1000\n"


@pytest.mark.parametrize(
    ("give", "said"),
    [
        ("{ discount_bp = 1550 }", ("«Кофе»: скидка 15,5 %", "Coffee: 15.5% off")),
        ("{ discount = 12345 }", ("«Кофе»: скидка 123,45 руб.", "Coffee: RUB 123.45 off")),
        ("{ price = 0 }", ("«Кофе»: бесплатно", "Coffee: free")),
        ("{ price = 9900 }", ("«Кофе»: цена 99,00 руб.", "Coffee: price RUB 99.00")),
        ("{ multiply_bp = 20000 }", ("«Кофе»: бонусы ×2", "Coffee: points ×2")),
        ("{ multiply_bp = 12500 }", ("«Кофе»: бонусы ×1,25", "Coffee: points ×1.25")),
        ("{ points = 1 }", ("«Кофе»: ещё 1 бонус", "Coffee: 1 point more")),
        ("{ points = 22 }", ("«Кофе»: ещё 22 бонуса", "Coffee: 22 points more")),
        ("{ points = 111 }", ("«Кофе»: ещё 111 бонусов", "Coffee: 111 points more")),
        ("{ free_units = { buy = 4, free = 1 } }", ("«Кофе»: бесплатно 1 штука", "Coffee: 1 unit free")),
        ("{ free_units = { buy = 3, free = 2 } }", ("«Кофе»: бесплатно 2 штуки", "Coffee: 2 units free")),
    ],
)
def test_why_an_offer_gave_something(club: Club, ask: Ask, known: Known, give: str, said: tuple[str, str]) -> None:
    quote = ask(club(EARN + offer(give, COFFEE)), Line(sum=100_000, quantity=5_000), member=known())
    assert plain(next(why.text for why in quote.why if why.rule == "x")) == said


def test_five_free_units_are_of_the_third_form(club: Club, ask: Ask) -> None:
    quote = ask(club(offer("{ free_units = { buy = 1, free = 1 } }")), Line(sum=1_000, quantity=10_000))
    assert plain(quote.why[0].text) == ("«x»: бесплатно 5 штук", "x: 5 units free")


def test_a_stamp_card_is_explained_by_its_name(club: Club, ask: Ask, known: Known) -> None:
    card = '[[stamp_card]]\nid = "spa"\nbuy = 1\nfree = 1\nname = { ru = "Шестая процедура" }'
    quote = ask(club(card), Line(sum=1_000, quantity=2_000), member=known())
    assert [(why.rule, why.money, *plain(why.text)) for why in quote.why] == [
        ("spa", -500, "«Шестая процедура»: бесплатно 1 штука", "Шестая процедура: 1 unit free")
    ]


def test_points_with_decimals(club: Club, ask: Ask, known: Known) -> None:
    quote = ask(club(offer("{ points = 3 }"), head="point_decimals = 2"), 100, member=known())
    assert (quote.earned, plain(quote.why[0].text)[0]) == (300, "«x»: ещё 3 бонуса")


@pytest.mark.parametrize(
    ("give", "say", "said"),
    [
        ("{ discount_bp = 1500 }", "Скидка {number}!", "Скидка 150,00 руб.!"),
        ("{ discount_bp = 1500 }", "{money} {pay}", "150,00 руб. 850,00 руб."),
        ("{ points = 22 }", "Ещё {number}, всего {earned}", "Ещё 22 бонуса, всего 122 бонуса"),
        ("{ points = 22 }", "{points} {balance}", "22 бонуса 172 бонуса"),
        ('{ gift = { what = "toy", for_each = 30000 } }', "Подарите {number}: {count}", "Подарите 3: 3"),
        ('{ coupon = { offer = "y", valid_days = 21 } }', "Купон на {days}", "Купон на 21 день"),
        ('{ coupon = { offer = "y" } }', "Купон", "Купон"),
        ("{ prompt = true }", "Можно {max_redeem}", "Можно 50 бонусов"),
        ("{ prompt = true }", "{{скобки}}", "{скобки}"),
    ],
)
def test_the_retailers_line_has_the_numbers_of_the_receipt(
    club: Club, ask: Ask, known: Known, give: str, say: str, said: str
) -> None:
    programme = club(EARN + "[redeem]\n" + offer(give, f'say = {{ ru = "{say}" }}'))
    prompt = ask(programme, 100_000, member=known(balance=50)).prompt
    assert plain(prompt) == (said, said)  # English was left out


@pytest.mark.parametrize(
    ("give", "said"),
    [
        ('{ prompt = "Предложите сироп" }', ("Предложите сироп", "Предложите сироп")),
        ('{ prompt = { ru = "Сироп?", en = "Syrup?" } }', ("Сироп?", "Syrup?")),
    ],
)
def test_a_prompt_may_bring_its_own_text(club: Club, ask: Ask, give: str, said: tuple[str, str]) -> None:
    assert plain(ask(club(offer(give)), 100).prompt) == said


def test_say_comes_before_the_text_of_a_prompt(club: Club, ask: Ask) -> None:
    assert plain(ask(club(offer('{ prompt = "a" }', 'say = { ru = "b" }')), 100).prompt)[0] == "b"


def test_the_first_offer_by_priority_that_won_speaks(club: Club, ask: Ask) -> None:
    silent = offer("{ discount = 1 }", "priority = 1", "a")
    lost = offer("{ discount = 1 }", 'priority = 2\nsay = { ru = "lost" }\nwhen = { member = true }', "b")
    later = offer("{ prompt = true }", 'priority = 4\nsay = { ru = "later" }', "c")
    first = offer("{ discount = 1 }", 'priority = 3\nsay = { ru = "first" }', "d")
    assert ask(club(silent + lost + later + first), 100).prompt["ru"] == "first"


def test_a_gift_without_a_line_of_its_own_is_handed_over(club: Club, ask: Ask, known: Known) -> None:
    gift = offer('{ gift = { what = "фигурка", for_each = 50000 } }')
    assert plain(ask(club(gift), 100_000, member=known()).prompt) == (
        "Отдайте покупателю: фигурка, 2 шт.",
        "Hand over: фигурка, 2 pcs",
    )
    assert plain(ask(club(gift + offer("{ slip = 'survey' }", name="y")), 1, member=known()).prompt)[1] == (
        "This receipt earns nothing."
    )
    survey_first = offer("{ slip = 'survey' }", name="a") + gift
    assert ask(club(survey_first), 50_000).prompt["ru"].startswith("Отдайте")


@pytest.mark.parametrize(
    ("more", "mistake"),
    [
        ('say = { ru = "{percent}" }', "offer[0].say.ru: {percent} is not one of {number}, {points}, {money}, {count}, {earned}, {pay}, {balance}, {max_redeem}, {days}"),
        ('say = { en = "{money:>10}" }', "offer[0].say.en: {money} is not one of"),
        ('say = { en = "{money!r}" }', "offer[0].say.en: {money} is not one of"),
        ('say = { en = "{money.__class__}" }', "offer[0].say.en: {money.__class__} is not one of"),
        ('say = { en = "{}" }', "offer[0].say.en: {} is not one of"),
        ('say = { en = "{money" }', "offer[0].say.en: has a brace that is not closed or opened"),
        ('say = { de = "x" }', "offer[0].say.de: must be one of 'ru', 'en'"),
    ],
)  # fmt: skip
def test_lines_that_cannot_be_said(club: Club, more: str, mistake: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        club(offer("{ points = 1 }", more))
    assert [str(each)[: len(mistake)] for each in caught.value.mistakes] == [mistake]


@pytest.mark.parametrize(
    ("give", "mistake"),
    [
        ("{ prompt = false }", "offer[0].give.prompt: is true, or the text itself"),
        ('{ prompt = { en = "{x}" } }', "offer[0].give.prompt.en: {x} is not one of"),
        ("{ prompt = 5 }", "offer[0].give.prompt: must be true or false or text or a table, not a whole number"),
        ("{}", "offer[0].give: gives one thing; here it gives nothing"),
        ("{ points = 1, price = 1 }", "offer[0].give: gives one thing; here it gives points, price"),
        ("{ discount_bp = 10001 }", "offer[0].give.discount_bp: must be from 0 to 10000"),
        ("{ multiply_bp = 0 }", "offer[0].give.multiply_bp: must be from 1 to 1000000"),
        ("{ free_units = { buy = 0, free = 1 } }", "offer[0].give.free_units.buy: must be from 1 to 1000"),
    ],
)
def test_gifts_that_cannot_be_given(club: Club, give: str, mistake: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        club(offer(give))
    assert [str(each)[: len(mistake)] for each in caught.value.mistakes] == [mistake]


@pytest.mark.parametrize(
    ("when", "mistake"),
    [
        ("dates = { from = 5 }", "offer[0].when.dates.from: must be a date or a date and time, not a whole number"),
        ('dates = { from = "2026-13-01" }', "offer[0].when.dates.from: must be a date like 2026-01-31"),
        ("dates = { to = 2026-01-01T00:00:00 }", "offer[0].when.dates.to: needs its offset"),
        ('local_time = { from = "10:00+03:00" }', "offer[0].when.local_time.from: is local and has no offset"),
        ('local_time = { from = "25:00" }', "offer[0].when.local_time.from: must be a time like 09:30:00"),
        ("birthday = 3", "offer[0].when.birthday: must be true or false or a table, not a whole number"),
        ("bought = {}", "offer[0].when.bought: must have categories or skus"),
        ("stores = []", "offer[0].when.stores: must not be empty"),
        ("nth_purchase = { every = 0, period = 'day' }", "offer[0].when.nth_purchase.every: must be from 1 to 1000000"),
    ],
)
def test_conditions_that_cannot_be(club: Club, when: str, mistake: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        club(offer("{ points = 1 }", f"when = {{ {when} }}"))
    assert [str(each)[: len(mistake)] for each in caught.value.mistakes] == [mistake]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (offer("{ points = 1 }") + offer("{ points = 1 }"), "offer[1].id: stands twice"),
        ('[[stamp_card]]\nid = "x"\nbuy = 1\nfree = 1\n' + offer("{ points = 1 }"), "offer[0].id: stands twice"),
        (offer("{ points = 1 }", name="earn"), "offer[0].id: is a name of the engine's own"),
        (
            offer("{ points = 1 }", 'group = "g"') + offer("{ price = 1 }", 'group = "g"', "y"),
            "offer[1].group: group 'g' is about points since offer[0], and this one gives money: a group holds one kind",
        ),
    ],
)
def test_offers_that_contradict(club: Club, text: str, mistake: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        club(text)
    assert [str(each) for each in caught.value.mistakes] == [mistake]


def test_a_null_is_no_choice_at_all(club: Club) -> None:
    from loyalty.programme import load, to_json

    document = to_json(club(offer("{ points = 1 }"))).decode().replace('"id":"x"', '"id":"x","when":{"birthday":null}')
    assert load(document, "json").offers[0].when.birthday is None


def test_a_birthday_may_be_said_in_one_word(club: Club, ask: Ask) -> None:
    programme = club(offer("{ discount = 5 }", "when = { birthday = true }"))
    for birthday, off in (("12-12", 5), ("12-11", 0), (None, 0)):
        assert ask(programme, 100, member=MemberState(birthday=birthday)).discount == off
