"""The chaos can see what it looks for: a toy that is wrong in one of three known ways loses or doubles, a right one does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from . import judge
from .lives import Lives, Ready, until
from .network import BadNetwork

LONGEST_LIFE = 0.5
ROUND, ROUNDS = 6, 6
UNSENT = "SELECT number FROM outbox WHERE sent = 0"


class Toy:
    """A sender and a receiver on a bad network."""

    def __init__(self, folder: Path, how: str) -> None:
        self._folder = folder
        self.network = BadNetwork(7)
        self.network.start()
        self.lives = Lives({"receiver": "toy", "sender": "toy"}, folder, self._is_ready)
        self.lives.begin("receiver", "receiver", str(folder / "ledger.db"), how)
        self.lives.begin("sender", "sender", str(folder / "outbox.db"), str(self.network.port), how)

    def _is_ready(self, name: str, ready: Ready) -> None:
        if name == "receiver":
            self.network.server_port = int(ready["port"])

    def judged_after(self, kills: int) -> judge.Verdict:
        """Torment it, let it deliver in peace what it has sold until now, and compare."""
        self.network.bad = True
        self.lives.haunt(kills, LONGEST_LIFE, "toy", _wait)
        self.network.bad = False
        said = self._acknowledged()
        last = said[-1]
        until("all are marked", lambda: min(self._ask("outbox", UNSENT), default=last + 1) > last)
        booked = [number for number in self._ask("ledger", "SELECT number FROM ledger") if number <= last]
        unheard = set(booked) - set(said)  # on the disk, but a kill came before its word
        return judge.compare([str(number) for number in (*said, *unheard)], map(str, booked))

    def _acknowledged(self) -> list[int]:
        """Whole lines only: the last one may be cut off by a kill."""
        text = (self._folder / "sender.out").read_text()
        return [int(line) for line in text[: text.rfind("\n")].split("\n") if line.isdigit()]

    def _ask(self, file: str, question: str) -> list[int]:
        with closing(sqlite3.connect(f"file:{self._folder / file}.db?mode=ro", uri=True, timeout=20)) as database:
            return [value for (value,) in database.execute(question)]

    def close(self) -> None:
        self.lives.close()
        self.network.stop()


def _wait(over: Callable[[], bool]) -> None:
    until("the kills are over", over)


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[Callable[[str], Toy]]:
    made: list[Toy] = []

    def make(how: str) -> Toy:
        made.append(Toy(tmp_path, how))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_right_one_is_exact(toy: Callable[[str], Toy], proof: Callable[[str], None]) -> None:
    verdict = toy("right").judged_after(ROUND)
    proof(f"chaos control, right: {ROUND} kills, {verdict.acknowledged} acknowledged, exact")
    assert verdict.exact, verdict


@pytest.mark.parametrize(("how", "harm"), [("no_key", "doubled"), ("window", "doubled"), ("mark_first", "lost")])
def test_a_wrong_one_is_found_out(toy: Callable[[str], Toy], proof: Callable[[str], None], how: str, harm: str) -> None:
    wrong = toy(how)
    for turn in range(1, ROUNDS + 1):
        verdict = wrong.judged_after(turn * ROUND)
        if not verdict.exact:
            break
    assert not verdict.exact
    assert getattr(verdict, harm), verdict
    proof(
        f"chaos control, {how}: {turn * ROUND} kills, {verdict.acknowledged} acknowledged, {len(getattr(verdict, harm))} {harm}"
    )
