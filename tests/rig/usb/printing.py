"""Receipts on USB printers that are pulled out, stall, run out of paper and hang, through both of our USB drivers.

Run by `make test-usb`. The product runs as it is installed, within the limits of its systemd unit; what it believes
(`till`) is compared with what the printer saw and printed (`printer`). All times are the machine's own.
"""

from __future__ import annotations

import base64
import itertools
from bisect import bisect_right
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
import zxingcpp
from PIL import Image

from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import load_profile
from receipt_templates.document import Columns, Document, Qr, Rule, Text, to_json

if TYPE_CHECKING:
    from conftest import Figures, Machine, Printer, Till, Until

BACK_WITHIN = 3.0
LATE_ANSWERS_END = 2.0  # how long the agent lets answers to earlier receipts pass, by its own choice
HEAD = 8
LINK = "https://loyalty.example.org/e/4f9d2c7ab0e14d55a1b6c83f2d7e90515ac3be7718f24d6089?s=0042&t=01"
WAYS = {"usb": ("usb", "default"), "usblp": ("usblp", "default"), "numbers": ("usb", "TM-T88V")}
"""Driver and model of a printer: most answer a question behind the job, `numbers` names the job that it has printed."""
numbers = itertools.count(1)


class Receipt:
    """A receipt that no other one looks like, of the same length as all others."""

    def __init__(self, model: str) -> None:
        self.title = f"Чек № {next(numbers):06}"
        goods = [
            line
            for number in range(1, 9)
            for line in (Text(f"Пирожок с капустой, {number} сорт"), Columns("2 x 129,90", "259,80"))
        ]
        head = (Text("ООО «Ромашка», Тула", align="center"), Text(self.title), Rule())
        foot = (Rule(), Columns("ИТОГО", "2078,40", bold=True), Text("Спасибо, ждём вас!"), Qr(LINK, "Анкета"))
        document = Document((*head, *goods, *foot), "ru")
        self.json = to_json(document)
        self.bytes = encode(document, load_profile(model), 80)
        self.text = draw(self.bytes, 512).text


class Desk:
    """A till, its printer, and a driver between them."""

    def __init__(self, machine: Machine, way: str, until: Until, figures: Figures) -> None:
        self.machine, self.way, self.until, self.figures = machine, way, until, figures
        self.driver, self.model = WAYS[way]
        self.printer: Printer = machine.new_printer(way, list(WAYS).index(way) + 1)
        self.start()

    def start(self) -> None:
        self.till: Till = self.new_till(self.way)

    def new_till(self, name: str) -> Till:
        options = {"vendor": "1209", "product": f"{self.printer.product:04x}"}
        return self.machine.new_till(name, driver=self.driver, profile=self.model, options=options)

    def make_ready(self) -> None:
        """As after a cashier has put everything right; a till that a test has left in trouble is started anew."""
        self.printer.do("cure")
        if not self.printer.look()["plugged"]:
            self.printer.do("plug")
        if not self.till.settled:
            self.till.end()
            self.start()
        self.until("the printer is ready", lambda: self.till.says()[0] in ("ok", "warning"))
        self.printer.do("forget")

    def print(self) -> tuple[Receipt, int]:
        receipt = Receipt(self.model)
        return receipt, self.till.print(receipt.json)

    def becomes(self, job: int, state: str, within: float = 30.0) -> None:
        self.until(f"{state} job", lambda: self.till.state_of(job) == state, within, self.till.state)

    def arm(self, fault: str, after: int, **args: float) -> None:
        """Let it strike that many bytes into the next receipt."""
        self.printer.do("arm", fault=fault, after=after, head=Receipt(self.model).bytes[:HEAD].hex(), **args)

    def copies(self, receipt: Receipt) -> int:
        """How often its title is on paper, also on paper that is not cut off yet."""
        self.printer.do("tear")
        return "".join(paper["text"] for paper in self.printer.papers).count(receipt.title)

    def printed_truly(self, receipt: Receipt, job: int) -> None:
        """It is on the paper once, and the till said so after it had read an answer, not before."""
        assert self.till.history(job)[-1] == "printed"
        assert self.till.history(job).count("printed") == 1
        assert self.copies(receipt) == 1
        _, taken_at = self.taken(receipt)
        said_at = self.till.when(job, "printed")
        assert any(taken_at <= at <= said_at for at in self.printer.times("told")), "printed, and nobody had asked"

    def taken(self, receipt: Receipt) -> tuple[float, float]:
        """When the printer had taken the first and the last byte of it."""
        pieces = [(at, bytes.fromhex(value)) for at, event, value in self.printer.look()["journal"] if event == "took"]
        begin = b"".join(piece for _, piece in pieces).index(receipt.bytes)
        ends = list(itertools.accumulate(len(piece) for _, piece in pieces))
        first, last = (bisect_right(ends, at) for at in (begin, begin + len(receipt.bytes) - 1))
        return pieces[first][0], pieces[last][0]

    def whole_length(self) -> int:
        """Bytes of a receipt with the question behind it that its end is known by, where no late answers are in doubt."""
        _, job = self.print()
        self.becomes(job, "printed")
        end = self.machine.ask("now") + LATE_ANSWERS_END
        self.until("late answers are over", lambda: self.machine.ask("now") > end)
        receipt, job = self.print()
        self.becomes(job, "printed")
        events = self.printer.look()["journal"]
        stream = b"".join(bytes.fromhex(value) for _, event, value in events if event == "took")
        behind = stream[stream.index(receipt.bytes) + len(receipt.bytes) :]
        self.printer.do("forget")
        return len(receipt.bytes) + len(behind.split(b"\x10\x04")[0])


