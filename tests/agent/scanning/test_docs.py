"""docs/scanners against the drivers: each table can be taken, each driver has one, each sentence of the log is the log's."""

import re
import tomllib
from pathlib import Path

from agent.wiring import scanner_framing
from drivers import registry
from drivers.base import DeviceBusy
from drivers.linux_devices import translated
from loyalty.strict import structure

PAGE = (Path(__file__).parents[3] / "docs/scanners/README.md").read_text(encoding="utf-8")


def test_the_scanner_tables_are_taken_and_every_driver_has_one() -> None:
    from agent.config import Scanner

    tables = [tomllib.loads(block)["scanner"][0] for block in re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)]
    for table in tables:
        scanner = structure(table, Scanner)
        driver = registry.find("scanner", scanner.driver)
        structure(scanner.options, driver.options)
        scanner_framing(driver, scanner)
    assert {table["driver"] for table in tables} == set(registry.names("scanner"))


def test_the_keys_of_framing_are_all_there() -> None:
    from dataclasses import fields

    from drivers.framing import Framing

    assert all(f"`{each.name}`" in PAGE for each in fields(Framing))


def test_what_the_log_is_said_to_say_it_says() -> None:
    busy = translated("x", OSError(16, "busy"))
    assert isinstance(busy, DeviceBusy)
    assert "another program holds" in str(busy)
