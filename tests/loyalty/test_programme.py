from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from loyalty.programme import Condition, Programme, ProgrammeError, load, to_json

Club = Callable[..., Programme]

HEAD = """
[programme]
id = "club"
revision = 7
engine = 1
starts_at = 2026-01-01T00:00:00+03:00
timezone = "Europe/Moscow"
currency = "RUB"
"""

WHOLE = """
[earn]
rate_bp = 100
first_purchase_rate_bp = 500
minimum_paid = 10000
max_receipts_per_day = 3
exclude = { categories = ["tobacco"], promo = true }

[discount]
exclude = { categories = ["tobacco"] }

[redeem]
cap_bp = 5000
step = 10
minimum_balance = 100
minimum_receipt = 50000
max_points_per_receipt = 100000
max_redemptions_per_day = 2
exclude = { categories = ["tobacco", "alcohol"], promo = true }
offline = { policy = "capped", max_points_per_receipt = 200, max_points_per_day = 400, snapshot_hours = 12 }

[[tier]]
id = "basic"
name = { ru = "Базовый", en = "Basic" }
earn_rate_bp = 100

[[tier]]
id = "silver"
earn_rate_bp = 300
discount_bp = 200
any_of = [
  { counter = "purchases", period = "month", at_least = 5 },
  { counter = "turnover", period = "lifetime", at_least = 1000000 },
]

[[tier]]
id = "platinum"
membership = true
"""


def mistakes(make: Callable[[], object]) -> list[str]:
    with pytest.raises(ProgrammeError) as caught:
        make()
    assert str(caught.value) == "\n".join(map(str, caught.value.mistakes))
    return [str(each) for each in caught.value.mistakes]


def test_what_stands_in_the_document_is_what_we_get(club: Club) -> None:
    programme = club(WHOLE, head='paper = "on_request"\nlaw = "ru"\npoint_decimals = 2\npoint_value = 500')
    assert (programme.header.id, programme.header.revision, programme.header.law) == ("club", 7, "ru")
    assert (programme.header.paper, programme.header.point_value, programme.header.point_decimals) == (
        "on_request",
        500,
        2,
    )
    assert programme.header.starts_at == datetime(2025, 12, 31, 21, tzinfo=UTC)
    assert (programme.earn.rate_bp, programme.earn.exclude.categories, programme.earn.exclude.promo) == (
        100,
        ("tobacco",),
        True,
    )
    assert programme.redeem is not None
    assert (programme.redeem.offline.max_points_per_day, programme.redeem.offline.snapshot_hours) == (400, 12)
    assert [tier.id for tier in programme.tiers] == ["basic", "silver", "platinum"]
    assert programme.tiers[0].name == {"ru": "Базовый", "en": "Basic"}
    assert programme.tiers[1].any_of[0] == Condition(counter="purchases", period="month", at_least=5)


def test_a_head_alone_is_a_programme_that_does_nothing(club: Club) -> None:
    programme = club()
    assert (programme.header.law, programme.header.paper) == ("none", "always")
    assert (programme.header.point_value, programme.header.point_decimals) == (100, 0)
    assert (programme.earn.rate_bp, programme.redeem, programme.tiers) == (None, None, ())


@pytest.mark.parametrize("text", ["", WHOLE, "[earn]\nstep = 100\npoints_per_step = 0", "[redeem]"])
def test_the_json_form_is_the_same_programme_and_the_same_bytes(club: Club, text: str) -> None:
    programme = club(text)
    wire = to_json(programme)
    assert load(wire, "json") == load(wire.decode(), "json") == programme
    assert to_json(load(wire, "json")) == wire


def test_the_json_form_leaves_out_what_the_reader_knows_anyway(club: Club) -> None:
    assert to_json(club("[redeem]\nstep = 5")) == (
        b'{"programme":{"currency":"RUB","engine":1,"id":"club","revision":7,'
        b'"starts_at":"2026-01-01T00:00:00+03:00","timezone":"Europe/Moscow"},"redeem":{"step":5}}'
    )