@pytest.fixture(scope="module", params=WAYS)
def plugged(request: pytest.FixtureRequest, machine: Machine, until: Until, figures: Figures) -> Iterator[Desk]:
    desk = Desk(machine, request.param, until, figures)
    yield desk
    desk.till.end()
    desk.printer.do("pull")


@pytest.fixture
def desk(plugged: Desk) -> Desk:
    plugged.make_ready()
    return plugged


def on(*ways: str) -> pytest.MarkDecorator:
    """The test is about these ways to print alone."""
    return pytest.mark.parametrize("plugged", ways, indirect=True, scope="module")


def test_it_runs_within_the_limits_of_the_unit(desk: Desk, machine: Machine) -> None:
    shown = machine.run("systemctl", "show", f"till-{desk.till.name}", "--property=User,DevicePolicy,ProtectSystem")
    assert set(shown.split()) == {"User=tillmate", "DevicePolicy=closed", "ProtectSystem=strict"}


def test_cyrillic_qr_and_cut_arrive(desk: Desk) -> None:
    receipt, job = desk.print()
    desk.becomes(job, "printed")
    desk.printed_truly(receipt, job)
    (paper,) = desk.printer.papers
    assert paper["faults"] == []
    assert paper["text"] == receipt.text
    assert "Пирожок с капустой, 8 сорт" in paper["text"]
    picture = Image.open(BytesIO(base64.b64decode(desk.printer.do("picture", number=0))))
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == [LINK]
    assert b"\x1d(k" in receipt.bytes, "the QR code is to be the printer's own"
    assert desk.till.history(job) == ["queued", "sending", "printed"]


@pytest.mark.parametrize("back", [0, 0.3, 1.5, 10])
@pytest.mark.parametrize("after", [1, 64, 700, "the last"])
@on("usb", "usblp")
def test_a_pulled_cable_costs_a_doubt_and_no_restart(desk: Desk, after: int | str, back: float) -> None:
    # Answers to questions look alike: before the next receipt those that may come late are waited for.
    pull_and_plug(desk, after, back, wait=LATE_ANSWERS_END)


@pytest.mark.parametrize("after", [1, 64, 700, "the last"])
@on("numbers")
def test_a_printer_that_names_its_receipts_goes_on_at_once(desk: Desk, after: int | str) -> None:
    pull_and_plug(desk, after, back=0.3, wait=0)


def pull_and_plug(desk: Desk, after: int | str, back: float, wait: float) -> None:
    cut_at = desk.whole_length() if after == "the last" else int(after)
    desk.arm("pull", cut_at, back=back)
    doubtful, first = desk.print()
    next_one, second = desk.print()
    desk.becomes(second, "printed", within=back + 30)
    desk.printed_truly(next_one, second)
    plugged = desk.printer.times("plugged")[-1]
    assert plugged - desk.printer.times("pulled")[-1] >= back
    assert desk.till.history(first) == ["queued", "sending", "unknown"]
    assert desk.copies(doubtful) <= (after != 1)
    assert desk.till.state()["restarts"] == 0
    there = desk.printer.first("configured", plugged)
    asked, (begun, _) = desk.printer.first("took", there), desk.taken(next_one)
    desk.figures.note(f"{desk.way}: plugged in again, the system has the printer", there - plugged)
    desk.figures.note(f"{desk.way}: the system has the printer, the till asks it", asked - there)
    desk.figures.note(f"{desk.way}: the system has the printer, the next receipt begins", begun - there)
    known = desk.till.when(second, "printed") - begun
    desk.figures.note(f"{desk.way}: the next receipt begins, the till knows that it is printed", known)
    assert asked - there <= BACK_WITHIN
    assert begun - there <= BACK_WITHIN + wait


@pytest.mark.parametrize("after", [0, 300])
def test_a_stalled_end_point_recovers(desk: Desk, after: int) -> None:
    desk.arm("stall", after)
    receipt, job = desk.print()
    next_one, second = desk.print()
    desk.becomes(second, "printed", within=60)
    desk.printed_truly(next_one, second)
    assert desk.printer.times("stalled")
    if desk.till.state_of(job) == "printed":
        desk.printed_truly(receipt, job)
    else:
        assert desk.till.history(job) == ["queued", "sending", "unknown"]
        assert desk.copies(receipt) <= 1


