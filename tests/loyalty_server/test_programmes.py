"""Programme revisions and heartbeats."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from loyalty.jws import open_programme
from loyalty.programme import Programme, load
from loyalty.wire import Heartbeat, HeartbeatReply
from loyalty_server.keys import decode_bytes
from loyalty_server.programmes import in_force, publish
from loyalty_server.storage import tables

from .documents import club

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import requests
    from conftest import Shop, Till

    from loyalty.wire import Problem


def revision(number: int, starts_at: datetime, rate: int = 100) -> Programme:
    return load(club(revision=number, starts_at=starts_at.isoformat(), rate_bp=rate), "toml")


def published(shop: Shop, programme: Programme) -> bool:
    with shop.database.writing() as tx:
        return publish(tx, shop.keys, programme, shop.clock.now())


def revisions(till: Till) -> tuple[int, int | None]:
    answer = till.ask("GET", "/v1/programme").json()
    key = decode_bytes(till.me.programme_key)
    numbers = [
        None if signed is None else load(open_programme(signed, key), "json").header.revision
        for signed in (answer["current"], answer["next"])
    ]
    assert numbers[0] is not None
    return numbers[0], numbers[1]


def test_the_next_revision_is_told_beforehand_and_takes_over(shop: Shop, till: Till) -> None:
    etag = till.ask("GET", "/v1/programme").headers["etag"]
    later = shop.clock.now() + timedelta(hours=1)
    assert published(shop, revision(5, later))
    assert revisions(till) == (1, 5)
    assert till.ask("GET", "/v1/programme", headers={"If-None-Match": etag}).status_code == 200
    shop.clock.at = later
    assert revisions(till) == (5, None)


def test_of_two_in_force_the_higher_one_counts(shop: Shop, till: Till) -> None:
    published(shop, revision(2, shop.clock.now() - timedelta(hours=1)))
    published(shop, revision(3, shop.clock.now() - timedelta(days=9)))
    assert revisions(till) == (3, None)


def test_the_same_revision_may_be_published_again_but_not_changed(shop: Shop) -> None:
    assert published(shop, revision(2, shop.clock.now()))
    assert not published(shop, revision(2, shop.clock.now()))
    with pytest.raises(ValueError, match="revision 2 is taken"):
        published(shop, revision(2, shop.clock.now(), rate=200))


def test_a_lower_revision_is_refused(shop: Shop) -> None:
    published(shop, revision(5, shop.clock.now()))
    with pytest.raises(ValueError, match="the next one is 6"):
        published(shop, revision(4, shop.clock.now()))


def test_before_the_first_has_started_there_is_none(
    shop: Shop, till: Till, problem_of: Callable[[requests.Response], Problem]
) -> None:
    with shop.database.reading() as tx:
        assert in_force(tx, shop.clock.now() - timedelta(days=999)) is None
    with shop.database.writing() as tx:
        tx.execute(tables.programmes.delete())
    assert problem_of(till.ask("GET", "/v1/programme")).code == "no_programme"


def beat(till: Till, **more: object) -> HeartbeatReply:
    fields = {
        "epoch": till.me.epoch, "last_seq": till.seq, "last_hash": till.last.hex(), "pending": 0,
        "oldest_pending_at": None, "version": "1", "programme_revision": 1, "devices": {"receipt": "ok"},
        "at": till.shop.clock.now(),
    }  # fmt: skip
    body = msgspec.json.encode(Heartbeat(**{**fields, **more}))
    response = till.ask("POST", "/v1/heartbeat", data=body)
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=HeartbeatReply)


def test_a_healthy_till_has_nothing_to_do(shop: Shop, till: Till) -> None:
    till.sell()
    reply = beat(till)
    assert (reply.commands, reply.at) == ((), shop.clock.now())
    ((seen, version),) = shop.all(tables.devices, "seen_at", "version")
    assert (seen, version) == (shop.clock.now(), "1")


@pytest.mark.parametrize(("devices", "spread"), [(1, 60), (50_000, 500), (1_000_000, 900)])
def test_a_larger_chain_spreads_wider_after_an_outage(shop: Shop, till: Till, devices: int, spread: int) -> None:
    with shop.database.writing() as tx:
        tx.execute(tables.devices.update().values(number=devices))
    assert beat(till).spread == spread


def test_a_till_that_is_ahead_is_healthy(till: Till) -> None:
    till.sell()
    till.row(till.sale())
    assert beat(till).commands == ()


@pytest.mark.parametrize("revision", [None, 2])
def test_another_programme_is_to_be_fetched(till: Till, revision: int | None) -> None:
    assert beat(till, programme_revision=revision).commands == ("fetch_programme",)


@pytest.mark.parametrize("wrong", [{"last_hash": "0" * 64}, {"last_seq": 1}, {"epoch": "0" * 32}])
def test_a_till_with_another_past_is_to_open_an_epoch(till: Till, wrong: dict[str, object]) -> None:
    till.sell()
    till.sell()
    assert beat(till, **wrong).commands == ("open_epoch",)


def test_a_till_learns_that_another_row_stands_where_it_has_settled_one(till: Till) -> None:
    till.sell()
    first = till.last.hex()
    till.sell()
    behind = {"last_seq": 2, "pending": 1}
    assert not beat(till, **behind, settled_hash=first).diverged
    assert beat(till, **behind, settled_hash="0" * 64).diverged
    assert not beat(till, **behind).diverged, "it has not said"
    assert not beat(till, last_seq=9, pending=1, settled_hash="0" * 64).diverged, "nothing is booked there"


def test_a_till_that_is_behind_learns_what_is_booked(till: Till) -> None:
    """It may have sent more since it was asked, so it judges that itself."""
    till.sell()
    first = till.last
    till.sell()
    reply = beat(till, last_seq=1, last_hash=first.hex())
    assert (reply.commands, reply.watermark, reply.last_hash) == ((), 2, till.last.hex())


@pytest.mark.parametrize(
    ("opened", "instance", "copy"), [(3, "a", False), (4, "b", False), (3, "b", True), (2, "c", True), (0, "", False)]
)
def test_an_older_copy_of_a_queue_and_its_twin_are_told_from_it(
    till: Till, opened: int, instance: str, *, copy: bool
) -> None:
    assert beat(till, opened=3, instance="a").commands == ()
    assert beat(till, opened=opened, instance=instance).commands == (("open_epoch",) if copy else ())
