"""The verbs of the command that need no running agent, and those that say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from agent import __version__, config
from agent.cli import main
from loyalty import wire
from loyalty.quote import Basket, Line, Quote
from loyalty.wire import ReceiptId, Sale, Verdict
from offline_queue import CommitSale, SettleRows

if TYPE_CHECKING:
    from conftest import Store

CARD = "2900000000117"
CONFIG = """
language = "{language}"
[state]
folder = "{folder}"
[server]
url = "https://loyalty.example.org"
[[till]]
id = "1"
"""

Tillmate = Callable[..., Result]


@pytest.fixture
def tillmate(tmp_path: Path) -> Tillmate:
    def run(*words: str, language: str = "en", folder: Path = tmp_path) -> Result:
        path = tmp_path / "config.toml"
        path.write_text(CONFIG.format(language=language, folder=folder), encoding="utf-8")
        return CliRunner().invoke(main, [*words, "--config", str(path)], env={"COLUMNS": "160"})

    return run


def test_version_and_example_need_no_config() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"tillmate, version {__version__}\n"
    assert CliRunner().invoke(main, ["config", "example"]).output == config.example()


def test_a_good_config_is_said_to_be_good(tillmate: Tillmate, tmp_path: Path) -> None:
    assert tillmate("check").output == f"{tmp_path / 'config.toml'}: no mistakes.\n"
    assert tillmate("check", language="ru").output == f"{tmp_path / 'config.toml'}: ошибок нет.\n"


def test_the_config_may_be_named_before_the_verb_or_by_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG.format(language="en", folder=tmp_path), encoding="utf-8")
    assert CliRunner().invoke(main, ["--config", str(path), "check"]).exit_code == 0
    assert CliRunner().invoke(main, ["check"], env={"TILLMATE_CONFIG": str(path)}).exit_code == 0
    assert CliRunner().invoke(main, ["check"], env={"TILLMATE_CONFIG": str(tmp_path / "other")}).exit_code == 78


@pytest.mark.parametrize("verb", [("status",), ("open", "--print")])
def test_without_an_agent_it_says_so(tillmate: Tillmate, verb: tuple[str, ...]) -> None:
    ended = tillmate(*verb)
    assert (ended.exit_code, ended.stderr.splitlines()[0]) == (
        1,
        "The agent does not answer: it is not running, or this user has no right to ask.",
    )


def test_a_till_that_is_not_there(tillmate: Tillmate) -> None:
    ended = tillmate("open", "--print", "--till", "9")
    assert (ended.exit_code, ended.stderr) == (1, "There is no till 9; there are: 1.\n")


def test_without_a_queue_it_says_so(tillmate: Tillmate, tmp_path: Path) -> None:
    ended = tillmate("queue", "list", folder=tmp_path / "nothing")
    assert (ended.exit_code, ended.stderr[:22]) == (1, "There is no queue file")


def quote() -> Quote:
    return Quote(
        total=50000, discount=0, line_discounts=(0,), max_redeem=0, redeemed=0, line_redeemed=(0,), pay=50000, earned=5,
        balance_after=5, tier=None, tier_after=None, to_next_tier=None, stamps_after={}, free_units={}, gifts=(),
        slips=(), coupons_used=(), why=(), prompt={}, programme_revision=1, engine=1,
    )  # fmt: skip


@pytest.fixture
def sold(store: Store) -> Store:
    """Three sales: one delivered, one rejected, one waiting."""
    for number in range(1, 4):
        receipt = ReceiptId(store="S1", till="1", business_day=date(2026, 11, 20), shift="1", number=str(number))
        sale = Sale(receipt=receipt, basket=Basket((Line(sum=50000),)), quote=quote(), offline=True, card=CARD)
        at = datetime(2026, 11, 20, 9, number, tzinfo=UTC)
        store.queue.submit(CommitSale(f"s{number}", "h", "sale", at, sale, b"{}", None)).result(5)
    problem = wire.Problem(type="urn:x", title="no", status=422, code="till_unknown", retryable=False)
    verdicts = (Verdict(1, "accepted"), Verdict(2, "rejected", problem))
    store.queue.submit(SettleRows("e1", 2, verdicts)).result(5)
    return store


@pytest.mark.parametrize("running", [True, False])
def test_the_queue_is_shown_while_the_agent_runs_and_when_it_does_not(
    tillmate: Tillmate, sold: Store, running: bool
) -> None:
    if not running:
        sold.threads.end(sold.stop)
    listing = json.loads(tillmate("queue", "list", "--json").output)
    assert (listing["pending"], listing["rejected"], listing["last_seq"]) == (1, 1, 3)
    assert [(row["seq"], row["state"], row["reason"]) for row in listing["rows"]] == [
        (2, "rejected", "till_unknown"),
        (3, "pending", None),
    ]
    shown = tillmate("queue", "list", language="ru").output
    assert "ждут: 1, отклонено: 1" in shown
    assert "1/1/3" in shown
    assert "500.00" in shown
    assert f"{datetime(2026, 11, 20, 9, 3, tzinfo=UTC).astimezone():%d.%m.%Y %H:%M}" in shown


def test_a_queue_that_this_user_may_not_see_is_said_so(tillmate: Tillmate, tmp_path: Path) -> None:
    ended = tillmate("queue", "list", folder=tmp_path / ("x" * 300))
    assert (ended.exit_code, "cannot be used: File name too long" in ended.stderr) == (1, True)


def test_a_row_is_shown_without_the_card(tillmate: Tillmate, sold: Store) -> None:
    assert sold.reader.rows(1, 1)[0].body.count(CARD.encode()) == 1
    shown = tillmate("queue", "show", "2")
    assert CARD not in shown.output
    assert "till_unknown" in shown.output
    assert '"number": "2"' in shown.output
    assert json.loads(tillmate("queue", "show", "1", "--json").output)["state"] == "settled"
    assert tillmate("queue", "show", "99").exit_code == 1


def test_a_simulated_device_needs_a_control_port_that_is_one() -> None:
    ended = CliRunner().invoke(main, ["simulate", "printer", "--control", "here"])
    assert (ended.exit_code, "HOST:PORT" in ended.stderr) == (2, True)
