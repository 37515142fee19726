"""Joining at the till: phone and consents by the cashier, the code by the member."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from loyalty.wire import Consent, Enrolment
from loyalty_server.enrolment import steps
from loyalty_server.expiry import Expired, expire
from loyalty_server.storage import tables

if TYPE_CHECKING:
    import requests
    from conftest import Phone, Shop, Till

    from loyalty.wire import Problem

    ProblemOf = Callable[[requests.Response], Problem]

PHONE = "8 916 123-45-67"


def ask(till: Till, token: str, phone: str = PHONE, **more: object) -> requests.Response:
    return till.ask(
        "POST", "/v1/enrolments", json={"token": token, "phone": phone, "consents": ["personal_data"], **more}
    )


def confirm(till: Till, enrolment: str, token: str, code: str) -> requests.Response:
    return till.ask("POST", f"/v1/enrolments/{enrolment}/confirm", json={"token": token, "code": code})


def join(shop: Shop, till: Till, token: str, phone: str = PHONE) -> requests.Response:
    asked = ask(till, token, phone)
    assert asked.status_code == 201, asked.text
    return confirm(till, asked.json()["id"], token, shop.last_code())


def test_a_new_member_with_the_points_of_the_open_receipt(shop: Shop, till: Till) -> None:
    """The sale comes after: until the code is confirmed nobody can pay with its points, and they are not lost."""
    token = till.token()
    asked = ask(till, token)
    assert asked.json()["phone"] == "+7***4567"
    assert shop.count(tables.members) == 0
    done = confirm(till, asked.json()["id"], token, shop.last_code()).json()
    assert (done["balance"], done["credited"], done["card"][:2]) == (0, None, "29")
    till.sell(24000, token=token)
    assert shop.points(done["member"]) == 24
    assert shop.all(tables.cards, "card", "member") == [(done["card"], done["member"])]


def test_the_receipt_of_an_offline_till_first(shop: Shop, till: Till) -> None:
    """What was sold under the token while the till was offline earns, for nobody yet; the code makes it somebody's."""
    token = till.token()
    till.sell(24000, token=token)
    assert shop.count(tables.ledger) == 0
    done = join(shop, till, token).json()
    assert (done["balance"], done["credited"]) == (24, 24)
    assert shop.points(done["member"]) == 24


def test_a_token_for_nothing_but_this(shop: Shop, till: Till) -> None:
    token = till.token()
    assert till.verdicts(till.row(Enrolment(till="1", token=token), "enrolment")) == ["accepted"]
    assert join(shop, till, token).json()["credited"] is None


def test_somebody_who_is_a_member_already(shop: Shop, till: Till) -> None:
    member = shop.member("2900000000018", 100, phone="+79161234567")
    done = join(shop, till, till.token()).json()
    assert (done["member"], done["card"], done["balance"]) == (member, "2900000000018", 100)


def test_who_joins_again_agrees_anew(shop: Shop, till: Till) -> None:
    """He had withdrawn his consent, and what he had said before is told by a till that was offline then."""
    member = shop.member("2900000000018", 100, phone="+79161234567")
    early = (shop.clock.now() - timedelta(minutes=1)).isoformat()
    said = Consent(till="1", consent="withdrawn", member=member)
    assert till.verdicts(till.row(said, "consent", at=early)) == ["accepted"]
    assert join(shop, till, till.token()).json()["member"] == member
    assert till.verdicts(till.row(said, "consent", at=early)) == ["accepted"]
    (change,) = till.changes()
    assert change.state is not None
    assert change.state.consent == "given"
    till.sell(24000, member=member)
    assert shop.points(member) == 124


def test_one_phone_confirms_two_tokens_at_once(shop: Shop, till: Till) -> None:
    """Both find that nobody has the phone; it becomes one member with the points of both."""
    asked = []
    for _ in range(2):
        token = till.token()
        till.sell(24000, token=token)
        asked.append((ask(till, token).json()["id"], token, shop.last_code()))
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(lambda each: confirm(till, *each), asked))
    assert [each.status_code for each in done] == [200, 200]
    assert (len({each.json()["member"] for each in done}), shop.count(tables.cards)) == (1, 1)
    assert shop.points(done[0].json()["member"]) == 48


def test_who_never_joined_is_forgotten(shop: Shop, till: Till) -> None:
    ask(till, till.token())
    assert expire(shop.database, shop.clock.now() + timedelta(days=15, seconds=-1)) == Expired()
    assert shop.count(tables.attempts) == 1
    expire(shop.database, shop.clock.now() + timedelta(days=15))
    assert shop.count(tables.attempts) == 0


