"""The whole shop with real processes: the story that `tillmate demo --script` plays, and the demo page."""

from __future__ import annotations

import csv
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import requests
import zxingcpp
from PIL import Image

from agent.demo.processes import NotReady, Program
from agent.demo.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Demo

TILLMATE = str(Path(sys.executable).with_name("tillmate"))


@pytest.mark.timeout(180)
def test_the_story_holds(short_path: Path) -> None:
    command = [TILLMATE, "demo", "--script", "--language", "en"]
    here = {**os.environ, "TMPDIR": str(short_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, env=here)
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
def test_the_page_opens_and_ctrl_c_closes_everything(demo: Callable[[str], Demo]) -> None:
    shop = demo("en")
    assert requests.get(f"{shop.address}/state", timeout=10).json()["cable"] is True
    begin = monotonic()
    assert shop.press_ctrl_c() == 0
    assert monotonic() - begin <= 6, "closing takes 3 s at the most on a calm machine"
    assert shop.left() == []


@pytest.mark.timeout(120)
def test_only_the_page_itself_may_play_with_the_shop(demo: Callable[[str], Demo]) -> None:
    shop = demo("en")
    order = f"{shop.address}/order"
    own = {"Origin": shop.address, "Content-Type": "application/json"}
    pull = {"do": "cable", "on": False}
    for foreign in ({"Origin": "https://evil.example"}, {"Content-Type": "text/plain"}, {"Host": "evil.example"}):
        reply = requests.post(order, json=pull, headers={**own, **foreign}, timeout=10)
        assert reply.status_code in (400, 403), foreign
    assert requests.post(order, json={"do": "explode"}, headers=own, timeout=10).status_code == 400
    assert requests.get(f"{shop.address}/state", timeout=10).json()["cable"] is True
    assert requests.post(order, json=pull, headers=own, timeout=10).status_code == 200
    assert requests.get(f"{shop.address}/state", timeout=10).json()["cable"] is False


@pytest.mark.timeout(120)
def test_a_port_that_somebody_takes_while_the_shop_opens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        store = Store(tmp_path, "en", taken.getsockname()[1])
        try:
            store.open(lambda _: None)
            assert requests.get(f"{store.api_url}/healthz", timeout=10).status_code == 200
        finally:
            store.close()


def test_a_program_that_does_not_become_ready_is_named_with_its_last_words(tmp_path: Path) -> None:
    script = "import sys; print('hello', flush=True); sys.exit('no paper in the tray')"
    failing = Program("printer", [sys.executable, "-c", script], tmp_path / "log")
    failing.start()
    with pytest.raises(NotReady, match=r"(?s)printer ended with 1.*no paper in the tray"):
        failing.await_ready()