def test_every_mistake_is_named_at_once(club: Club) -> None:
    text = """
    [earn]
    rate = 100
    minimum_paid = -1
    [redeem]
    cap_bp = 10001
    step = 0
    offline = { policy = "cap" }
    [returns]
    spent_points = "dept"
    [[tier]]
    id = "a b"
    any_of = [{ counter = "purchase", period = "lifetime" }]
    [[offer]]
    id = "x"
    """
    assert mistakes(lambda: club(text, head='law = "russia"\npoint_decimals = 1\npaper = true')) == [
        "programme.point_decimals: must be one of 0, 2",
        "programme.paper: must be one of 'always', 'no_member', 'on_request', 'never'",
        "programme.law: must be one of 'ru', 'none'",
        "earn.minimum_paid: must be from 0 to 1000000000000",
        "earn.rate: unknown key, did you mean 'rate_bp'?",
        "redeem.cap_bp: must be from 0 to 10000",
        "redeem.step: must be from 1 to 1000000000000",
        "redeem.offline.policy: must be one of 'none', 'capped', did you mean 'capped'?",
        "returns.spent_points: must be one of 'debt', 'forgive', 'from_money', did you mean 'debt'?",
        "tier[0].id: must be 1-64 letters, digits, '-', '_' or '.'",
        "tier[0].any_of[0].counter: must be one of 'purchases', 'turnover', did you mean 'purchases'?",
        "tier[0].any_of[0].at_least: is missing",
        "offer[0].give: is missing",
    ]


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ('id = "club"', "", "programme.id: is missing"),
        ("revision = 7", "revision = 0", "programme.revision: must be from 1 to 1000000000"),
        ("revision = 7", "revision = 7.0", "programme.revision: must be a whole number, not a fraction"),
        ("engine = 1", "engine = 2", "programme.engine: must be one of 1"),
        ("engine = 1", "engine = true", "programme.engine: must be one of 1"),
        ("+03:00", "", "programme.starts_at: needs its offset, like 2026-01-31T09:30:00+03:00"),
        ("Europe/Moscow", "Europe/Moskow", "programme.timezone: must be a time zone like Europe/Moscow"),
        ("Europe/Moscow", "../etc/passwd", "programme.timezone: must be a time zone like Europe/Moscow"),
        ("Europe/Moscow", "Europe", "programme.timezone: must be a time zone like Europe/Moscow"),
        ("Europe/Moscow", "", "programme.timezone: must be a time zone like Europe/Moscow"),
        ("RUB", "rub", "programme.currency: must be a currency code like RUB"),
        ("RUB", "RUBLE", "programme.currency: must be a currency code like RUB"),
    ],
)
def test_what_the_head_must_be(old: str, new: str, mistake: str) -> None:
    document = HEAD.replace(old, new)
    assert mistakes(lambda: load(document, "toml")) == [mistake]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[earn]\nrate_bp = 1\nstep = 100\npoints_per_step = 5",
            ["earn: either rate_bp, or step with points_per_step, not both"],
        ),
        ("[earn]\nstep = 100", ["earn: step and points_per_step go together"]),
        ("[earn]\npoints_per_step = 5", ["earn: step and points_per_step go together"]),
        (
            '[redeem]\noffline = { policy = "capped", max_points_per_day = 1 }',
            ["redeem.offline: policy 'capped' needs max_points_per_receipt and max_points_per_day"],
        ),
        (
            '[redeem]\noffline = { policy = "capped", max_points_per_receipt = 1 }',
            ["redeem.offline: policy 'capped' needs max_points_per_receipt and max_points_per_day"],
        ),
        (
            '[[tier]]\nid = "a"\nmembership = true\n[[tier]]\nid = "a"\npoints_per_step = 1\n[[tier]]\nid = "b"\n'
            'membership = true\nany_of = [{ counter = "purchases", period = "day", at_least = 1 }]',
            [
                "tier[1].id: stands twice",
                "tier[0]: the first tier is everybody's and has no condition",
                "tier[1]: needs a condition: any_of, or membership, or both",
                "tier[1].points_per_step: needs step in [earn]",
            ],
        ),
        (
            '[earn]\nstep = 100\npoints_per_step = 1\n[[tier]]\nid = "a"\nearn_rate_bp = 100',
            ["tier[0].earn_rate_bp: the programme earns by steps: use points_per_step"],
        ),
    ],
)
def test_rules_that_contradict_are_refused(club: Club, text: str, said: list[str]) -> None:
    assert mistakes(lambda: club(text)) == said


@pytest.mark.parametrize(
    ("text", "form"),
    [("[programme", "toml"), ("{", "json"), (b"\xff", "toml"), (b"\xff", "json"), ("[" * 100_000, "json"), ("a = " + "[" * 100_000, "toml")],
    ids=["toml", "json", "bytes as toml", "bytes as json", "deep json", "deep toml"],
)  # fmt: skip
def test_what_cannot_be_read_is_one_mistake(text: str | bytes, form: str) -> None:
    said = mistakes(lambda: load(text, form))  # type: ignore[arg-type]
    assert len(said) == 1
    assert said[0].startswith(f"cannot be read as {form.upper()}")


def test_json_that_is_no_table_is_refused() -> None:
    assert mistakes(lambda: load("[]", "json")) == ["must be a table, not a list"]
    assert mistakes(lambda: load("{}", "json")) == ["programme: is missing"]


def test_a_file_that_was_saved_by_notepad_can_be_read() -> None:
    assert load(b"\xef\xbb\xbf" + HEAD.encode(), "toml").header.id == "club"


def test_days_are_those_of_the_programmes_time_zone(club: Club) -> None:
    assert club().day(datetime(2026, 12, 31, 20, 59, 59, tzinfo=UTC)) == date(2026, 12, 31)
    assert club().day(datetime(2026, 12, 31, 21, 0, tzinfo=UTC)) == date(2027, 1, 1)
