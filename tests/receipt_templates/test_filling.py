"""A retailer's own templates: in place of ours, held to the dialect, and never able to run away."""

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receipt_templates.document import Columns, Document, Text
from receipt_templates.filling import OURS
from receipt_templates.templates import TemplateError, example, names, render

Own = Callable[[str], str | None]


def own(**files: str) -> Own:
    """The files of a retailer: `sale_receipt` is ru/sale.receipt."""
    texts = {f"ru/{name.replace('_', '.')}": text for name, text in files.items()}
    return texts.get


def sale(template: str, data: dict[str, object] | None = None, **parts: str) -> Document:
    return render("sale", "ru", data or {"pay": "5,00"}, own(sale_receipt=template, **parts))


def refused(template: str, data: dict[str, object] | None = None, **parts: str) -> str:
    with pytest.raises(TemplateError) as caught:
        sale(template, data, **parts)
    return str(caught.value)


def test_a_file_of_the_retailer_goes_before_ours() -> None:
    assert sale("* Всего | {{ pay }}\n").elements == (Columns("Всего", "5,00", bold=True),)
    changed = render("sale", "ru", example("sale", "ru"), own(head_part="<> НОВАЯ ШАПКА\n"))
    ours = render("sale", "ru", example("sale", "ru"))
    assert changed.elements == (Text("НОВАЯ ШАПКА", align="center"), *ours.elements[4:])
    assert render("sale", "en", example("sale", "en"), own(head_part="")) == render("sale", "en", example("sale", "en"))


def test_his_template_may_use_our_parts_and_parts_of_his_own() -> None:
    both = '{% include "ru/head.part" %}\n{% include "ru/regards.part" %}\n'
    document = sale(both, {"pay": "1", "shop": "Зерно"}, regards_part="Ваш {{ shop }}\n")
    assert document.elements[1:] == (Text("Зерно", bold=True, height=2, align="center"), Text("Ваш Зерно"))


def test_files_of_editors_that_mark_them_are_read() -> None:
    assert sale("\ufeffИтого | {{ pay }}\r\nконец\r\n").elements == (Columns("Итого", "5,00"), Text("конец"))


def test_lists_conditions_and_filters() -> None:
    template = (
        "{% for line in header if line %}\n{{ loop.index }} {{ line|upper }}\n{% else %}\nпусто\n{% endfor %}\n"
        "{{ header|length }} {{ shop|default('нет', true) }} {{ 'да' if pay == '1' else 'нет' }} {{ header[0] }}\n"
    )
    texts = list(sale(template, {"pay": "1", "header": ["а", "", "б"]}).texts())
    assert texts == ["1 А", "2 Б", "3 нет да а"]
    assert list(sale(template, {"pay": "2", "header": ["а"]}).texts())[-1] == "1 нет нет а"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("a\n{{ balanse }}\n", "ru/sale.receipt, line 2: unknown name 'balanse'; did you mean 'balance'?"),
        ("{% if balanse %}\n{% endif %}\n", "line 1: unknown name 'balanse'"),
        ("a\n{% if pay %}\n", "ru/sale.receipt, line 2: Unexpected end of template"),
        ("{{ pay", "ru/sale.receipt, line 1: unexpected end of template"),
        ("a\n\n{qr}\n", "ru/sale.receipt, line 3: qr: a QR code holds 1 to 331 bytes, not 0"),
        ("{% if pay %}\n{cut}\n{% endif %}\n", "ru/sale.receipt, line 2: unknown command, known: barcode, feed"),
        ('{% include "ru/none.part" %}', "ru/sale.receipt: no file 'ru/none.part' to include"),
        ('{% include "../data.py" %}', "include takes the name of a part"),
        ('{% include "../../etc/passwd.part" %}', "no file '../../etc/passwd.part'"),
        ('{% include "ru/sale.receipt" %}', "include takes the name of a part"),
        ("{% include shop %}", "include takes the name of a part"),
        ("{{ items }}", "ru/sale.receipt, line 1: only texts and whole numbers can be inserted"),
        ("a\n{{ shop.upper }}", "ru/sale.receipt, line 2: "),
        ("{{ pay.__class__ }}", "ru/sale.receipt, line 1: "),
        ("{{ header[7] }}", "ru/sale.receipt, line 1: "),
        (
            "{% for a in items %}{{ a.nmae }}{% endfor %}",
            "ru/sale.receipt, line 1: unknown key 'nmae'; did you mean 'name'?",
        ),
        ("{{ items[0].nmae }}", "ru/sale.receipt, line 1: "),
        ("{{ progress_bp < shop }}", "ru/sale.receipt, line 1: "),
        ("{{ pay|format }}", "unknown filter 'format'"),
        ("{{ pay|center(99999999) }}", "unknown filter 'center'"),
        ("{% if pay is divisibleby 2 %}{% endif %}", "unknown test 'divisibleby'"),
        ("{{ range(9) }}", "call is not possible"),
        ("{{ pay * 9 }}", "mul is not possible"),
        ("{{ pay ~ pay }}", "concat is not possible"),
        ("{% set a = pay %}", "assign is not possible"),
        ("{% macro m() %}{% endmacro %}", "macro is not possible"),
        ('{% extends "ru/head.part" %}', "extends is not possible"),
        ('{% import "ru/head.part" as h %}', "import is not possible"),
        ("{% for a in items %}{% for b in items %}{% endfor %}{% endfor %}", "a loop inside a loop"),
        ("{% for a in items recursive %}{% endfor %}", "a loop inside a loop"),
        ("{% for a in shop %}{% endfor %}", "a loop goes over a list of the data: header, items"),
        ("{% for a, b in items %}{% endfor %}", "a loop takes one name"),
        ('{% for a in items %}{% include "ru/head.part" %}{% endfor %}', "include is not possible inside a loop"),
        ("x" * 40_000, "ru/sale.receipt: 40000 characters, its parts included, are too many; at most 16384"),
        ('{% include "ru/head.part" %}' * 1300, "characters, its parts included, are too many; at most 16384"),
        ('{% include "ru/head.part" %}' * 130, "ru/sale.receipt: 16900 characters, its parts included, are too many"),
        ('{% include "ru/items.part" %}' * 20, "ru/sale.receipt: too much in loops, its parts included"),
        ("{% for a in items %}{% if pay" + "|trim" * 300 + " %}{% endif %}{% endfor %}", "too much in loops"),
        ("{{ items|upper }}", "ru/sale.receipt, line 1: upper takes a text alone"),
        ("{% if items[0]|trim %}{% endif %}", "trim takes a text alone"),
        ("{% for a in items %}" + "\n" * 2001 + "{% endfor %}x", "more than 2000 lines"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "ru/sale.receipt: brackets or conditions nested too deeply"),
        ("{% if pay %}" * 200 + "{% endif %}" * 200, "ru/sale.receipt"),
        ("{{ " + "9" * 9000 + " }}", "ru/sale.receipt"),
        ("{{ " + "not " * 5000 + "pay }}", "ru/sale.receipt"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(template: str, why: str) -> None:
    assert why in refused(template, {"pay": "5", "items": [{"name": "a", "amount": "1"}], "progress_bp": 1})


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("a\n{{ balanse }}", "ru/sale.receipt, строка 2: нет имени «balanse»; может быть, «balance»?"),
        ("{qr A", "ru/sale.receipt, строка 1: строка, которая начинается с «{», должна кончаться на «}»: это команда"),
        (
            "{barcode ean8 12345678}",
            "строка 1: команда barcode: последняя цифра ean8 12345678 должна быть контрольной: 0",
        ),
        (
            "{{ items }}",
            "ru/sale.receipt, строка 1: вставить можно только текст или целое число; по списку идут циклом for",
        ),
        ("{{ pay", "ru/sale.receipt, строка 1: не разобрать: unexpected end of template"),
    ],
)
def test_a_russian_designer_is_told_in_russian(template: str, sentence: str) -> None:
    with pytest.raises(TemplateError) as caught:
        sale(template)
    assert sentence in caught.value.said("ru")


