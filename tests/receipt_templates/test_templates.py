"""Our slips, as the customer reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.data import ROWS_LIMIT
from receipt_templates.document import Columns, Document, Logo, Progress, Qr, Text, from_json, to_json
from receipt_templates.fields import FIELDS
from receipt_templates.layout import slip_lines
from receipt_templates.templates import TemplateError, example, fields, names, render, samples

LANGUAGES = ("ru", "en")
URL = "HTTPS://BONUS.ZERNO.RU/E/" + "ABCDEFGH" * 4
SALE_RU: dict[str, object] = {
    "shop": "Кофейня «Зерно»",
    "receipt_number": "118",
    "at": "21.11.2026 14:05",
    "total": "500,00\u00a0₽",
    "discount": "75,00\u00a0₽",
    "redeemed": "212,00\u00a0₽",
    "pay": "213,00\u00a0₽",
    "earned": "2 бонуса",
}
MEMBER_RU: dict[str, object] = {
    "balance": "90 бонусов",
    "tier": "Базовый",
    "to_next": "До уровня «Серебряный» осталась 1 покупка",
    "progress_bp": 8000,
}


def slip(name: str, language: str, data: dict[str, object], columns: int = 32) -> str:
    return "\n".join(slip_lines(render(name, language, data), columns)) + "\n"


def test_the_slip_of_a_member() -> None:
    assert slip("sale", "ru", SALE_RU | MEMBER_RU) == (
        "        Кофейня «Зерно»\n"
        "Чек № 118       21.11.2026 14:05\n"
        "--------------------------------\n"
        "Сумма                   500,00 ₽\n"
        "Скидка                  −75,00 ₽\n"
        "Бонусами               −212,00 ₽\n"
        "Оплачено                213,00 ₽\n"
        "\n"
        "Начислено              +2 бонуса\n"
        "          Теперь у вас\n"
        "           90 бонусов\n"
        "\n"
        "Уровень                  Базовый\n"
        "   ████████████████░░░░ 80 %\n"
        "     До уровня «Серебряный»\n"
        "       осталась 1 покупка\n"
        "\n"
        "      Спасибо за покупку!\n"
    )


def test_the_slip_of_a_guest_invites() -> None:
    data = {"shop": "Grain", "at": "2026-11-21", "pay": "€5.00", "earned": "25 points"}
    invitation = {"qr": URL, "qr_host": "bonus.zerno.ru", "valid_days": "14 days"}
    assert slip("sale", "en", {**data, **invitation}, 42) == (
        "                  Grain\n"
        "                2026-11-21\n"
        "------------------------------------------\n"
        "Paid                                 €5.00\n"
        "\n"
        "      Your points for this purchase\n"
        "                25 points\n"
        "\n"
        "       Scan with your phone camera\n"
        "          and enter your number\n"
        f"[qr {URL}]\n"
        "              bonus.zerno.ru\n"
        "      The code is valid for 14 days\n"
        "\n"
        "                Thank you!\n"
    )


def test_the_reference_receipt() -> None:
    """The receipt that the figures about bytes and speed are measured on."""
    data = example("sale", "ru")
    text = slip("sale", "ru", data, 42)
    assert len(str(data["qr"])) == 90
    assert isinstance(data["items"], list)
    assert len(data["items"]) == 8
    assert "Багет\n2 × 129,90                        259,80 ₽\n" in text
    assert "[qr https://bonus.zerno.example/r/" in text
    assert [text.count(sign) for sign in "«»—×№"] == [3, 3, 2, 8, 2]
    assert text.count("₽") + text.count("→") >= 11


def test_a_shift_report_and_a_return() -> None:
    shift = slip("shift", "ru", example("shift", "ru"))
    assert "С картой               96 (67 %)\n" in shift
    assert "Не отправлено" in shift
    back = slip("return", "en", example("return", "en"))
    assert "For receipt 118\n" in back
    assert "Back on the card      +39 points\n" in back


def test_coupons_carry_a_barcode_or_a_qr_code() -> None:
    data = example("coupon", "ru")
    assert "[barcode ZERNO-15-7F3A]\n         ZERNO-15-7F3A\n" in slip("coupon", "ru", data)
    assert "[qr ZERNO-15-7F3A]\n" in slip("coupon", "ru", data | {"code_form": "qr"})
    assert "[barcode 4600000000008]\n" in slip("coupon", "ru", data | {"code_form": "ean13", "code": "4600000000008"})


def test_a_full_stamp_card_shows_the_gift() -> None:
    full = example("stamps", "en") | {"filled": 6, "gift": "This coffee is on us"}
    text = slip("stamps", "en", full)
    assert "This coffee is on us" in text
    assert "2 more coffees" not in text


def test_a_member_whose_balance_is_not_known_is_told() -> None:
    text = slip("sale", "ru", SALE_RU | {"card_only": True})
    assert "Начислено              +2 бонуса\n" in text
    assert "Баланс покажем позже" in text


def test_a_guest_without_an_invitation_is_promised_nothing() -> None:
    text = slip("sale", "ru", SALE_RU)
    assert "бонуса" not in text
    assert "Спасибо за покупку!" in text


def test_what_is_old_says_how_old() -> None:
    assert "по данным на 20.11 18:00" in slip("sale", "ru", SALE_RU | MEMBER_RU | {"as_of": "20.11 18:00"})


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", names())
def test_every_sample_makes_a_slip(name: str, language: str) -> None:
    """The example, the least, and the example without each part; all of its words stand on paper, and no other's."""
    unseen = {"qr", "code_form", "as_of", "total"}
    for data in samples(name, language):
        document = render(name, language, data)
        assert from_json(to_json(document)) == document
        texts = "\n".join(document.texts())
        assert "None" not in texts
        assert not {"{", "}", "|", "%}"} & set(texts)
        for field in fields(name):
            value = data.get(field.name)
            if (
                field.kind == "text"
                and value
                and field.name not in unseen | ({"qr_host"} if "qr" not in data else set())
            ):
                assert str(value) in texts, field.name


