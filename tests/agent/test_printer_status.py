"""`tillmate printer status` and `test`: with the agent and without, what they say is what the printer says and prints."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from agent import __version__, config
from agent.app import build
from agent.cli import main
from agent.clock import SystemClock

if TYPE_CHECKING:
    from conftest import Threads, Until, VirtualPrinter

CONFIG = """
language = "{language}"
[state]
folder = "{folder}"
[server]
url = "https://loyalty.example.org"
[api]
port = {api}
[[till]]
id = "1"
printer = "receipt"
[[till]]
id = "2"
printer = "kitchen"
[[printer]]
name = "receipt"
driver = "tcp"
options = {{ host = "127.0.0.1", port = {printer} }}
[[printer]]
name = "kitchen"
driver = "tcp"
options = {{ host = "127.0.0.1", port = 9 }}
"""


class Shop:
    """A config with a printer that is there and one that is not, and the verbs with it."""

    def __init__(self, folder: Path, threads: Threads, until: Until, printer: VirtualPrinter) -> None:
        self.folder, self.threads, self.until, self.printer = folder, threads, until, printer
        self.language = "en"

    def config(self) -> Path:
        with socket.create_server(("127.0.0.1", 0)) as free:
            api = free.getsockname()[1]
        file = self.folder / "config.toml"
        given = {"language": self.language, "folder": self.folder, "api": api, "printer": self.printer.port}
        file.write_text(CONFIG.format(**given), encoding="utf-8")
        return file

    def call(self, *words: str) -> Result:
        return CliRunner().invoke(main, ["printer", *words, "--config", str(self.config())])

    def status(self, name: str = "receipt") -> dict[str, Any]:
        reports: list[dict[str, Any]] = json.loads(self.call("status", "--printer", name, "--json").stdout)
        assert len(reports) == 1
        return reports[0]

    def start_agent(self) -> None:
        agent = build(config.load(self.config()), SystemClock())
        self.threads.start(lambda stop: agent.run(stop) and None)
        self.until((self.folder / "admin.sock").exists)


@pytest.fixture
def shop(tmp_path: Path, threads: Threads, until: Until, virtual_printer: VirtualPrinter) -> Shop:
    return Shop(tmp_path, threads, until, virtual_printer)


def test_without_an_agent_the_printer_itself_is_asked(shop: Shop) -> None:
    ended = shop.call("status", "--printer", "receipt")
    assert (ended.exit_code, ended.output) == (
        0,
        "receipt: The printer is ready. The agent does not run, so the printer itself was asked.\n"
        "Model: Tillmate Virtual printer\n",
    )
    report = shop.status()
    assert (report["state"], report["model"], set(report["condition"].values())) == (
        "ok",
        "Tillmate Virtual printer",
        {False},
    )


@pytest.mark.parametrize(
    ("fault", "state", "word", "key"),
    [
        ("paper_out", "down", "Кончилась бумага", "paper_out"),
        ("paper_near_end", "warning", "Бумага кончается", "paper_low"),
        ("cover_open", "down", "Открыта крышка", "cover_open"),
        ("cutter_jam", "down", "резак", "cutter"),
        ("overheat", "down", "перегрелась", "overheated"),
    ],
)
def test_what_is_wrong_is_said_in_words(shop: Shop, fault: str, state: str, word: str, key: str) -> None:
    shop.language = "ru"
    shop.printer.do(fault)
    ended = shop.call("status", "--printer", "receipt")
    assert (ended.exit_code, word in ended.output) == (int(state == "down"), True), ended.output
    report = shop.status()
    assert (report["state"], report["condition"][key]) == (state, True)


def test_a_printer_that_answers_nothing_or_is_not_there(shop: Shop) -> None:
    shop.printer.do("mute")
    ended = shop.call("status", "--printer", "receipt")
    assert (ended.exit_code, "it cannot say whether it prints" in ended.output) == (0, True)
    everything = shop.call("status")
    assert (everything.exit_code, len(everything.output.splitlines())) == (1, 3)
    assert "kitchen: The receipt printer cannot be reached" in everything.output
    assert "Details: printer 127.0.0.1:9" in everything.output
    refused = shop.call("status", "--printer", "x")
    assert (refused.exit_code, refused.stderr) == (2, "No [[printer]] is called 'x'; there are: receipt, kitchen.\n")


def test_a_running_agent_is_asked_and_keeps_its_printer(shop: Shop) -> None:
    shop.start_agent()
    shop.until(lambda: shop.status()["state"] == "ok")
    report = shop.status()
    assert (report["told_by"], report["text"]["en"], report["condition"]) == ("agent", "The printer is ready.", None)
    shop.printer.do("cover_open")
    shop.until(lambda: "cover is open" in shop.status()["text"]["en"])
    assert shop.call("status").exit_code == 1
    shop.until(lambda: shop.status("kitchen")["state"] == "down")


@pytest.mark.parametrize("with_agent", [False, True])
def test_a_test_page_says_what_it_is_and_what_became_of_it(shop: Shop, with_agent: bool) -> None:
    if with_agent:
        shop.start_agent()
        shop.until(lambda: shop.status()["state"] == "ok")
    job = ", job 1" if with_agent else ""
    ended = shop.call("test", "--printer", "receipt")
    assert (ended.exit_code, ended.output) == (0, f"Printer receipt{job}: printed.\n")
    (paper,) = shop.printer.papers
    for word in ("receipt", "default", f"tcp: host 127.0.0.1, port {shop.printer.port}", "80 mm", __version__):
        assert word in " ".join(paper.split()), word


@pytest.mark.parametrize(
    ("do", "code", "words"),
    [
        (lambda printer: printer.do("paper_out"), 1, "was not printed (paper out)"),
        (lambda printer: printer.do("mute"), 0, "sent to the printer (the printer does not answer questions)"),
        (lambda printer: printer.do("fault_after", bytes=60, fault="reset"), 1, "not known whether printed"),
    ],
    ids=["failed", "sent", "unknown"],
)
def test_a_test_page_that_is_not_printed_is_not_said_to_be(
    shop: Shop, do: Callable[[VirtualPrinter], object], code: int, words: str
) -> None:
    do(shop.printer)
    ended = shop.call("test")
    assert (ended.exit_code, words in ended.output) == (code, True), ended.output
