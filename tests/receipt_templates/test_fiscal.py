"""Slips for the printers of others: ATOL's JSON."""

from hypothesis import given
from hypothesis import strategies as st

from receipt_templates.document import Barcode, Columns, Document, Feed, Logo, Progress, Qr, Rule, Text
from receipt_templates.fiscal import atol_items
from receipt_templates.templates import example, names, render

PLAIN = {"type": "text", "alignment": "left", "wrap": "none", "font": 0, "doubleWidth": False, "doubleHeight": False}


def test_each_element_as_an_item() -> None:
    document = Document(
        (
            Logo(),
            Text("Зерно", bold=True, width=2, height=2, align="center"),
            Columns("Итог", "5,00\u00a0₽"),
            Text("мелко", font="B", align="right"),
            Rule(),
            Feed(2),
            Progress(5000),
            Qr("HTTPS://A/E/B", "a.ru"),
            Barcode("4600000000008", "ean13"),
        ),
        "ru",
    )
    text = {**PLAIN, "alignment": "center"}
    assert atol_items(document, 16) == [
        {**text, "text": "Зерно", "doubleWidth": True, "doubleHeight": True},
        {**PLAIN, "text": "Итог      5,00 ₽"},
        {**PLAIN, "text": "мелко", "alignment": "right"},
        {**PLAIN, "text": "-" * 16},
        {**PLAIN, "text": ""},
        {**PLAIN, "text": ""},
        {**text, "text": "████░░░░ 50 %"},
        {"type": "barcode", "barcode": "HTTPS://A/E/B", "barcodeType": "QR", "alignment": "center", "scale": 6},
        {**text, "text": "a.ru"},
        {
            "type": "barcode",
            "barcode": "4600000000008",
            "barcodeType": "EAN13",
            "alignment": "center",
            "scale": 2,
            "height": 60,
            "printText": False,
        },
        {**text, "text": "4600000000008"},
    ]


@given(st.sampled_from(names()), st.sampled_from([24, 32, 42, 48, 64]))
def test_no_line_is_longer_than_the_paper(name: str, columns: int) -> None:
    for item in atol_items(render(name, "ru", example(name, "ru")), columns):
        if item["type"] == "text":
            assert len(str(item["text"])) * (2 if item["doubleWidth"] else 1) <= columns
