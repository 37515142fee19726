"""The kill switch: a device or a store that must not take points as payment, until a person allows it again."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from conftest import Shell, Till

    from loyalty.wire import Problem


def commands(till: Till) -> list[str]:
    beat = {"epoch": till.me.epoch, "last_seq": 0, "last_hash": "", "pending": 0, "oldest_pending_at": None}
    beat |= {"version": "1", "programme_revision": 1, "devices": {}, "at": till.shop.clock.now().isoformat()}
    reply = till.ask("POST", "/v1/heartbeat", json=beat)
    assert reply.status_code == 200, reply.text
    return list(reply.json()["commands"])


def test_a_person_stops_and_allows_it_beside_the_running_server(
    shell: Shell, till_at: Callable[[str], Till], problem_of: Callable[[requests.Response], Problem]
) -> None:
    shell.init(shell.programme, 0, "--store", "S2:Second")
    _, url = shell.run()
    one, two, other = till_at(url), till_at(url), till_at(url)
    for till, machine, store in ((one, "a", "S1"), (two, "b", "S1"), (other, "c", "S2")):
        till.machine = machine
        till.claim(shell("device", "new-code", "--store", store).strip())
    member = shell("member", "add", "--card", "2900000000018", "--balance", "300").strip()

    def stopped() -> list[bool]:
        return ["stop_redemption" in commands(till) for till in (one, two, other)]

    def hold(till: Till, points: int = 10) -> requests.Response:
        return till.ask("PUT", f"/v1/holds/{uuid.uuid4()}", json={"member": member, "till": "1", "points": points})

    assert stopped() == [False, False, False]
    assert shell("device", "stop-redemption", one.me.device) == f"redemption=stopped device={one.me.device}\n"
    assert stopped() == [True, False, False]
    assert problem_of(hold(one)).code == "redemption_stopped"
    assert hold(one, 0).status_code == 200, "coupons may be kept"
    assert hold(two).status_code == 200
    assert shell("device", "stop-redemption", "--store", "S1") == "redemption=stopped store=S1\n"
    assert stopped() == [True, True, False]
    assert shell("device", "allow-redemption", one.me.device) == f"redemption=allowed device={one.me.device}\n"
    assert stopped() == [True, True, False], "the store is stopped still"
    shell("device", "allow-redemption", "--store", "S1")
    assert stopped() == [False, False, False]
    assert hold(one).status_code == 200
    assert "there is no device 'D9'" in shell("device", "stop-redemption", "D9", code=1)
    assert "there is no store 'S9'" in shell("device", "stop-redemption", "--store", "S9", code=1)
    assert "either DEVICE or --store" in shell("device", "stop-redemption", code=2)
