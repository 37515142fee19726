"""How small and how fast a receipt is, beside python-escpos in the same run: the reference receipt, `example("sale", "ru")`.

    python benchmarks/paper.py

python-escpos prints the same lines as a good user of it would write them: padded to columns, a style only where it
changes, the code drawn by the printer. "its defaults" is the same receipt by somebody who read only its first page. Times
are those of the processor, so that a busy machine does not count: of the quietest of five rounds, and for an import the
median of nine fresh processes that take turns. Exits 1 when a figure is over its limit.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import msgspec
from escpos.constants import QR_ECLEVEL_L, QR_ECLEVEL_M
from escpos.escpos import Escpos
from escpos.printer import Dummy
from rich.console import Console
from rich.table import Table

from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.paper import draw
from drivers.printers.escpos.profile import Profile, load_profile
from receipt_templates.document import Document
from receipt_templates.layout import FeedRow, QrRow, Row, TextRow, lay_out
from receipt_templates.templates import example, render

ROOT = Path(__file__).parents[1]
ROUNDS, JOBS, STARTS = 5, 300, 9

OURS_COLD = """
import time
begin = time.process_time()
from drivers.printers.escpos.encoder import encode
from drivers.printers.escpos.profile import load_profile
from receipt_templates.templates import example, render
imported = time.process_time()
data = example("sale", "ru")
given = time.process_time()
encode(render("sale", "ru", data), load_profile("default"), 80)
print(imported - begin, time.process_time() - given + imported - begin)
"""
THEIRS_COLD = """
import time
begin = time.process_time()
from escpos.printer import Dummy
imported = time.process_time()
receipt = Dummy(profile="default")
receipt.text("Спасибо")
receipt.qr("HTTPS://BONUS.ZERNO.RU/E/A", native=True)
receipt.cut()
print(imported - begin, time.process_time() - begin)
"""


def main() -> int:
    """Print the table; 1 when one of our figures is over its limit."""
    warnings.filterwarnings("ignore", module="escpos")
    data = example("sale", "ru")
    native = load_profile("default")
    raster = msgspec.structs.replace(native, native_qr=False)
    document = render("sale", "ru", data)
    results = Results()

    for profile, width, way, limit in (
        (native, 80, "native QR", 900),
        (native, 58, "native QR", 850),
        (raster, 80, "raster QR", 3_100),
        (raster, 58, "raster QR", None),
    ):
        theirs = len(python_escpos(rows_of(document, profile, width), way == "native QR"))
        results.add(f"bytes, {width} mm, {way}", len(encode(document, profile, width)), limit, theirs, "{:,}")
    plain = len(python_escpos(rows_of(document, native, 80), native=False, size=3, level=QR_ECLEVEL_L))
    results.add("bytes, 80 mm, its defaults", len(encode(document, native, 80)), 900, plain, "{:,}")

    for profile, way, limit in ((native, "native QR", 3.0), (raster, "raster QR", 8.0)):
        rows = rows_of(document, profile, 80)
        theirs = timed(lambda rows=rows, way=way: python_escpos(rows, way == "native QR"))
        whole = timed(lambda profile=profile: encode(render("sale", "ru", data), profile, 80))
        from_document = timed(lambda profile=profile: encode(document, profile, 80))
        results.add(f"data to bytes, {way}, p50 ms", whole[0], None, theirs[0])
        results.add(f"data to bytes, {way}, p99 ms", whole[1], limit, theirs[1])
        results.add(f"document to bytes, {way}, p99 ms", from_document[1], limit, theirs[1])

    ours, theirs = cold()
    results.add("import of the print path, ms", ours[0], 120, theirs[0], "{:,.0f}")
    results.add("import and first job, ms", ours[1], 120, theirs[1], "{:,.0f}")
    for width in (58, 80):
        dots = native.size(width).dots
        preview = timed(lambda width=width, dots=dots: draw(encode(document, native, width), dots).png(), jobs=30)
        results.add(f"preview as PNG, {width} mm, p50 ms", preview[0], 50, None, "{:,.1f}")

    results.show()
    return int(results.missed)


class Results:
    """The table, and whether a limit was missed."""

    def __init__(self) -> None:
        self.missed = False
        self._table = Table(title="the reference receipt, beside python-escpos in the same run")
        for head in ("", "limit", "ours", "python-escpos", "ours / theirs"):
            self._table.add_column(head, justify="right" if head else "left")

    def add(self, what: str, ours: float, limit: float | None, theirs: float | None, form: str = "{:,.2f}") -> None:
        """One figure."""
        over = limit is not None and ours > limit
        self.missed |= over
        self._table.add_row(
            what,
            "" if limit is None else f"{limit:,}",
            f"{form.format(ours)}{' OVER' if over else ''}",
            "" if theirs is None else form.format(theirs),
            "" if theirs is None else f"{ours / theirs:.2f}",
        )

    def show(self) -> None:
        """Print it, in full width whatever the terminal is."""
        Console(width=110).print(self._table)


def rows_of(document: Document, profile: Profile, width: int) -> list[Row]:
    """The lines that are on the paper, for whoever prints them; laying them out is not counted."""
    return lay_out(document, profile.size(width).columns)


def python_escpos(rows: list[Row], native: bool, size: int = 6, level: int = QR_ECLEVEL_M) -> bytes:
    """The same receipt by python-escpos."""
    receipt = Dummy(profile="default")
    print_by_escpos(receipt, rows, native, size, level)
    return bytes(receipt.output)


def print_by_escpos(receipt: Escpos, rows: list[Row], native: bool, size: int = 6, level: int = QR_ECLEVEL_M) -> None:
    """Print it on any printer of python-escpos."""
    style = None
    for row in rows:
        match row:
            case TextRow():
                if (wanted := (row.align, row.bold, row.width, row.height)) != style:
                    style = wanted
                    receipt.set(align=row.align, bold=row.bold, custom_size=True, width=row.width, height=row.height)
                receipt.text(f"{_line(row)}\n")
            case QrRow(payload):
                with contextlib.redirect_stdout(io.StringIO()):  # it warns of its own profile
                    receipt.qr(payload, ec=level, size=size, native=native)
                style = None
            case FeedRow(lines):
                receipt.text("\n" * lines)
    receipt.cut()


def _line(row: TextRow) -> str:
    """Spans padded with blanks: python-escpos has no positions."""
    line = ""
    for span in row.spans:
        line = line.ljust(span.column) + span.text
    return line


def timed(job: Callable[[], bytes], jobs: int = JOBS) -> tuple[float, float]:
    """p50 and p99 in ms: of each the quietest of the rounds."""
    rounds = []
    job()
    for _ in range(ROUNDS):
        took = []
        for _ in range(jobs):
            begin = time.thread_time_ns()
            job()
            took.append(time.thread_time_ns() - begin)
        rounds.append(sorted(took))
    p50, p99 = (min(took[len(took) * part // 100] for took in rounds) / 1e6 for part in (50, 99))
    return p50, p99


def cold() -> tuple[tuple[float, float], tuple[float, float]]:
    """Ours and theirs: ms that the import takes in a fresh process, and that it takes until the first job is made."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as litter:  # python-escpos leaves a folder behind at every start
        for _ in range(STARTS):
            ours.append(_start(OURS_COLD, litter))
            theirs.append(_start(THEIRS_COLD, litter))
    return _medians(ours), _medians(theirs)


def _medians(starts: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(each[0] for each in starts), statistics.median(each[1] for each in starts)


def _start(code: str, litter: str) -> tuple[float, float]:
    command = [sys.executable, "-P", "-W", "ignore", "-c", code]
    environment = {**os.environ, "TMPDIR": litter}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
    imported, whole = map(float, said.stdout.split())
    return imported * 1000, whole * 1000


if __name__ == "__main__":
    sys.exit(main())
