"""From the QR on a receipt to a member: in either order with the sale, once, and nothing given away."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.codes.check_digit import has_check_digit
from loyalty.enrolment_token import hour_of, mint
from loyalty.wire import Enrolment
from loyalty_server.enrolment import steps
from loyalty_server.keys import decode_bytes
from loyalty_server.storage import tables

if TYPE_CHECKING:
    from conftest import Phone, Shop, Till

GOOD = {"phone": "8 916 123-45-67", "personal_data": "yes"}


def only_member(shop: Shop) -> str:
    ((member,),) = shop.all(tables.members, "id")
    return str(member)


def card_of(shop: Shop) -> str:
    ((card,),) = shop.all(tables.cards, "card")
    return str(card)


def test_the_sale_first(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    sale = till.sell(24000, token=token)
    assert "24 бонуса ждут вас за этот чек" in phone.open(f"/E/{token}").text
    assert "+7***4567" in phone.submit(**GOOD).text
    phone.submit(code=shop.last_code())
    assert phone.status == 200
    assert "За этот чек 24 бонуса На карте 24 бонуса" in phone.text
    assert shop.points(only_member(shop)) == sale.quote.earned == 24
    assert shop.all(tables.receipts, "member") == [(only_member(shop),)]


def test_the_enrolment_first(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    sale = till.sale(24000, token=token)
    assert "Бонусы за этот чек придут на карту" in phone.open(f"/E/{token}").text
    phone.submit(**GOOD).submit(code=shop.last_code())
    assert "На карте 0 бонусов" in phone.text
    assert "придут на карту" in phone.text
    row = till.row(sale)
    assert till.verdicts(row) == ["accepted"]
    assert till.verdicts(row) == ["duplicate"]
    assert shop.points(only_member(shop)) == 24
    assert shop.all(tables.ledger, "kind", "points", "row_id") == [("earn", 24, row.id)]


def test_the_sale_between_the_two_steps(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    phone.open(f"/E/{token}").submit(**GOOD)
    till.sell(24000, token=token)
    assert "24 бонуса" in phone.submit(code=shop.last_code()).text
    assert shop.points(only_member(shop)) == 24


ORDERS = itertools.permutations(("sale", "sale again", "ask", "confirm"))


@pytest.mark.parametrize("order", [order for order in ORDERS if order.index("ask") < order.index("confirm")])
def test_any_order_credits_once(shop: Shop, till: Till, phone: Phone, order: tuple[str, ...]) -> None:
    """Whatever comes first, with a restart after each step."""
    token = till.token()
    row = till.row(till.sale(24000, token=token))
    for step in order:
        match step:
            case "ask":
                phone.open(f"/e/{token.lower()}").submit(**GOOD)
            case "confirm":
                phone.submit(code=shop.last_code())
            case _:
                till.send(row)
        shop.restart()
    assert shop.points(only_member(shop)) == 24
    assert shop.count(tables.ledger) == 1


def test_the_purchase_counts_for_the_new_member(till: Till, phone: Phone) -> None:
    token = till.token()
    till.sell(24000, token=token)
    phone.join(token)
    (change,) = till.changes()
    assert change.state is not None
    assert change.state.counters.purchases["lifetime"] == 1
    assert change.state.joined == "2026-12-12"
    assert len(change.idents or ()) == 1


def test_the_new_card_is_one_that_tills_read(shop: Shop, till: Till, phone: Phone) -> None:
    phone.join(till.token())
    card = card_of(shop)
    assert len(card) == 13
    assert card.startswith("29")
    assert has_check_digit(card)
    assert card in phone.text.replace(" ", "")


def test_a_member_with_that_phone_gets_the_points(shop: Shop, till: Till, phone: Phone) -> None:
    member = shop.member("2900000000018", 100, phone="+79161234567")
    token = till.token()
    till.sell(24000, token=token)
    before = phone.open(f"/E/{token}").submit(**GOOD).text
    assert "100" not in before
    assert "2900000000018" not in before.replace(" ", "")
    text = phone.submit(code=shop.last_code()).text
    assert "2900000000018" in text.replace(" ", "")
    assert "На карте 124 бонуса" in text
    assert shop.points(member) == 124
    assert shop.count(tables.members) == 1


def test_a_token_is_good_once(shop: Shop, till: Till, phone: Phone, other_phone: Phone) -> None:
    token = till.token()
    till.sell(24000, token=token)
    phone.join(token)
    other_phone.open(f"/E/{token}")
    assert (other_phone.status, "has been used" in other_phone.text) == (410, True)
    for secret in ("24", card_of(shop), "4567"):
        assert secret not in other_phone.page.replace(" ", "").split("</style>")[1]


def test_the_second_of_two_who_asked_is_too_late(shop: Shop, till: Till, phone: Phone, other_phone: Phone) -> None:
    token = till.token()
    till.sell(24000, token=token)
    phone.open(f"/E/{token}").submit(**GOOD)
    first = shop.last_code()
    other_phone.open(f"/E/{token}").submit(phone="+7 999 000-00-00", personal_data="yes")
    second = shop.last_code()
    phone.submit(code=first)
    assert phone.status == 200
    assert other_phone.submit(code=second).status == 410
    assert shop.count(tables.members) == 1


def test_a_code_works_only_where_it_was_asked_for(shop: Shop, till: Till, phone: Phone, other_phone: Phone) -> None:
    token = till.token()
    phone.open(f"/E/{token}").submit(**GOOD)
    code = shop.last_code()
    other_phone.open(f"/E/{token}").submit(phone="+7 999 000-00-00", personal_data="yes")
    assert shop.last_code() != code
    assert other_phone.submit(code=code).status == 422
    assert shop.count(tables.members) == 0


def test_a_lost_last_page_can_be_sent_for_again(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    till.sell(24000, token=token)
    phone.open(f"/E/{token}").submit(**GOOD)
    form = phone.page
    shown = phone.submit(code=shop.last_code()).page
    phone.page = form
    assert phone.submit(code=shop.last_code()).page == shown
    assert shop.points(only_member(shop)) == 24
    shop.clock.advance(hours=1)
    phone.page = form
    assert phone.submit(code=shop.last_code()).status == 410


def test_five_wrong_codes_void_the_attempt(shop: Shop, till: Till, phone: Phone) -> None:
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    right = shop.last_code()
    wrong = f"{(int(right) + 1) % 10**6:06}"
    for left in (4, 3, 2, 1):
        phone.submit(code=wrong)
        assert (phone.status, f"Осталось попыток: {left}" in phone.text) == (422, True)
        assert 'aria-invalid="true" aria-describedby="code-error"' in phone.page
    asked = phone.page
    assert "больше не действует" in phone.submit(code=wrong).text
    phone.page = asked
    assert "больше не действует" in phone.submit(code=right).text
    assert shop.count(tables.members) == 0
    phone.submit(**GOOD).submit(code=shop.last_code())
    assert phone.status == 200
    assert shop.count(tables.members) == 1


def test_a_code_lives_ten_minutes(shop: Shop, till: Till, phone: Phone) -> None:
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    shop.clock.advance(minutes=10)
    assert "больше не действует" in phone.submit(code=shop.last_code()).text
    assert shop.count(tables.members) == 0


@pytest.mark.parametrize("typed", ["{code}", " {code} ", "{code:.3}-{rest}", "{code:.3} {rest}"])
def test_a_code_may_be_typed_with_spaces(shop: Shop, till: Till, phone: Phone, typed: str) -> None:
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    code = shop.last_code()
    assert phone.submit(code=typed.format(code=code, rest=code[3:])).status == 200


def test_a_double_tap_sends_one_code(shop: Shop, till: Till, phone: Phone) -> None:
    page = phone.open(f"/E/{till.token()}").page
    phone.submit(**GOOD)
    phone.page = page
    phone.submit(**GOOD)
    assert shop.said.getvalue().count("code=") == 1
    assert phone.submit(code=shop.last_code()).status == 200


def test_a_code_that_could_not_leave_is_made_anew(shop: Shop, till: Till, phone: Phone) -> None:
    file = shop.folder.codes_file
    file.mkdir(parents=True)  # in the sender's way
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    assert "Не получилось отправить код" in phone.text
    file.rmdir()
    phone.submit(**GOOD)
    assert shop.said.getvalue().count("code=") == 1
    assert phone.submit(code=shop.last_code()).status == 200


def test_codes_are_not_sent_without_end(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    for _ in range(steps.CODES_PER_TOKEN):
        assert phone.open(f"/E/{token}").submit(**GOOD).status == 200
        shop.clock.advance(minutes=1)
    phone.open(f"/E/{token}").submit(**GOOD)
    assert (phone.status, "Слишком много кодов" in phone.text) == (429, True)
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    assert phone.status == 429
    assert shop.said.getvalue().count("code=") == steps.CODES_PER_TOKEN
    shop.clock.advance(days=1)
    assert phone.open(f"/E/{till.token()}").submit(**GOOD).status == 200


def test_three_receipts_a_day_for_one_phone(shop: Shop, till: Till, phone: Phone) -> None:
    for _ in range(steps.CLAIMS_PER_PHONE):
        assert phone.join(till.token()).status == 200
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    assert (phone.status, "Приходите с этим чеком завтра" in phone.text) == (429, True)
    shop.clock.advance(days=1)
    assert phone.join(till.token()).status == 200
    assert shop.count(tables.members) == 1


def test_forged_and_expired_look_alike(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    till.sell(24000, token=token)
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    shop.clock.advance(days=14, hours=1)
    expired = phone.open(f"/E/{token}").page
    assert phone.status == 410
    unknown = phone.open(f"/E/{forged}").page
    assert phone.status == 404

    def shape(page: str) -> str:
        head, _, rest = page.partition("</h1>\n<p>")
        return head + rest.partition("</p>")[2]

    assert shape(expired) == shape(unknown)
    assert "24" not in unknown.split("</style>")[1] + expired.split("</style>")[1]


def test_a_token_is_good_for_fourteen_days_by_its_hour(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    shop.clock.advance(days=14)
    phone.open(f"/E/{token}").submit(**GOOD)
    assert phone.status == 200
    shop.clock.advance(hours=1)
    assert phone.submit(code=shop.last_code()).status == 410
    assert phone.open(f"/E/{token}").status == 410


@pytest.mark.parametrize("token", ["", "x", "A" * 31, "A" * 32, "A" * 33, "%00", "1" * 32, "é" * 32, "<b>"])
def test_no_token_at_all(phone: Phone, token: str) -> None:
    phone.open(f"/E/{token}")
    assert phone.status == 404
    assert "<b>" not in phone.page


def test_a_forged_token_on_a_sale_is_flagged_and_the_sale_booked(shop: Shop, till: Till, phone: Phone) -> None:
    other = shop.till("S1", "pc-2")
    till.sell(token=other.token())
    till.sell(token=mint(b"\0" * 32, till.me.device_number, 1, hour_of(shop.clock.now()), 1))
    till.sell(token="nonsense")
    assert shop.flags() == ["token_forged"] * 3
    assert shop.count(tables.receipts) == 3
    assert phone.open(f"/E/{other.token()}").status == 200


def test_a_token_stands_on_one_receipt(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    till.sell(24000, token=token)
    till.sell(99000, token=token.lower())
    assert shop.flags() == ["token_reused"]
    assert "24 бонуса" in phone.join(token).text
    assert shop.points(only_member(shop)) == 24


def test_a_token_that_was_asked_for_at_the_till_has_no_points(shop: Shop, till: Till, phone: Phone) -> None:
    token = till.token()
    assert till.verdicts(till.row(Enrolment(till="1", token=token), "enrolment")) == ["accepted"]
    text = phone.open(f"/E/{token}").text
    assert "бонус" not in text.replace("Бонусная карта за минуту", "").lower().replace("бонусной", "")
    assert phone.submit(**GOOD).submit(code=shop.last_code()).status == 200
    assert shop.points(only_member(shop)) == 0


def test_an_older_key_generation_still_opens_the_page(shop: Shop, till: Till, phone: Phone) -> None:
    key = shop.keys.token(till.me.device_number, 2)
    token = mint(key, till.me.device_number, 2, hour_of(shop.clock.now()), 1)
    assert decode_bytes(till.me.token_key) != key
    assert phone.open(f"/E/{token}").status == 200


def test_consents_are_kept_with_the_text_that_was_shown(shop: Shop, till: Till, phone: Phone) -> None:
    phone.open(f"/E/{till.token()}")
    shop.clock.advance(minutes=2)
    accepted = shop.clock.now()
    phone.submit(**GOOD, advertising="yes")
    shop.clock.advance(minutes=1)
    phone.submit(code=shop.last_code())
    kept = shop.all(
        tables.consents, "purpose", "text_version", "language", "shown_at", "accepted_at", "channel", "store", "device"
    )
    shown = accepted.replace(minute=accepted.minute - 2)
    same = (1, "ru", shown, accepted, "receipt_qr", "S1", till.me.device)
    assert kept == [("advertising", *same), ("personal_data", *same)]
    assert all(len(str(digest)) == 64 for digest, *_ in shop.all(tables.consents, "text_sha256"))


def test_advertising_is_not_agreed_to_by_default(shop: Shop, till: Till, phone: Phone) -> None:
    phone.join(till.token())
    assert [purpose for purpose, *_ in shop.all(tables.consents, "purpose")] == ["personal_data"]


def test_no_phone_and_no_token_in_the_log(
    shop: Shop, till: Till, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    token = till.token()
    till.sell(24000, token=token)
    phone.join(token)
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")]
    said = "\n".join([*ours, shop.said.getvalue()])
    assert "+7***4567" in said
    for secret in ("9161234567", "1234567", token, token.lower(), card_of(shop)):
        assert secret not in said


def test_the_code_is_left_for_the_demo_page(shop: Shop, till: Till, phone: Phone) -> None:
    phone.open(f"/E/{till.token()}").submit(**GOOD)
    (line,) = shop.folder.codes_file.read_text().splitlines()
    said = json.loads(line)
    assert said["code"] == shop.last_code()
    assert said["code"] in said["text"]
    assert said["phone"] == "+7***4567"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(st.sampled_from(["phone", "code", "attempt", "lang", "texts", "shown", "x"]), st.text()))
def test_no_form_breaks_the_page(shop: Shop, till: Till, phone: Phone, data: dict[str, str]) -> None:
    token = till.token()
    for path in (f"/e/{token}", f"/e/{token}/confirm"):
        response = shop.http.post(shop.url + path, data={"personal_data": "yes", **data})
        assert response.status_code in (200, 400, 413, 422, 429), response.text
    assert phone.open(f"/e/{token}").status == 200
