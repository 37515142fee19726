"""Our slips, as the customer reads them."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.document import Columns, Document, Progress, Qr, Text
from receipt_templates.layout import slip_lines
from receipt_templates.templates import FIELDS, TemplateError, render

URL = "HTTPS://BONUS.ZERNO.RU/E/" + "ABCDEFGH" * 4
SALE_RU = {
    "shop": "Кофейня «Зерно»",
    "receipt_number": "118",
    "at": "21.11.2026 14:05",
    "total": "500,00\u00a0₽",
    "discount": "75,00\u00a0₽",
    "redeemed": "212 бонусов",
    "pay": "213,00\u00a0₽",
    "earned": "2 бонуса",
}
MEMBER_RU = {
    "balance": "90 бонусов",
    "tier": "Базовый",
    "to_next": "До уровня «Серебряный» осталась 1 покупка",
    "progress_bp": 8000,
}


def slip(name: str, language: str, columns: int = 32, **fields: object) -> str:
    return "\n".join(slip_lines(render(name, language, fields), columns)) + "\n"


def test_the_slip_of_a_member() -> None:
    assert slip("sale", "ru", **SALE_RU, **MEMBER_RU, prompt="Завтра всё вдвойне") == (
        "        Кофейня «Зерно»\n"
        "Чек № 118       21.11.2026 14:05\n"
        "--------------------------------\n"
        "Сумма                   500,00\u00a0₽\n"
        "Скидка                  −75,00\u00a0₽\n"
        "Списано             −212 бонусов\n"
        "Оплачено                213,00\u00a0₽\n"
        "--------------------------------\n"
        "Начислено              +2 бонуса\n"
        "          Теперь у вас\n"
        "      90 бонусов\n"
        "\n"
        "Уровень                  Базовый\n"
        "   ████████████████░░░░ 80\u00a0%\n"
        "     До уровня «Серебряный»\n"
        "       осталась 1 покупка\n"
        "--------------------------------\n"
        "       Завтра всё вдвойне\n"
    )


def test_the_slip_of_a_guest_invites() -> None:
    fields = {"shop": "Grain", "at": "2026-11-21", "pay": "€5.00", "earned": "25 points"}
    invitation = {"qr": URL, "qr_host": "bonus.zerno.ru", "valid_until": "5 December"}
    assert slip("sale", "en", 42, **fields, **invitation) == (
        "                  Grain\n"
        "                2026-11-21\n"
        "------------------------------------------\n"
        "Paid                                 €5.00\n"
        "------------------------------------------\n"
        "             Waiting for you\n"
        "            25 points\n"
        "   Point your phone camera at the code\n"
        "          and enter your number\n"
        f"[qr {URL}]\n"
        "              bonus.zerno.ru\n"
        "    The code is valid until 5 December\n"
        "\n"
        "                Thank you!\n"
    )


def test_the_enrolment_slip() -> None:
    text = slip("enrolment", "ru", shop="Зерно", qr=URL, qr_host="bonus.zerno.ru", valid_days="14 дней")
    assert [line.strip() for line in text.splitlines()[-4:]] == [
        "и укажите свой номер",
        f"[qr {URL}]",
        "bonus.zerno.ru",
        "Код действует 14 дней",
    ]


def test_a_copy_says_so_first() -> None:
    assert slip("sale", "ru", **SALE_RU, copy=True).splitlines()[0].strip() == "ПОВТОР"
    assert slip("enrolment", "en", qr=URL, copy=True).splitlines()[0].strip() == "COPY"


def test_a_member_whose_balance_is_not_known_is_told() -> None:
    text = " ".join(slip("sale", "ru", **SALE_RU, tier="Базовый").split())
    assert "Начислено +2 бонуса" in text
    assert "Баланс покажем позже" in text


def test_a_guest_without_an_invitation_is_promised_nothing() -> None:
    text = slip("sale", "ru", **SALE_RU)
    assert "бонуса" not in text.replace("212 бонусов", "")
    assert "Спасибо за покупку!" in text


def test_what_is_old_says_how_old() -> None:
    assert "по данным на 20.11 18:00" in slip("sale", "ru", **SALE_RU, **MEMBER_RU, as_of="20.11 18:00")


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_pair_of_missing_fields_still_makes_a_slip(name: str, language: str) -> None:
    full: dict[str, object] = dict.fromkeys(FIELDS[name], "текст") | {"copy": True, "qr": URL}
    if "progress_bp" in full:
        full["progress_bp"] = 5000
    for missing in combinations(sorted(FIELDS[name] - ({"qr"} if name == "enrolment" else set())), 2):
        document = render(name, language, {key: value for key, value in full.items() if key not in missing})
        assert any(isinstance(element, Qr) for element in document.elements) == ("qr" not in missing)
        assert "None" not in "".join(document.texts())


def test_an_enrolment_slip_without_its_code_is_refused() -> None:
    with pytest.raises(TemplateError, match="enrolment: line 7: qr"):
        render("enrolment", "ru", {"shop": "Зерно"})


def shape(document: Document) -> list[object]:
    """The document without the letters of its texts."""
    return [
        Text("", each.bold, each.width, each.height, each.align)
        if isinstance(each, Text)
        else Columns("", "", each.bold)
        if isinstance(each, Columns)
        else each
        for each in document.elements
    ]


@given(st.text(st.one_of(st.characters(), st.sampled_from("|{}^*<>-=\n\x1b\x1d\x10")), min_size=1))
def test_no_name_changes_the_shape_of_a_slip(name: str) -> None:
    neutral = render("sale", "ru", {**SALE_RU, **MEMBER_RU})
    hostile = render("sale", "ru", {**SALE_RU, **MEMBER_RU, "shop": name, "tier": name, "prompt": None})
    assert shape(hostile) == shape(neutral)


def test_a_balance_that_is_a_sentence_is_not_set_in_big_letters() -> None:
    def width(balance: str) -> int:
        document = render("sale", "ru", {**SALE_RU, **MEMBER_RU, "balance": balance})
        return next(each.width for each in document.elements if isinstance(each, Text) and each.text == balance)

    assert width("12 345 бонусов") == 2
    assert width("0, следующие 12 бонусов погасят списанное") == 1


def test_a_value_that_looks_like_a_template_stays_text() -> None:
    document = render("sale", "ru", {**SALE_RU, "shop": "{{ pay }} {% if %} {# #}"})
    assert Text("{{ pay }} {% if %} {# #}", bold=True, height=2, align="center") in document.elements


def test_unknown_names_are_refused() -> None:
    with pytest.raises(TemplateError, match="no template 'sales'"):
        render("sales", "ru", {})
    with pytest.raises(TemplateError, match="'de'"):
        render("sale", "de", {})
    with pytest.raises(TemplateError, match="unknown fields blance"):
        render("sale", "ru", {"blance": "1"})


def test_the_bar_is_only_there_with_a_share() -> None:
    with_bar = render("sale", "ru", {**SALE_RU, **MEMBER_RU})
    without = render("sale", "ru", {**SALE_RU, **MEMBER_RU, "progress_bp": None})
    assert Progress(8000) in with_bar.elements
    assert [each for each in with_bar.elements if each != Progress(8000)] == list(without.elements)
    assert Progress(0) in render("sale", "ru", {**SALE_RU, **MEMBER_RU, "progress_bp": 0}).elements