def test_a_part_cannot_include_a_part_and_so_never_itself() -> None:
    part = '{% include "ru/head.part" %}'
    assert "ru/head.part, line 1: include is not possible" in refused(part, head_part=part)


def test_the_place_is_that_of_the_part() -> None:
    assert refused('{% include "ru/head.part" %}', head_part="a\n{feed x}\n") == (
        "ru/head.part, line 2: feed: 'x' is not a whole number"
    )
    assert refused('{% include "ru/head.part" %}', head_part="a\n\n{{ item }}").startswith("ru/head.part, line 3: ")


def test_a_template_that_makes_too_much_is_stopped() -> None:
    rows = [{"name": "a", "amount": "1"}] * 500
    said = refused("{% for a in items %}" + "x" * 15_000 + "{% endfor %}", {"pay": "1", "items": rows})
    assert "makes more than 65536 characters" in said


def test_the_worst_that_the_dialect_allows_ends_soon() -> None:
    rows = [{"name": "a", "amount": "1"}] * 500
    begun = time.process_time()
    for slow in ("pay in items", "pay|capitalize|capitalize|capitalize"):
        template = "{% for a in items %}" + f"{{% if {slow} %}}{{% endif %}}" * 50 + "{% endfor %}"
        sale(template, {"pay": "x" * 2000, "items": rows})
    assert time.process_time() - begun < 3


PIECES = """{{ pay }} {%for~a~in~items%} {%endfor%} {%if~shop%} {%endif%} {%else%} a.name loop.index {{a.name}} {{shop|upper}}
{# #} <> ^^* {qr~x} {progress~5} {{ }} {% %} '~' is~none {%raw%} {stamps~1~2} {barcode~ean8~1} {{header[0]}} {{pay.x.y}}
{{-1}} {{[1]}} {{{}}} {%set~ns.x=1%} {{pay()}}"""


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(st.sampled_from(["\n", *(piece.replace("~", " ") for piece in PIECES.split())]), st.text(max_size=5)),
        max_size=12,
    ).map("".join)
)
def test_any_template_is_a_document_or_an_error_of_ours(template: str) -> None:
    data: dict[str, object] = {"pay": "1", "items": [{"name": "a", "amount": "1"}], "header": ["h"]}
    with suppress(TemplateError):
        assert isinstance(sale(template, data), Document)


def test_our_own_templates_keep_to_the_dialect() -> None:
    def ours_as_his(path: str) -> str | None:
        return (OURS / path).read_text("utf-8")

    for name in names():
        for language in ("ru", "en"):
            data = example(name, language)
            assert render(name, language, data, ours_as_his) == render(name, language, data)
