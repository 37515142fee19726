"""What all tests share: `--full` chooses the sizes that the acceptance lines name, without it the tests run smaller."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer

from .rig.cups import cups as cups
from .rig.postgresql import postgresql as postgresql
from .schedule import Schedule, mix

CHROMIUM = Path("/usr/bin/chromium")

settings.register_profile("tillmate", deadline=None)  # a busy machine is not a failure
settings.load_profile("tillmate")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the sizes that the acceptance lines name")
    parser.addoption("--kills", type=int, default=60, help="how often the chaos test kills agent or server (make soak)")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Schedule | None:
    return Schedule(config, log) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items[:] = mix(items)
    if not config.getoption("--full"):
        left_out = pytest.mark.skip(reason="needs --full (make test-full)")
        for item in items:
            if item.get_closest_marker("full"):
                item.add_marker(left_out)


@pytest.fixture
def size(pytestconfig: pytest.Config) -> Callable[[int, int], int]:
    """`size(small, full)`: how many, in this run."""
    return lambda small, full: full if pytestconfig.getoption("--full") else small


@pytest.fixture
def proof(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """`proof("60 kills, 0 lost")`: a line for the end of the whole run."""
    return lambda line: record_property("proof", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    lines = [line for report in reports for name, line in report.user_properties if name == "proof"]
    if lines:
        terminalreporter.section("counted")
    for line in sorted(lines):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Debian's Chromium; tests of the pages skip where it is missing, except in CI."""
    if not CHROMIUM.exists():
        assert not os.environ.get("CI"), f"{CHROMIUM} is missing: apt-get install chromium"
        pytest.skip(f"{CHROMIUM} is not installed")
    return str(CHROMIUM)
