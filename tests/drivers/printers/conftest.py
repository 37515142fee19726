"""Slips to print: one of a member and one of a guest, in both languages, made by the real templates."""

from collections.abc import Callable
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from receipt_templates.document import Document
from receipt_templates.templates import render

URL = "HTTPS://BONUS.ZERNO.RU/E/" + "ABCDEFGH" * 4
SALE = {
    "ru": {"receipt_number": "118", "at": "21.11.2026 14:05", "total": "500,00\u00a0₽", "pay": "213,00\u00a0₽"},
    "en": {"receipt_number": "118", "at": "2026-11-21 14:05", "total": "€5.00", "pay": "€2.13"},
}
MEMBER: dict[str, dict[str, object]] = {
    "ru": {
        "earned": "2 бонуса",
        "redeemed": "212,00 ₽",
        "balance": "90 бонусов",
        "tier": "Базовый",
        "to_next": "До «Серебряного» — 1 покупка",
        "progress_bp": 8000,
    },
    "en": {
        "earned": "2 points",
        "redeemed": "€2.12",
        "balance": "90 points",
        "tier": "Basic",
        "to_next": "1 more purchase to “Silver”",
        "progress_bp": 8000,
    },
}
GUEST = {
    "ru": {"earned": "25 бонусов", "valid_days": "14 дней"},
    "en": {"earned": "25 points", "valid_days": "14 days"},
}

Slip = Callable[..., Document]


@pytest.fixture(scope="session")
def slip() -> Slip:
    """`slip("ru", "guest", shop="...")`."""

    def make(language: str, kind: str, **changes: object) -> Document:
        fields: dict[str, object] = {"shop": "Зерно" if language == "ru" else "Grain", **SALE[language]}
        fields |= MEMBER[language] if kind == "member" else {**GUEST[language], "qr": URL, "qr_host": "bonus.zerno.ru"}
        return render("sale", language, fields | changes)

    return make


@pytest.fixture(scope="session")
def read_codes() -> Callable[[bytes], list[str]]:
    """The QR codes on a PNG, read from its pixels by somebody else's program."""

    def read(png: bytes) -> list[str]:
        picture = Image.open(BytesIO(png)).convert("L")
        return [code.text for code in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)]

    return read