@pytest.mark.parametrize("name", names())
def test_examples_are_in_their_language_and_whole(name: str) -> None:
    """An example shows every part but those that exclude one another."""
    russian, english = (example(name, language) for language in LANGUAGES)
    assert russian.keys() == english.keys()
    left_out = {"card_only", "discount", "as_of", "gift", "qr_host", "valid_days", "header"}
    assert {field.name for field in fields(name)} - russian.keys() <= left_out
    cyrillic = set(map(chr, range(0x410, 0x450)))
    assert not cyrillic & set(slip(name, "en", english))
    assert len(cyrillic & set(slip(name, "ru", russian))) > 15


def test_examples_are_copies() -> None:
    example("sale", "ru")["pay"] = "0"
    assert example("sale", "ru")["pay"] != "0"


def test_every_slip_has_a_place_for_the_logo_at_its_head() -> None:
    assert all(render(name, "ru", example(name, "ru")).elements[0] == Logo() for name in names())


def shape(document: Document) -> list[object]:
    """The document without the letters of its texts."""
    return [
        Text("", each.bold, each.width, each.height, each.align, each.font)
        if isinstance(each, Text)
        else Columns("", "", each.bold, each.font, each.height)
        if isinstance(each, Columns)
        else each
        for each in document.elements
    ]


@given(st.text(st.one_of(st.characters(), st.sampled_from("|{}^*<>-=~%#\n\x1b\x1d\x10"))).map("x{}".format))
def test_no_name_changes_the_shape_of_a_slip(name: str) -> None:
    neutral = example("sale", "ru")
    items = neutral["items"]
    assert isinstance(items, list)
    hostile = {
        **neutral,
        "shop": name,
        "tier": name,
        "header": [name] * 2,
        "items": [{**items[0], "name": name}, *items[1:]],
    }
    assert shape(render("sale", "ru", hostile)) == shape(render("sale", "ru", neutral))


def test_a_balance_that_is_a_sentence_is_not_set_in_big_letters() -> None:
    def width(balance: str) -> int:
        document = render("sale", "ru", SALE_RU | MEMBER_RU | {"balance": balance})
        return next(each.width for each in document.elements if isinstance(each, Text) and each.text == balance)

    assert width("12 345 бонусов") == 2
    assert width("0, следующие 12 бонусов погасят списанное") == 1


def test_a_value_that_looks_like_a_template_stays_text() -> None:
    document = render("sale", "ru", SALE_RU | {"shop": "{{ pay }} {% if %} {# #}"})
    assert Text("{{ pay }} {% if %} {# #}", bold=True, height=2, align="center") in document.elements


