"""What gets into the log, and what never does."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import logs


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.set_up(logging.DEBUG, stream)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(False)


@pytest.mark.parametrize(
    "secret",
    [
        "2900000000117",
        "79161234567",
        "+7 (916) 123-45-67",
        "AIBCDEFGHIJKLMNOPQRSTUVWXYZ23456",
        "aibcdefghijklmnopqrstuvwxyz23456",
        "eyJhbGciOiJFZDI1NTE5In0.eyJpc3MiOiJkIn0.c2ln",
    ],
)
def test_secrets_are_masked_wherever_they_come_from(log: io.StringIO, secret: str) -> None:
    logging.getLogger("agent.test").info("code=%s url=https://example.org/E/%s", secret, secret)
    try:
        {}[f"no member for {secret}"]
    except KeyError:
        logging.getLogger("agent.test").exception("failed card=%s", secret)
    written = log.getvalue()
    assert secret not in written
    assert "failed card=***" in written
    assert "KeyError: 'no member for ***'" in written


def test_a_line_says_when_how_bad_and_where_from(log: io.StringIO) -> None:
    logging.getLogger("agent.link").warning("device=%s state=down", "counter")
    (line,) = log.getvalue().splitlines()
    assert line.startswith("at=20")
    assert line.endswith(" level=warning source=agent.link device=counter state=down")


def test_ordinary_numbers_stay_readable() -> None:
    line = "port=8737 seq=12345678 at=2026-11-20T09:00:00.000+00:00 epoch=1f0c 2 of 300 bytes"
    assert logs.clean(line) == line


@given(st.text())
def test_no_text_breaks_out_of_its_line(text: str) -> None:
    cleaned = logs.clean(f"code={text}")
    assert len(cleaned.splitlines()) == 1
    assert "\x1b" not in cleaned
