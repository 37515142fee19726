"""The hardest data that a template must bear: the longest names and sums of real shops."""

from __future__ import annotations

from collections.abc import Mapping

from loyalty.i18n import Language
from receipt_templates.fields import FIELDS, Field

_LONG: Mapping[Language, Mapping[str, str]] = {
    "ru": {
        "shop": "Супермаркет «Перекрёсток Заречный»",
        "name": "Средство для посудомоечных машин «Высокоэффективное», 1 000 мл, водорастворимое",
        "tier": "Платиново-бриллиантовый",
        "next_tier": "Платиново-бриллиантовый",
        "title": "Электрокофеварка в подарок",
        "cashier": "Рождественская-Преображенская Е. А.",
        "balance": "12 345 678,90 бонуса",
        "earned": "1 234 567,89 бонуса",
        "quantity": "1 234,567 кг × 12 345,60",
        "amount": "12 345 678,90 ₽",
        "total": "12 345 678,90 ₽",
        "discount": "1 234 567,89 ₽",
        "redeemed": "1 234 567,89 ₽",
        "pay": "12 345 678,90 ₽",
        "refund": "12 345 678,90 ₽",
        "turnover": "1 234 567 890,12 ₽",
    },
    "en": {
        "shop": "Agricultural Cooperative Superstore",
        "name": "Dishwasher detergent “Ultra-Concentrated Professional”, 1,000 ml, water-soluble capsules",
        "tier": "Platinum Diamond Ambassador",
        "next_tier": "Platinum Diamond Ambassador",
        "title": "A coffee percolator for free",
        "cashier": "Featherstonehaugh-Cholmondeley, M.",
        "balance": "12,345,678.90 points",
        "earned": "1,234,567.89 points",
        "quantity": "1,234.567 kg × 12,345.60",
        "amount": "€12,345,678.90",
        "total": "€12,345,678.90",
        "discount": "€1,234,567.89",
        "redeemed": "€1,234,567.89",
        "pay": "€12,345,678.90",
        "refund": "€12,345,678.90",
        "turnover": "€1,234,567,890.12",
    },
}


def worst(name: str, language: Language, example: Mapping[str, object], shop: str = "") -> dict[str, object]:
    """The example with the longest of everything that has no form of its own; `shop` is the real one, where it is known."""
    longest = {key: _longest(_field(FIELDS.get(name, ()), key), value, language) for key, value in example.items()}
    return {**longest, "shop": shop} if shop and "shop" in example else longest


def _field(fields: tuple[Field, ...], name: str) -> Field | None:
    return next((field for field in fields if field.name == name), None)


def _longest(field: Field | None, value: object, language: Language) -> object:
    if field is None:
        return value
    if field.kind == "rows" and isinstance(value, list):
        return [{key: _longest(_field(field.rows, key), each, language) for key, each in row.items()} for row in value]
    return _LONG[language].get(field.name, value) if field.kind == "text" else value