def test_the_bar_is_only_there_with_a_share() -> None:
    with_bar = render("sale", "ru", SALE_RU | MEMBER_RU)
    without = render("sale", "ru", SALE_RU | MEMBER_RU | {"progress_bp": None})
    assert Progress(8000) in with_bar.elements
    assert [each for each in with_bar.elements if each != Progress(8000)] == list(without.elements)
    assert Progress(0) in render("sale", "ru", SALE_RU | MEMBER_RU | {"progress_bp": 0}).elements


@pytest.mark.parametrize(
    ("name", "language", "data", "why"),
    [
        ("sales", "ru", {}, "sales: no such template; did you mean 'sale'"),
        ("sale", "de", {}, "de: no templates in this language; there are ru and en"),
        ("sale", "ru", {}, "ru/sale.receipt: 'pay' is missing; it must be there"),
        ("sale", "ru", {"pay": "1", "balanse": "1"}, "unknown key 'balanse'; did you mean 'balance'?"),
        ("sale", "ru", {"pay": "1", "zzz": "1"}, "unknown key 'zzz'; there are as_of, at, balance"),
        ("sale", "ru", {"pay": 5}, "'pay' must be text in quotes, not 5"),
        ("sale", "ru", {"pay": "1", "card_only": 1}, "'card_only' must be true or false, not 1"),
        (
            "sale",
            "ru",
            {"pay": "1", "progress_bp": True},
            "'progress_bp' must be a whole number of at most nine digits, not T",
        ),
        ("sale", "ru", {"pay": "1", "progress_bp": 10**9}, "'progress_bp' must be a whole number of at most nine"),
        ("sale", "ru", {"pay": "1" * 2001}, "ru/sale.receipt: 'pay' has 2001 characters, at most 2000 are printed"),
        ("sale", "ru", {"pay": "1", "header": ["", "1" * 2001]}, "'header' has 2001 characters"),
        ("sale", "ru", {"pay": "1", "header": "a"}, "'header' must be a list of texts, not 'a'"),
        ("sale", "ru", {"pay": "1", "header": [1]}, "'header' must be a list of texts"),
        ("sale", "ru", {"pay": "1", "items": "a"}, "'items' must be a list of rows, not 'a'"),
        ("sale", "ru", {"pay": "1", "items": ["a"]}, "items[0]: must be an object with name, quantity, amount"),
        ("sale", "ru", {"pay": "1", "items": [{"name": "a"}]}, "items[0]: 'amount' is missing"),
        (
            "sale",
            "ru",
            {"pay": "1", "items": [{"name": "a", "amount": "1", "prise": ""}]},
            "items[0]: unknown key 'prise'",
        ),
        ("sale", "ru", {"pay": "1", "items": [{}] * (ROWS_LIMIT + 1)}, "501 rows are too many"),
        (
            "enrolment",
            "ru",
            {"qr": "A" * 332},
            "ru/invitation.part, line 3: qr: a QR code holds 1 to 331 bytes, not 332",
        ),
        (
            "coupon",
            "ru",
            {"title": "a", "code": "Кофе"},
            "ru/coupon.receipt, line 15: barcode: a barcode code128 holds",
        ),
        (
            "coupon",
            "en",
            {"title": "a", "code": "1", "code_form": "ean"},
            "line 15: barcode: no kind 'ean', there are ean13",
        ),
    ],
)
def test_wrong_data_is_refused_with_the_place_and_the_cure(
    name: str, language: str, data: dict[str, object], why: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        render(name, language, data)
    assert why in str(caught.value)


def test_none_is_as_good_as_nothing() -> None:
    assert render("sale", "ru", {"pay": "1", "items": None, "qr": None}) == render("sale", "ru", {"pay": "1"})


def test_the_fields_are_told_to_people() -> None:
    assert set(names()) == FIELDS.keys() >= {"sale", "balance", "enrolment", "tier", "expiring", "coupon", "stamps"}
    for name in names():
        declared = fields(name)
        assert len({field.name for field in declared}) == len(declared)
        assert all(field.what and (field.kind == "rows") == bool(field.rows) for field in declared)
    with pytest.raises(TemplateError, match="tiers: no such template"):
        fields("tiers")


def test_the_qr_code_of_a_member_comes_with_its_call() -> None:
    elements = render("sale", "en", {"pay": "1", "balance": "2", "qr": "A", "call_to_action": "Scan"}).elements
    at = elements.index(Qr("A"))
    assert elements[at - 1] == Text("Scan", bold=True, align="center")
