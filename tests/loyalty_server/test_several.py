"""Two server processes on one database, as behind a balancer: each request goes to either, and nobody can tell."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from loyalty.columns import unpack
from loyalty.wire import ChangesPage, MemberChange, PackedPage, Problem
from loyalty_server.folder import DataFolder

from .fleet import Seller, Servers, at_work, hire, judge
from .shell import Shell

if TYPE_CHECKING:
    from conftest import Till

TILLS = 4


@pytest.fixture
def shop(shell: Shell) -> Shell:
    shell.init()
    return shell


@pytest.fixture
def folders(shop: Shell, tmp_path: Path) -> list[Path]:
    """Each process has a data folder of its own, with the same keys; on SQLite they share the one that there is."""
    if shop.storage.name == "sqlite":
        return [shop.folder, shop.folder]
    other = Shell(tmp_path / "other" / "data", shop.storage)
    other.folder.mkdir(parents=True)
    shutil.copy(DataFolder(shop.folder).keys_file, DataFolder(other.folder).keys_file)
    other("init", "--database", DataFolder(shop.folder).address)
    return [shop.folder, other.folder]


@pytest.fixture
def servers(folders: list[Path]) -> Iterator[Servers]:
    with closing(Servers()) as made:
        for folder in folders:
            made.start(folder)
        yield made


@pytest.fixture
def members(shop: Shell) -> list[str]:
    return [shop("member", "add", "--card", f"29{number:011}").strip() for number in range(3)]


@pytest.fixture
def sellers(shop: Shell, servers: Servers, members: list[str], till_at: Callable[[str], Till]) -> list[Seller]:
    codes = [shop("device", "new-code", "--store", "S1").strip() for _ in range(TILLS)]
    return hire(till_at, servers.urls, members, codes)


def problem(seller: Seller, url: str, *rows: object, epoch: str | None = None) -> Problem:
    seller.till.shop.url = url
    response = seller.till.post(*rows, epoch=epoch)
    assert response.status_code == 409, response.text
    return msgspec.json.decode(response.content, type=Problem)


def page(seller: Seller, url: str, since: str) -> ChangesPage:
    seller.till.shop.url = url
    response = seller.till.ask("GET", "/v1/members/changes", params={"since": since} if since else {})
    assert response.status_code == 200, response.text
    return unpack(msgspec.json.decode(response.content, type=PackedPage))


def test_each_request_to_either_is_one_ledger(
    shop: Shell,
    servers: Servers,
    sellers: list[Seller],
    members: list[str],
    size: Callable[[int, int], int],
    proof: Callable[[str], None],
) -> None:
    *selling, reading = sellers
    chance = random.Random(3)  # noqa: S311 - no secret
    known: dict[str, MemberChange] = {}
    cursor, pages = "", size(20, 400)

    def read() -> None:
        nonlocal cursor
        got = page(reading, chance.choice(servers.urls), cursor)
        known.update({change.member: change for change in got.changes})
        cursor = got.next

    with at_work(selling):
        for _ in range(pages):
            read()
    read()
    assert {change.member for url in servers.urls for change in page(reading, url, "").changes} == set(members)
    for url in servers.urls:
        assert page(reading, url, cursor).changes == ()
        latest = {change.member: change.state.balance for change in page(reading, url, "").changes if change.state}
        assert latest == {name: change.state.balance for name, change in known.items() if change.state}
    proof(f"two processes on {shop.storage.name}: {pages} pages, {judge(DataFolder(shop.folder), sellers)}")


def test_one_batch_to_both_at_once_is_booked_once(servers: Servers, sellers: list[Seller], shop: Shell) -> None:
    seller = sellers[0]
    twins = [copy.copy(seller.till) for _ in servers.urls]
    for twin, url in zip(twins, servers.urls, strict=True):
        twin.shop = replace(twin.shop, url=url)
    for _ in range(5):
        sales = seller.sell(5)
        rows = [row for row, _, _ in sales]
        with ThreadPoolExecutor(len(twins)) as pool:
            replies = pool.map(lambda till, sent=rows: till.send(*sent), twins)
            said = sorted(verdict.verdict for reply in replies for verdict in reply.verdicts)
        assert said == ["accepted"] * 5 + ["duplicate"] * 5
        seller.sold.update({row.id: (member, earned) for row, member, earned in sales})
    judge(DataFolder(shop.folder), sellers)


def test_gaps_and_forks_are_seen_by_either(servers: Servers, sellers: list[Seller]) -> None:
    first, second = servers.urls
    seller = sellers[0]
    one, two, three = (row for row, _, _ in seller.sell(3))
    seller.till.shop.url = first
    assert seller.till.verdicts(one) == ["accepted"]
    said = problem(seller, second, three)
    assert (said.code, said.expect) == ("gap", 2)
    assert seller.till.verdicts(two, three) == ["accepted", "accepted"]
    other = msgspec.structs.replace(three, hash="0" * 64)
    said = problem(seller, first, other)
    assert (said.code, said.expect) == ("fork", 4)
    assert problem(seller, second, one, epoch="never opened").code == "epoch_unknown"
