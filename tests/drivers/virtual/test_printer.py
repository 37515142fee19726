"""The virtual printer over its cables: clients of others, our own driver, plain sockets and file descriptors."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import pytest
import zxingcpp
from PIL import Image

from drivers.base import DeviceGone, Printer
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.profile import load_profile
from drivers.printers.escpos.status import (
    ASK_OFFLINE,
    ASK_PAPER,
    ASK_PRINTER,
    FENCE,
    RECOVER,
    Answer,
    Fence,
    Replies,
    condition,
)
from drivers.printers.tcp import DRIVER
from drivers.printers.tcp import Options as TcpOptions
from drivers.virtual.control import ControlError, call
from drivers.virtual.printer import Options
from receipt_templates.document import Document, Qr, Text

Until = Callable[[Callable[[], bool]], None]
DOCUMENT = Document((Text("Привет, Анна"), Qr("HTTPS://A.RU/E/ABC")), "ru")
JOB = encode(DOCUMENT, load_profile("default"), 80)

FOREIGN_CLIENT = """
import sys
from escpos.printer import Network
printer = Network(sys.argv[1], int(sys.argv[2]), profile=sys.argv[3])
printer.text("Съешь ещё этих мягких булок\\n")
printer.set(bold=True, double_height=True, align="center")
printer.text("ИТОГО 5,00\\n")
printer.qr("https://bonus.zerno.ru/e/abc", native=sys.argv[4] == "native", size=6)
printer.cut()
printer.close()
"""


class VirtualPrinter(Protocol):
    """A running virtual printer, see conftest."""

    device: str
    control: str
    stop: threading.Event
    thread: threading.Thread

    def do(self, what: str, **request: object) -> dict[str, object]: ...
    def state(self, name: str) -> object: ...
    def receipts(self) -> list[dict[str, Any]]: ...


Start = Callable[[Options], VirtualPrinter]


def where(printer: VirtualPrinter) -> tuple[str, int]:
    host, _, port = printer.device.rpartition(":")
    return host, int(port)


@contextmanager
def opened(printer: VirtualPrinter) -> Iterator[Printer]:
    """Our own driver on it."""
    host, port = where(printer)
    with closing(DRIVER.open(TcpOptions(host, port))) as device:
        yield device


def read(device: Printer, count: int) -> bytes:
    replies, deadline = b"", time.monotonic() + 5
    while len(replies) < count:
        assert time.monotonic() < deadline, f"only {replies!r} came"
        replies += device.read(0.2)
    return replies


@pytest.mark.parametrize("qr", ["native", "picture"])
@pytest.mark.parametrize("profile", ["default", "TM-T88III"])
def test_python_escpos_prints_on_it(
    virtual_printer: VirtualPrinter, until: Until, tmp_path: Path, profile: str, qr: str
) -> None:
    """A client that others wrote: Cyrillic by its own choice of pages, its QR codes, its cut."""
    host, port = where(virtual_printer)
    environment = {**os.environ, "ESCPOS_CAPABILITIES_PICKLE_DIR": str(tmp_path)}
    client = [sys.executable, "-P", "-W", "ignore", "-c", FOREIGN_CLIENT, host, str(port), profile, qr]
    done = subprocess.run(client, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    until(lambda: virtual_printer.state("receipts") == 1)
    (receipt,) = virtual_printer.receipts()
    assert receipt["faults"] == []
    lines = receipt["text"].splitlines()
    assert lines[0] == "Съешь ещё этих мягких булок"
    assert lines[1].strip() == "ИТОГО 5,00"
    assert [line for line in lines if line.startswith("[qr")] == ["[qr https://bonus.zerno.ru/e/abc]"] * (
        qr == "native"
    )
    picture = Image.open(receipt["png"]).convert("L")
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == ["https://bonus.zerno.ru/e/abc"]


def test_each_cut_is_a_png_and_a_text(virtual_printer: VirtualPrinter, tmp_path: Path) -> None:
    with opened(virtual_printer) as device:
        device.write(JOB + FENCE + JOB + FENCE, 1)
        assert read(device, 2) == b"\x00\x00"
    assert sorted(file.name for file in (tmp_path / "paper").iterdir()) == [
        "0001.png",
        "0001.txt",
        "0002.png",
        "0002.txt",
    ]
    assert (tmp_path / "paper/0002.txt").read_text("utf-8") == "Привет, Анна\n[qr HTTPS://A.RU/E/ABC]\n"
    picture = Image.open(BytesIO((tmp_path / "paper/0001.png").read_bytes())).convert("L")
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == ["HTTPS://A.RU/E/ABC"]
    assert [receipt["number"] for receipt in virtual_printer.receipts()] == [1, 2]
    assert [receipt["number"] for receipt in virtual_printer.do("receipts", after=1)["receipts"]] == [2]  # type: ignore[attr-defined]
    assert virtual_printer.state("bytes") == 2 * len(JOB + FENCE)


def test_numbers_go_on_after_a_restart(start_printer: Start, tmp_path: Path) -> None:
    for number in (1, 2):
        printer = start_printer(Options(out=str(tmp_path / "paper")))
        with opened(printer) as device:
            device.write(JOB + FENCE, 1)
            read(device, 1)
        assert [receipt["number"] for receipt in printer.receipts()] == [number]


def test_paper_out_in_the_middle_holds_the_job_and_it_prints_once(virtual_printer: VirtualPrinter) -> None:
    """The whole conversation, through our driver and our reply parser."""
    replies = Replies()
    with opened(virtual_printer) as device:
        virtual_printer.do("fault_after", bytes=len(JOB) // 2, fault="paper_out")
        device.write(JOB + FENCE, 1)
        assert device.read(0.2) == b""
        replies.asked(1, 2, 4)
        device.write(ASK_PRINTER + ASK_OFFLINE + ASK_PAPER, 1)
        answers = [each for each in replies.feed(read(device, 3)) if isinstance(each, Answer)]
        assert condition({each.query: each.bits for each in answers if each.query}).problem == "paper_out"
        assert (virtual_printer.state("receipts"), virtual_printer.state("paper")) == (0, "out")
        assert virtual_printer.state("held") != 0
        virtual_printer.do("paper_in")
        assert replies.feed(read(device, 1)) == [Fence(0)]
        assert (virtual_printer.state("receipts"), virtual_printer.state("held")) == (1, 0)
        device.write(FENCE, 1)
        assert read(device, 1) == b"\x00"
    assert [receipt["text"] for receipt in virtual_printer.receipts()] == ["Привет, Анна\n[qr HTTPS://A.RU/E/ABC]\n"]


def test_what_is_held_outlives_the_connection(virtual_printer: VirtualPrinter, until: Until) -> None:
    virtual_printer.do("cover_open")
    with opened(virtual_printer) as device:
        device.write(JOB, 1)
        until(lambda: virtual_printer.state("held") == len(JOB))
    virtual_printer.do("cover_close")
    until(lambda: virtual_printer.state("receipts") == 1)
    with opened(virtual_printer) as device:
        device.write(FENCE, 1)
        assert read(device, 1) == b"\x00"


def test_automatic_status_crosses_connections_and_comes_by_itself(virtual_printer: VirtualPrinter) -> None:
    with opened(virtual_printer) as device:
        device.write(b"\x1da\x0f", 1)
        assert read(device, 4) == b"\x10\x00\x00\x00"
    with opened(virtual_printer) as device:
        device.write(FENCE, 1)
        assert read(device, 1) == b"\x00"
        virtual_printer.do("paper_near_end")
        assert read(device, 4) == b"\x10\x00\x03\x00"


def test_one_host_at_a_time(virtual_printer: VirtualPrinter, until: Until) -> None:
    with opened(virtual_printer) as first:
        first.write(FENCE, 1)
        assert read(first, 1) == b"\x00"
        with opened(virtual_printer) as second, pytest.raises(DeviceGone):
            read(second, 1)
        first.write(FENCE, 1)
        assert read(first, 1) == b"\x00"

    def answers() -> bool:
        with opened(virtual_printer) as third:
            third.write(FENCE, 1)
            try:
                return read(third, 1) == b"\x00"
            except DeviceGone:
                return False

    until(answers)


def test_a_reset_breaks_the_connection_and_only_that(virtual_printer: VirtualPrinter) -> None:
    with opened(virtual_printer) as device:
        device.write(b"first\n" + FENCE, 1)
        read(device, 1)
        virtual_printer.do("reset")
        with pytest.raises(DeviceGone, match="reset"):
            read(device, 1)
    with opened(virtual_printer) as device:
        device.write(b"second\n\x1dV\x00" + FENCE, 1)
        read(device, 1)
    assert [receipt["text"] for receipt in virtual_printer.receipts()] == ["first\nsecond\n"]


def test_power_off_and_on(virtual_printer: VirtualPrinter) -> None:
    with opened(virtual_printer) as device:
        virtual_printer.do("paper_out")
        device.write(JOB, 1)
        device.write(ASK_PRINTER, 1)
        assert read(device, 1) == b"\x1a"
        virtual_printer.do("power_off")
        with pytest.raises(DeviceGone):
            read(device, 1)
    with pytest.raises(DeviceGone, match="refused"), opened(virtual_printer):
        pass
    assert (virtual_printer.state("power"), virtual_printer.state("held")) == ("off", 0)
    virtual_printer.do("paper_in")
    virtual_printer.do("power_on")
    with opened(virtual_printer) as device:
        device.write(FENCE, 1)
        assert read(device, 1) == b"\x00"
    assert virtual_printer.state("receipts") == 0


def test_mute_says_nothing_until_it_speaks_again(virtual_printer: VirtualPrinter, until: Until) -> None:
    virtual_printer.do("mute")
    with opened(virtual_printer) as device:
        device.write(JOB + FENCE + ASK_PRINTER, 1)
        until(lambda: virtual_printer.state("receipts") == 1)
        assert device.read(0.1) == b""
        virtual_printer.do("unmute")
        device.write(ASK_PRINTER, 1)
        assert read(device, 1) == b"\x12"


@pytest.mark.parametrize(
    "request_",
    [
        *({"do": "fault_after", "fault": "cover"}, {"do": "fault_after", "bytes": -1, "fault": "cover"}),
        *({"do": "fault_after", "bytes": 1}, {"do": "fault_after", "bytes": 1, "fault": "flood"}, {"do": "kick"}),
    ],
)
def test_senseless_requests_are_refused(virtual_printer: VirtualPrinter, request_: dict[str, object]) -> None:
    with pytest.raises(ControlError):
        call(virtual_printer.control, request_)
    assert virtual_printer.state("paper") == "ok"


def test_on_a_pty_it_is_a_serial_printer(start_printer: Start, tmp_path: Path) -> None:
    link = tmp_path / "printer"
    printer = start_printer(Options(pty=str(link)))
    assert printer.device == str(link)
    for number in (1, 2):
        line = os.open(link, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(line)
        os.write(line, JOB + FENCE)
        assert select.select([line], [], [], 5)[0]
        assert os.read(line, 10) == b"\x00"
        os.close(line)
        assert printer.state("receipts") == number
    line = os.open(link, os.O_RDWR | os.O_NOCTTY)
    printer.do("reset")
    with pytest.raises(OSError, match=r"Input/output"):
        os.write(line, b"a")
    os.close(line)
    assert link.exists()
    printer.do("power_off")
    assert not link.exists()
    printer.do("power_on")
    assert link.exists()
    assert printer.receipts()[0]["png"] is None


PICTURE = b"\x1dv0\x00\x10\x00\x20\x00"  # 512 bytes of dots follow


@pytest.mark.parametrize("after", [1, len(JOB) // 2, len(JOB)])
@pytest.mark.parametrize("fault", ["reset", "unplug", "power_off"])
def test_the_cable_may_break_at_any_byte(virtual_printer: VirtualPrinter, fault: str, after: int) -> None:
    virtual_printer.do("fault_after", bytes=after, fault=fault)
    with opened(virtual_printer) as device:
        device.write(JOB, 1)
        with pytest.raises(DeviceGone):
            read(device, 1)
    assert virtual_printer.state("bytes") == after
    if fault != "reset":
        with pytest.raises(DeviceGone, match="refused"), opened(virtual_printer):
            pass
        virtual_printer.do({"unplug": "plug", "power_off": "power_on"}[fault])
    held = after < len(JOB) and fault != "power_off"
    with opened(virtual_printer) as device:
        device.write(JOB[after:] if held else b"\n\x1dV\x00", 1)
        device.write(FENCE, 1)
        assert read(device, 1) == b"\x00"
    whole = [receipt for receipt in virtual_printer.receipts() if "qr HTTPS://A.RU" in receipt["text"]]
    assert len(whole) == (held or after == len(JOB))


def test_a_cut_off_picture_swallows_the_next_receipt_unless_the_power_went(virtual_printer: VirtualPrinter) -> None:
    for power, texts in ((False, []), (True, ["first\n", "next\n"])):
        with opened(virtual_printer) as device:
            device.write(b"first\n\x1dV\x00" if power else b"", 1)
            device.write(PICTURE + b"\xff" * 100 + ASK_PRINTER, 1)
            assert read(device, 1) == b"\x12"
        if power:
            virtual_printer.do("power_off")
            virtual_printer.do("power_on")
        with opened(virtual_printer) as device:
            device.write(b"next\n\x1dV\x00" + ASK_PRINTER, 1)
            assert read(device, 1) == b"\x12"
        assert [receipt["text"] for receipt in virtual_printer.receipts()] == texts
        virtual_printer.do("power_off")
        virtual_printer.do("power_on")


def test_unplugged_it_keeps_what_it_holds(virtual_printer: VirtualPrinter, until: Until) -> None:
    virtual_printer.do("cover_open")
    with opened(virtual_printer) as device:
        device.write(JOB, 1)
        until(lambda: virtual_printer.state("held") == len(JOB))
        virtual_printer.do("unplug")
        with pytest.raises(DeviceGone):
            read(device, 1)
    virtual_printer.do("cover_close")
    assert (virtual_printer.state("plugged"), virtual_printer.state("receipts")) == (False, 1)
    virtual_printer.do("power_off")
    virtual_printer.do("power_on")
    with pytest.raises(DeviceGone, match="refused"), opened(virtual_printer):
        pass
    virtual_printer.do("plug")
    with opened(virtual_printer) as device:
        device.write(FENCE, 1)
        assert read(device, 1) == b"\x00"


def test_errors_come_and_go_by_hand(virtual_printer: VirtualPrinter) -> None:
    def errors() -> tuple[object, ...]:
        return tuple(virtual_printer.state(name) for name in ("cutter", "head", "broken"))

    with opened(virtual_printer) as device:
        for fault, state, query3 in (
            ("overheat", ("ok", "hot", False), b"\x52"),
            ("cutter_jam", ("jammed", "hot", False), b"\x5a"),
            ("break_down", ("jammed", "hot", True), b"\x7a"),
        ):
            virtual_printer.do(fault)
            device.write(b"\x10\x04\x03", 1)
            assert (read(device, 1), errors()) == (query3, state)
        virtual_printer.do("cool_down")
        device.write(RECOVER + b"\x10\x04\x03", 1)
        assert (read(device, 1), errors()) == (b"\x32", ("ok", "ok", True))
        device.write(b"\x1bp\x00\x19\xfa\x10\x14\x01\x00\x01" + ASK_PRINTER, 1)
        read(device, 1)
        assert virtual_printer.state("drawer_kicks") == 1  # ESC p is held, DLE DC4 is not
    virtual_printer.do("power_off")
    virtual_printer.do("power_on")
    assert errors() == ("ok", "ok", False)


def test_as_a_process_it_says_where_it_is_and_stops_at_once(tmp_path: Path) -> None:
    code = (
        "import signal, threading; from drivers.virtual.printer import Options, run; stop = threading.Event();"
        "signal.signal(signal.SIGTERM, lambda *_: stop.set()); run(Options(), stop)"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        ready = re.fullmatch(r"ready device=(\S+):(\d+) control=(\S+)\n", process.stdout.readline())
        assert ready is not None
        with socket.create_connection((ready[1], int(ready[2])), 5) as host:
            host.sendall(ASK_PRINTER)
            assert host.recv(1) == b"\x12"
            process.send_signal(signal.SIGTERM)
            assert process.wait(3) == 0
