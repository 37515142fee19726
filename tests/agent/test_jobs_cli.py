"""`tillmate jobs ...`: what became of each receipt, and what people decide, with a real queue, agent and virtual printer."""

from __future__ import annotations

import json
import socket
import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from click.testing import CliRunner, Result

from agent import config
from agent.app import build
from agent.cli import main
from agent.clock import SystemClock
from agent.printing.job_book import Note
from drivers.printers.escpos.status import Problem
from offline_queue import NewJob, QueuePrint, SetJob
from offline_queue.print_jobs import DECIDED, IN_PRINTER, DropJob, JobState, RepeatJob
from receipt_templates.document import Document, Text, to_json

if TYPE_CHECKING:
    from conftest import Store, Threads, Until, VirtualPrinter

CONFIG = """
language = "{language}"
[state]
folder = "{folder}"
[server]
url = "http://127.0.0.1:9"
[api]
port = {api}
[[till]]
id = "1"
printer = "receipt"
[[printer]]
name = "receipt"
driver = "tcp"
profile = "{profile}"
options = {{ host = "127.0.0.1", port = {printer} }}
"""

Jobs = Callable[..., Result]


class Shop:
    """A config, the verbs with it, and an agent where the test wants one."""

    def __init__(self, folder: Path, threads: Threads, until: Until) -> None:
        self.folder, self.threads, self.until = folder, threads, until
        self.language, self.profile, self.printer = "en", "default", 9

    def config(self) -> Path:
        with socket.create_server(("127.0.0.1", 0)) as free:
            api = free.getsockname()[1]
        given = {"language": self.language, "profile": self.profile, "printer": self.printer}
        file = self.folder / "config.toml"
        file.write_text(CONFIG.format(folder=self.folder, api=api, **given), encoding="utf-8")
        return file

    def call(self, *words: object, group: str = "jobs") -> Result:
        line = [group, *map(str, words), "--config", str(self.config())]
        return CliRunner().invoke(main, line, env={"COLUMNS": "160"})

    def start_agent(self) -> None:
        agent = build(config.load(self.config()), SystemClock())
        self.threads.start(lambda stop: agent.run(stop) and None)
        self.until((self.folder / "admin.sock").exists)

    def print_slip(self) -> Result:
        return self.call("print", "balance", group="receipt")


@pytest.fixture
def shop(tmp_path: Path, threads: Threads, until: Until) -> Shop:
    return Shop(tmp_path, threads, until)


@pytest.fixture
def served(shop: Shop, virtual_printer: VirtualPrinter) -> Shop:
    """The shop with an agent, whose printer is ready."""
    shop.printer = virtual_printer.port
    shop.start_agent()
    return shop


DOCUMENT = to_json(Document((Text("Чек"),), "ru"))


def stored(store: Store, *states: tuple[JobState, str]) -> None:
    for number, (state, note) in enumerate(states, 1):
        store.queue.submit(QueuePrint(NewJob("receipt", DOCUMENT, f"s{number}"))).result(5)
        store.queue.submit(SetJob(number, state, note)).result(5)


# list


@pytest.mark.parametrize("running", [True, False])
def test_what_is_open_is_listed_with_and_without_the_agent(shop: Shop, store: Store, running: bool) -> None:
    stored(store, ("printed", ""), ("held", "paper_out"), ("unknown", "silent"), ("unknown", "stalled"), ("queued", ""))
    store.queue.submit(DropJob(3)).result(5)
    store.queue.submit(RepeatJob(4, DOCUMENT)).result(5)
    if not running:
        store.threads.end(store.stop)
    listing = json.loads(shop.call("list", "--json").output)
    assert [(job["id"], job["state"], job["note"]) for job in listing["jobs"]] == [
        (2, "held", "paper_out"),
        (5, "queued", ""),
        (6, "queued", ""),
    ]
    assert [job["sale"] for job in listing["jobs"]] == ["s2", "s5", "s4"]
    every = json.loads(shop.call("list", "--all", "--json").output)
    assert [job["note"] for job in every["jobs"]] == ["", "paper_out", "dropped", "repeated", "", ""]


