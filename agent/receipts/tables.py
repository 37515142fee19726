"""The list of templates, for people."""

from __future__ import annotations

from rich.table import Table

from agent.receipts.own_templates import Own
from loyalty.i18n import LANGUAGES, Language, text
from receipt_templates.templates import names


def template_table(own: Own, language: Language) -> Table:
    """Each template with what it is for, and whose it is."""
    table = Table(show_header=False)
    for name in names():
        whose = [each for each in LANGUAGES if f"{each}/{name}.receipt" in own]
        origin = text("receipt.overridden", language, languages=", ".join(whose)) if whose else ""
        table.add_row(name, text(f"receipt.about_{name}", language), origin)
    for path in own:
        if path.endswith(".part"):
            table.add_row(path, text("receipt.part", language), text("receipt.own", language))
    return table
