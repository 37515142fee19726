"""What stands on the page of `tillmate printer test`: which printer the config means by that name."""

from __future__ import annotations

from agent import __version__
from agent.clock import Clock
from agent.config import Config, Printer
from agent.receipts.slip_printing import model_of
from loyalty.i18n import Language, text


def selftest_data(config: Config, table: Printer, clock: Clock, language: Language) -> dict[str, object]:
    """For the template `selftest`. Raises BadInput for a profile that cannot be read."""
    columns = model_of(config, table).columns
    options = ", ".join(f"{key} {value}" for key, value in table.options.items())
    return {
        "shop": config.receipt.shop or None,
        "at": f"{clock.now().astimezone():%d.%m.%Y %H:%M}",
        "printer": table.name,
        "profile": table.profile,
        "connection": f"{table.driver}: {options}" if options else table.driver,
        "paper": text("cli.printer_paper", language, width=table.width, columns=columns),
        "version": __version__,
        "qr": config.server.url,
    }
