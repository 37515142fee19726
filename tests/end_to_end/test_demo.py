"""The whole shop with real processes: the story that `tillmate demo --script` plays, and the demo page."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Timer
from time import monotonic

import pytest
import requests
import zxingcpp
from PIL import Image

TILLMATE = str(Path(sys.executable).with_name("tillmate"))


@pytest.mark.timeout(180)
def test_the_story_holds() -> None:
    done = subprocess.run(
        [TILLMATE, "demo", "--script", "--language", "en"], capture_output=True, text=True, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path(done.stdout.splitlines()[-1])
    assert folder.is_absolute()

    with (folder / "ledger.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    booked = Counter({(row["number"], row["row_id"]) for row in rows if row["number"]})
    texts = [path.read_text(encoding="utf-8") for path in sorted((folder / "paper").glob("*.txt"))]
    printed = Counter(re.findall(r"(?:№|Receipt) (\d{4})", "".join(texts)))
    assert len(booked) >= 33
    assert set(printed.values()) == {1}
    assert set(printed) <= {number for number, _ in booked}

    guests = [path for path in sorted((folder / "paper").glob("*.txt")) if "[qr " in path.read_text(encoding="utf-8")]
    with Image.open(guests[0].with_suffix(".png")) as paper:
        seen = zxingcpp.read_barcodes(paper.convert("L"))
    assert [code.text for code in seen] == re.findall(r"\[qr (\S+)\]", guests[0].read_text(encoding="utf-8"))


@pytest.mark.timeout(120)
def test_the_page_opens_and_ctrl_c_closes_everything() -> None:
    shop = subprocess.Popen([TILLMATE, "demo"], stdout=subprocess.PIPE, text=True, start_new_session=True)
    watchdog = Timer(90, os.killpg, (shop.pid, signal.SIGKILL))
    watchdog.start()
    try:
        assert shop.stdout is not None
        address = next(found.group() for line in shop.stdout if (found := re.search(r"http://[\d.:]+", line)))
        assert requests.get(f"{address}/state", timeout=10).json()["cable"] is True
        begin = monotonic()
        shop.send_signal(signal.SIGINT)
        assert shop.wait(10) == 0
        assert monotonic() - begin <= 6, "closing takes 3 s at the most on a calm machine"
    finally:
        watchdog.cancel()
        with suppress(ProcessLookupError):
            os.killpg(shop.pid, signal.SIGKILL)
        shop.communicate()