def test_a_lost_reply_is_asked_for_again(shop: Shop, till: Till) -> None:
    token = till.token()
    first, second = ask(till, token).json(), ask(till, token).json()
    assert (first["id"], shop.said.getvalue().count("code=")) == (second["id"], 1)
    answers = [confirm(till, first["id"], token, shop.last_code()) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert shop.count(tables.members) == 1


def test_consents_say_that_they_were_given_at_the_till(shop: Shop, till: Till) -> None:
    token = till.token()
    asked = ask(till, token, consents=["personal_data", "advertising"], language="en", text_version=1)
    confirm(till, asked.json()["id"], token, shop.last_code())
    kept = shop.all(tables.consents, "purpose", "channel", "language", "text_version", "store", "device")
    same = ("till", "en", 1, "S1", till.me.device)
    assert kept == [("advertising", *same), ("personal_data", *same)]


@pytest.mark.parametrize("shown", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_showing_that_cannot_have_been_is_not_kept(shop: Shop, till: Till, shown: str) -> None:
    token = till.token()
    asked = ask(till, token, shown_at=shown)
    assert confirm(till, asked.json()["id"], token, shop.last_code()).status_code == 200
    assert shop.all(tables.consents, "shown_at") == [(None,)]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"phone": "12"}, "phone_unreadable"),
        ({"consents": ["advertising"]}, "consent_missing"),
        ({"text_version": 99}, "consent_text_unknown"),
        ({"token": "A" * 32}, "enrolment_unknown"),
        ({"consents": "personal_data"}, "malformed"),
    ],
)
def test_what_cannot_be_is_refused(
    shop: Shop, till: Till, problem_of: ProblemOf, more: dict[str, object], code: str
) -> None:
    wish = {"token": till.token(), "phone": PHONE, "consents": ["personal_data"], **more}
    assert problem_of(till.ask("POST", "/v1/enrolments", json=wish)).code == code
    assert (shop.count(tables.attempts), shop.said.getvalue()) == (0, "")


def test_another_device_can_neither_ask_nor_confirm(shop: Shop, till: Till, problem_of: ProblemOf) -> None:
    other, token = shop.till("S2", "pc-2"), till.token()
    assert problem_of(ask(other, token)).code == "enrolment_unknown"
    asked = ask(till, token).json()
    own = other.token()
    assert problem_of(confirm(other, asked["id"], token, shop.last_code())).code == "enrolment_unknown"
    assert problem_of(confirm(other, asked["id"], own, shop.last_code())).code == "code_void"
    assert shop.count(tables.members) == 0


def test_five_wrong_codes_void_it(shop: Shop, till: Till, problem_of: ProblemOf) -> None:
    token = till.token()
    asked, right = ask(till, token).json(), shop.last_code()
    wrong = f"{(int(right) + 1) % 10**6:06}"
    said = [problem_of(confirm(till, asked["id"], token, wrong)) for _ in range(5)]
    assert [(each.code, each.left) for each in said] == [("code_wrong", left) for left in (4, 3, 2, 1)] + [
        ("code_void", None)
    ]
    assert problem_of(confirm(till, asked["id"], token, right)).code == "code_void"
    assert shop.count(tables.members) == 0


def test_a_token_is_good_once_on_the_page_and_at_the_till(
    shop: Shop, till: Till, phone: Phone, problem_of: ProblemOf
) -> None:
    token = till.token()
    phone.join(token)
    assert problem_of(ask(till, token)).code == "enrolment_used"
    old = till.token()
    shop.clock.advance(days=15)
    assert problem_of(ask(till, old)).code == "enrolment_expired"


def test_codes_are_not_sent_without_end(shop: Shop, till: Till, problem_of: ProblemOf) -> None:
    for _ in range(steps.CODES_PER_PHONE):
        assert ask(till, till.token()).status_code == 201
        shop.clock.advance(minutes=1)
    assert problem_of(ask(till, till.token())).code == "too_many_codes"
    said = [ask(till, till.token(), f"+7 916 000-00-{number:02}") for number in range(22)]
    assert problem_of(said[-1]).code == "too_many_requests", "a stolen PC must not write to whomever it likes"
    assert shop.said.getvalue().count("code=") < 28


def test_a_code_that_could_not_leave_is_said(shop: Shop, till: Till, problem_of: ProblemOf) -> None:
    shop.folder.codes_file.mkdir(parents=True)
    refused = problem_of(ask(till, till.token()))
    assert (refused.code, refused.retryable, shop.count(tables.attempts)) == ("code_not_sent", True, 0)


def test_no_phone_and_no_code_in_the_log(shop: Shop, till: Till, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = till.token()
    join(shop, till, token)
    said = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("urllib3"))
    assert "+7***4567" in said
    for secret in ("9161234567", token, shop.last_code()):
        assert secret not in said