def test_states_and_reasons_are_told_in_words_and_a_doubt_with_what_to_do(shop: Shop, store: Store) -> None:
    stored(store, ("held", "paper_out"), ("held", ""), ("held", "of_a_later_version"))
    shop.language = "ru"
    shown = shop.call("list").output
    assert "ждёт принтер (нет бумаги)" in shown
    assert "ждёт принтер (of_a_later_version)" in shown
    assert "tillmate jobs again N" not in shown
    store.queue.submit(SetJob(2, "unknown", "connection_lost")).result(5)
    shown = shop.call("list").output
    assert "неизвестно, напечатан ли (связь прервалась)" in shown
    assert "посмотрите на бумагу: tillmate jobs again N" in shown


def test_a_long_list_shows_the_newest_and_says_that_there_are_more(shop: Shop, store: Store) -> None:
    stored(store, *[("printed", "")] * 5)
    assert shop.call("list").output == "No receipt waits to be printed, and none is in doubt.\n"
    listing = json.loads(shop.call("list", "--all", "--limit", 2, "--json").output)
    assert ([job["id"] for job in listing["jobs"]], listing["more"]) == ([4, 5], True)
    assert "These are the last 2; for more: --limit." in shop.call("list", "--all", "--limit", 2).output
    assert "for more" not in shop.call("list", "--all", "--limit", 5).output


def test_jobs_are_listed_without_the_key_to_their_receipts(shop: Shop, store: Store) -> None:
    stored(store, ("held", "paper_out"))
    store.threads.end(store.stop)
    with closing(sqlite3.connect(store.path)) as file, file:
        file.execute("UPDATE print_jobs SET sealed_by = 7")
    for more in ((), ("--all",)):
        (job,) = json.loads(shop.call("list", "--json", *more).output)["jobs"]
        assert (job["state"], job["note"]) == ("held", "paper_out")


def test_without_a_queue_it_says_so(shop: Shop) -> None:
    ended = shop.call("list")
    assert (ended.exit_code, ended.stderr[:22]) == (1, "There is no queue file")


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_note_of_a_job_has_its_words_and_no_other(language: str) -> None:
    texts = tomllib.loads(resources.files("loyalty").joinpath(f"{language}.toml").read_text(encoding="utf-8"))["cli"]
    told = {key.removeprefix("job_note_") for key in texts if key.startswith("job_note_")}
    assert told == {*get_args(Note), *get_args(Problem), *DECIDED, "agent_died"} - {""}
    told = {key.removeprefix("job_state_") for key in texts if key.startswith("job_state_")}
    assert told == set(get_args(JobState))


# again, drop


@pytest.mark.parametrize("verb", ["again", "drop"])
def test_without_an_agent_a_decision_is_not_taken(shop: Shop, verb: str) -> None:
    ended = shop.call(verb, 1)
    assert (ended.exit_code, ended.stderr.splitlines()[0]) == (
        1,
        "The agent does not answer: it is not running, or this user has no right to ask.",
    )


def test_a_copy_is_printed_once_and_says_that_it_is_one(served: Shop, virtual_printer: VirtualPrinter) -> None:
    assert served.print_slip().exit_code == 0
    ended = served.call("again", 1)
    assert (ended.exit_code, ended.output) == (0, "Job 1, a marked copy. Printer receipt, job 2: printed.\n")
    first, copy = virtual_printer.papers
    assert ("COPY" in first, "COPY" in copy) == (False, True)
    assert copy.replace("COPY", "").split() == first.split()
    every = json.loads(served.call("list", "--all", "--json").output)["jobs"]
    assert [(job["state"], job["note"]) for job in every] == [("printed", "repeated"), ("printed", "")]


