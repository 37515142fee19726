"""What the cashier reads: the one prompt, and the lines that explain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from loyalty.programme import Programme
from loyalty.quote import MemberState

Club = Callable[..., Programme]
Known = Callable[..., MemberState]
Ask = Any  # the Asking of conftest.py

RULES = """
[earn]
rate_bp = 100
[redeem]
cap_bp = 5000
[[tier]]
id = "basic"
[[tier]]
id = "silver"
name = { ru = "Серебряный", en = "Silver" }
discount_bp = 250
any_of = [
  { counter = "purchases", period = "lifetime", at_least = 5 },
  { counter = "turnover", period = "lifetime", at_least = 1000000 },
]
[[tier]]
id = "gold"
any_of = [{ counter = "purchases", period = "lifetime", at_least = 100 }]
[[tier]]
id = "platinum"
any_of = [{ counter = "turnover", period = "lifetime", at_least = 100000000 }]
"""


def said(texts: dict[str, str]) -> tuple[str, str]:
    ru, en = (texts[language].replace("\N{NO-BREAK SPACE}", " ") for language in ("ru", "en"))
    return ru, en


def prompt(ask: Ask, programme: Programme, sum_: int, **asked: object) -> tuple[str, str]:
    return said(ask(programme, sum_, **asked).prompt)


def test_without_a_card(club: Club, ask: Ask) -> None:
    assert prompt(ask, club(RULES), 10_000) == (
        "Без карты. По QR на чеке можно забрать 1 бонус.",
        "No card. The QR on the receipt is worth 1 point.",
    )
    assert prompt(ask, club(RULES), 1) == ("Без карты. Предложите вступить в программу.", "No card. Offer to join.")


def test_a_card_that_is_only_recognised(club: Club, ask: Ask) -> None:
    assert prompt(ask, club(RULES), 20_000, member=MemberState()) == (
        "Карта принята, баланс пока неизвестен. За чек: 2 бонуса.",
        "Card accepted, balance not known yet. This receipt: 2 points.",
    )


def test_a_withdrawn_consent(club: Club, ask: Ask, known: Known) -> None:
    assert (
        prompt(ask, club(RULES), 20_000, member=known(consent="withdrawn"))[1]
        == "Consent withdrawn: a sale without points."
    )


def test_a_new_tier_comes_before_everything(club: Club, ask: Ask, known: Known) -> None:
    member = known(balance=500, purchases={"lifetime": 4})
    assert prompt(ask, club(RULES), 20_000, member=member) == (
        "Поздравьте: со следующей покупки уровень «Серебряный»!",
        "Congratulate: level Silver from the next purchase!",
    )


def test_points_that_can_pay_and_points_that_do(club: Club, ask: Ask, known: Known) -> None:
    assert prompt(ask, club(RULES), 20_000, member=known(balance=21)) == (
        "Можно списать 21 бонус и заплатить на 21,00 руб. меньше. Списать?",
        "21 points can pay RUB 21.00 of it. Use them?",
    )
    assert prompt(ask, club(RULES), 20_000, member=known(balance=21), redeem=3) == (
        "К оплате 197,00 руб., списываем 3 бонуса.",
        "3 points used, RUB 197.00 to pay.",
    )


@pytest.mark.parametrize(
    ("purchases", "russian"),
    [
        (0, "За этот чек начислим 1 бонус. Ещё 4 покупки или 9 900,00 руб. до уровня «Серебряный»."),
        (5, "За этот чек начислим 1 бонус. Ещё 94 покупки до уровня «gold»."),
        (100, "За этот чек начислим 1 бонус. Ещё 999 900,00 руб. до уровня «platinum»."),
    ],
)
def test_the_way_to_the_next_tier(club: Club, ask: Ask, known: Known, purchases: int, russian: str) -> None:
    programme = club(RULES.replace("discount_bp = 250\n", ""))
    assert prompt(ask, programme, 10_000, member=known(purchases={"lifetime": purchases}))[0] == russian


def test_nothing_left_to_say_but_the_points(club: Club, ask: Ask, known: Known) -> None:
    programme = club("[earn]\nrate_bp = 100")
    assert prompt(ask, programme, 10_000, member=known())[1] == "This receipt earns 1 point."
    assert prompt(ask, programme, 1, member=known())[1] == "This receipt earns nothing."


def test_the_lines_that_explain(club: Club, ask: Ask, known: Known) -> None:
    quote = ask(club(RULES), 20_000, member=known(purchases={"lifetime": 7}))
    assert [(why.rule, why.money, why.points, *said(why.text)) for why in quote.why] == [
        ("tier", -500, None, "Уровень «Серебряный»: скидка 2,5 %", "Level Silver: 2.5% off"),
        ("earn", None, 1, "1 % от 195,00 руб.: 1 бонус", "1% of RUB 195.00: 1 point"),
    ]


def test_steps_are_explained_as_steps(club: Club, ask: Ask, known: Known) -> None:
    programme = club("[earn]\nstep = 10000\npoints_per_step = 5", head="point_decimals = 2")
    assert said(ask(programme, 25_000, member=known()).why[0].text) == (
        "5 бонусов за каждые 100,00 руб., оплачено 250,00 руб.: 10 бонусов",
        "5 points for each RUB 100.00, RUB 250.00 paid: 10 points",
    )