def test_paper_out_holds_the_receipt_and_prints_it_once(desk: Desk) -> None:
    desk.printer.do("paper_out")
    before = desk.printer.look()["taken"]
    receipt, job = desk.print()
    desk.becomes(job, "held")
    assert desk.printer.look()["taken"] - before < 100, "only questions may have been sent"
    assert "paper" in desk.till.says()[1]
    desk.printer.do("cure")
    desk.becomes(job, "printed")
    desk.printed_truly(receipt, job)


def test_paper_that_ends_in_the_middle_holds_it_too(desk: Desk) -> None:
    desk.arm("paper_out", 300)
    receipt, job = desk.print()
    desk.becomes(job, "held")
    desk.printer.do("cure")
    desk.becomes(job, "printed")
    desk.printed_truly(receipt, job)


def test_a_printer_that_takes_no_more_without_paper(desk: Desk) -> None:
    """Its buffer is full in the middle of a receipt, and no question comes through either."""
    desk.printer.do("set_buffer", size=100)
    try:
        desk.arm("paper_out", 300)
        receipt, job = desk.print()
        desk.until("held or in doubt", lambda: desk.till.state_of(job) in ("held", "unknown"), within=60)
        desk.printer.do("cure")
        next_one, second = desk.print()
        desk.becomes(second, "printed", within=60)
    finally:
        desk.printer.do("set_buffer", size=4096)
    desk.printed_truly(next_one, second)
    assert desk.till.state_of(job) in ("printed", "unknown")
    assert desk.till.history(job).count("unknown") <= 1
    assert desk.copies(receipt) <= 1


@on("usb", "usblp")
def test_a_hung_printer_is_a_doubt_in_time(desk: Desk) -> None:
    desk.arm("hang", 300)
    receipt, job = desk.print()
    desk.becomes(job, "unknown", within=60)
    hung = desk.printer.times("fault")[-1]
    desk.figures.note(f"{desk.way}: a hung printer is noticed", desk.till.when(job, "unknown") - hung)
    desk.until("the cashier is told", lambda: desk.till.says()[0] != "ok")
    desk.printer.do("pull", back=0.5)  # its power is switched off and on
    desk.printer.do("cure")
    next_one, second = desk.print()
    desk.becomes(second, "printed", within=60)
    desk.printed_truly(next_one, second)
    assert desk.till.history(job) == ["queued", "sending", "unknown"]
    assert desk.copies(receipt) <= 1
    assert desk.till.state()["restarts"] == 0


def test_without_an_answer_nothing_is_said_to_be_printed(desk: Desk) -> None:
    desk.arm("mute", 1)
    receipt, job = desk.print()
    desk.until("settled", lambda: desk.till.state_of(job) in ("printed", "sent", "unknown"), within=60)
    assert desk.till.history(job) == ["queued", "sending", "unknown"]
    assert desk.copies(receipt) == 1


@on("usblp")
def test_a_printer_that_comes_back_as_another_node_is_found(desk: Desk, machine: Machine) -> None:
    old = machine.node_of(desk.printer)
    other: Printer = machine.new_printer("other", 9)
    desk.printer.do("pull")
    desk.until("the node is gone", lambda: machine.nodes() == [])
    other.do("plug")
    desk.until("another printer has it", lambda: machine.nodes() == [old])
    desk.printer.do("plug")
    receipt, job = desk.print()
    desk.becomes(job, "printed")
    assert machine.node_of(desk.printer) != old
    desk.printed_truly(receipt, job)
    assert other.look()["taken"] == 0
    other.do("pull")


@on("usb")
def test_the_systems_driver_has_the_printer_back_on_close(desk: Desk, machine: Machine) -> None:
    assert machine.nodes() == []
    asked = machine.ask("now")
    desk.till.end()
    desk.until("usblp has it again", lambda: len(machine.nodes()) == 1, within=5)
    desk.figures.note("usb: the system's driver has the printer back", machine.ask("now") - asked)
    desk.start()
    desk.until("the printer is ready", lambda: desk.till.says()[0] == "ok")
    assert machine.nodes() == []


@on("usb", "usblp")
def test_killed_it_leaves_a_printer_that_the_next_one_can_use(desk: Desk, machine: Machine) -> None:
    machine.run("systemctl", "kill", "--signal=KILL", f"till-{desk.till.name}")
    desk.till.end()
    desk.start()
    receipt, job = desk.print()
    desk.becomes(job, "printed")
    desk.printed_truly(receipt, job)


@on("usb", "usblp")
def test_a_printer_in_other_hands_is_waited_for(desk: Desk) -> None:
    desk.till.end()
    other = desk.new_till("other")
    desk.until("the other one has it", lambda: other.says()[0] == "ok")
    desk.start()
    desk.until("busy", lambda: desk.till.says()[0] == "down")
    other.end()
    receipt, job = desk.print()
    desk.becomes(job, "printed", within=40)
    desk.printed_truly(receipt, job)