def test_a_job_that_waits_can_be_dropped_and_never_comes_out(served: Shop, virtual_printer: VirtualPrinter) -> None:
    virtual_printer.do("paper_out")
    assert "waits for the printer" in served.print_slip().output
    refused = served.call("again", 1)
    assert (refused.exit_code, refused.stderr) == (
        1,
        "The receipt of job 1 may still come out (waits for the printer (paper out)), so there is no copy yet: wait, or "
        "drop it first: tillmate jobs drop 1.\n",
    )
    dropped = served.call("drop", 1)
    assert (dropped.exit_code, dropped.output) == (0, "Job 1 will not be printed.\n")
    virtual_printer.do("paper_in")
    assert served.print_slip().exit_code == 0
    assert len(virtual_printer.papers) == 1
    assert "nothing is left to drop" in served.call("drop", 2).stderr


def test_a_receipt_in_a_printer_that_does_not_forget_is_not_dropped(
    served: Shop, virtual_printer: VirtualPrinter
) -> None:
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
    served.print_slip()
    served.until(lambda: json.loads(served.call("list", "--json").output)["jobs"][0]["note"] == IN_PRINTER)
    refused = served.call("drop", 1)
    assert (refused.exit_code, "which cannot forget it" in refused.stderr) == (1, True)
    virtual_printer.do("paper_in")
    served.until(lambda: len(virtual_printer.papers) == 1)


def test_a_printer_that_forgets_a_receipt_gets_it_withdrawn(shop: Shop, virtual_printer: VirtualPrinter) -> None:
    shop.profile, shop.printer = "TM-T88V", virtual_printer.port
    shop.start_agent()
    virtual_printer.do("fault_after", bytes=60, fault="paper_out")
    shop.print_slip()
    shop.until(lambda: json.loads(shop.call("list", "--json").output)["jobs"][0]["note"] == IN_PRINTER)
    dropped = shop.call("drop", 1)
    assert (dropped.exit_code, dropped.output) == (0, "Job 1 will not be printed.\n")
    virtual_printer.do("paper_in")
    assert "printed" in shop.print_slip().output
    end = virtual_printer.papers[-1].rstrip().splitlines()[-1]
    assert sum(paper.count(end) for paper in virtual_printer.papers) == 1


def test_a_doubt_is_settled_by_a_person(shop: Shop, store: Store, virtual_printer: VirtualPrinter) -> None:
    stored(store, ("unknown", "silent"), ("unknown", "silent"))
    store.threads.end(store.stop)
    shop.printer = virtual_printer.port
    shop.start_agent()
    left = shop.call("drop", 1)
    assert (left.exit_code, left.output) == (0, "Job 1 stays as it is: nobody will be asked about it again.\n")
    shop.language = "ru"
    again = shop.call("again", 2)
    assert (again.exit_code, "Задание 2, копия с пометкой." in again.output) == (0, True)
    assert json.loads(shop.call("list", "--json").output)["jobs"] == []
    assert "ПОВТОР" in virtual_printer.papers[-1]


def test_orders_about_jobs_that_are_not_there_or_no_receipts(
    shop: Shop, store: Store, virtual_printer: VirtualPrinter
) -> None:
    store.queue.submit(QueuePrint(NewJob("receipt", b"{}"))).result(5)
    store.queue.submit(SetJob(1, "failed", "document")).result(5)
    store.threads.end(store.stop)
    shop.printer = virtual_printer.port
    shop.start_agent()
    refused = shop.call("again", 1)
    assert (refused.exit_code, "job 1 cannot be read, so there is no copy" in refused.stderr) == (1, True)
    for verb in ("again", "drop"):
        refused = shop.call(verb, 99)
        assert (refused.exit_code, refused.stderr) == (
            1,
            "There is no print job 99. For those that there are: tillmate jobs list --all.\n",
        )
    assert shop.call("again", "x").exit_code == 2
