from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Annotated, Literal

import pytest

from loyalty.strict import Check, Mistake, Mistakes, at_least, between, key, structure, unstructure


@dataclass(frozen=True)
class Leaf:
    name: str
    width: Annotated[int, between(1, 100)] = 80
    mode: Literal["ru", "en", 58] = "ru"
    on: bool = False
    seconds: float = 5.0
    count: Annotated[int, at_least(3), Check(lambda value: value % 2 == 1, "must be odd")] = 3

    def __post_init__(self) -> None:
        if self.name == "one":
            raise ValueError("one is taken")
        if self.name == "two":
            raise Mistakes([Mistake("a.b", "wrong"), Mistake("", "and as a whole")])


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...] = field(default=(), metadata=key("leaf"))
    crown: Leaf | None = None
    at: datetime | None = None
    day: date | None = None
    hour: time | None = None
    names: dict[Literal["ru", "en"], str] = field(default_factory=dict)
    options: dict[str, object] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()


def mistakes(data: dict[str, object]) -> list[str]:
    with pytest.raises(Mistakes) as caught:
        structure(data, Tree)
    assert str(caught.value) == "\n".join(map(str, caught.value.mistakes))
    return [str(each) for each in caught.value.mistakes]


def test_everything_that_fits_is_taken_as_it_is() -> None:
    moment = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    data = {
        "leaf": [{"name": "x", "width": 1, "mode": 58, "on": True, "seconds": 3, "count": 5}],
        "crown": {"name": "y"},
        "at": moment,
        "day": date(2026, 1, 31),
        "hour": time(9, 30),
        "names": {"ru": "да"},
        "options": {"port": 9100, "deep": [1.5, {"a": None}]},
        "numbers": [1, 2],
    }
    tree = structure(data, Tree)
    leaf = Leaf(name="x", width=1, mode=58, on=True, seconds=3.0, count=5)
    assert tree == Tree(
        (leaf,),
        Leaf("y"),
        moment,
        date(2026, 1, 31),
        time(9, 30),
        {"ru": "да"},
        {"port": 9100, "deep": [1.5, {"a": None}]},
        (1, 2),
    )
    assert type(tree.leaves[0].seconds) is float


def test_both_ends_of_a_range_belong_to_it() -> None:
    leaves = structure({"leaf": [{"name": "x", "width": 1, "count": 3}, {"name": "y", "width": 100}]}, Tree).leaves
    assert [(leaf.width, leaf.count) for leaf in leaves] == [(1, 3), (100, 3)]


def test_times_may_come_as_text() -> None:
    tree = structure({"at": "2026-01-31T09:30:00+03:00", "day": "2026-01-31", "hour": "09:30:00"}, Tree)
    assert tree.at == datetime(2026, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=3)))
    assert (tree.day, tree.hour) == (date(2026, 1, 31), time(9, 30))


def test_every_mistake_is_named_at_once_with_its_place() -> None:
    data: dict[str, object] = {
        "leaf": [
            {"name": "x", "widht": 3, "width": True, "mode": "eng", "seconds": "1"},
            {"name": "one"},
            {"name": "two"},
            5,
            {},
        ],
        "crown": [],
        "numbers": [1, 2.0, "3", False],
        "names": {"de": "ja", "ru": 1},
        "leef": 1,
    }
    assert mistakes(data) == [
        "leaf[0].width: must be a whole number, not true or false",
        "leaf[0].mode: must be one of 'ru', 'en', 58, did you mean 'en'?",
        "leaf[0].seconds: must be a number, not text",
        "leaf[0].widht: unknown key, did you mean 'width'?",
        "leaf[1]: one is taken",
        "leaf[2].a.b: wrong",
        "leaf[2]: and as a whole",
        "leaf[3]: must be a table, not a whole number",
        "leaf[4].name: is missing",
        "crown: must be a table, not a list",
        "names.de: must be one of 'ru', 'en'",
        "names.ru: must be text, not a whole number",
        "numbers[1]: must be a whole number, not a fraction",
        "numbers[2]: must be a whole number, not text",
        "numbers[3]: must be a whole number, not true or false",
        "leef: unknown key, did you mean 'leaf'?",
    ]


@pytest.mark.parametrize(
    ("leaf", "mistake"),
    [
        ({"name": 1}, "leaf[0].name: must be text, not a whole number"),
        ({"name": None}, "leaf[0].name: must be text, not nothing"),
        ({"name": "x", "on": 1}, "leaf[0].on: must be true or false, not a whole number"),
        ({"name": "x", "width": 0}, "leaf[0].width: must be from 1 to 100"),
        ({"name": "x", "width": 101}, "leaf[0].width: must be from 1 to 100"),
        ({"name": "x", "width": {}}, "leaf[0].width: must be a whole number, not a table"),
        ({"name": "x", "count": 1}, "leaf[0].count: must be 3 or more"),
        ({"name": "x", "count": 4}, "leaf[0].count: must be odd"),
        ({"name": "x", "mode": 85}, "leaf[0].mode: must be one of 'ru', 'en', 58"),
        ({"name": "x", "mode": "zzzz"}, "leaf[0].mode: must be one of 'ru', 'en', 58"),
        ({"name": "x", "seconds": True}, "leaf[0].seconds: must be a number, not true or false"),
        ({"name": "x", "seconds": float("nan")}, "leaf[0].seconds: is out of range"),
        ({"name": "x", "seconds": float("inf")}, "leaf[0].seconds: is out of range"),
        ({"name": "x", "seconds": 10**400}, "leaf[0].seconds: is out of range"),
        ({"name": "x", "quite_else": 1}, "leaf[0].quite_else: unknown key"),
    ],
)
def test_what_does_not_fit_a_leaf(leaf: dict[str, object], mistake: str) -> None:
    assert mistakes({"leaf": [leaf]}) == [mistake]


@pytest.mark.parametrize(
    ("data", "mistake"),
    [
        ({"leaf": "abc"}, "leaf: must be a list, not text"),
        ({"leaf": {}}, "leaf: must be a list, not a table"),
        ({"options": []}, "options: must be a table, not a list"),
        ({"at": datetime(2026, 1, 31)}, "at: needs its offset, like 2026-01-31T09:30:00+03:00"),  # noqa: DTZ001 - the point
        ({"at": "soon"}, "at: must be a date and time like 2026-01-31T09:30:00+03:00"),
        ({"at": date(2026, 1, 31)}, "at: must be a date and time like 2026-01-31T09:30:00+03:00"),
        ({"at": 5}, "at: must be a date and time like 2026-01-31T09:30:00+03:00"),
        ({"day": datetime(2026, 1, 31, tzinfo=UTC)}, "day: must be a date like 2026-01-31"),
        ({"day": "2026-02-30"}, "day: must be a date like 2026-01-31"),
        ({"hour": "25:00"}, "hour: must be a time like 09:30:00"),
    ],
)
def test_what_does_not_fit_a_tree(data: dict[str, object], mistake: str) -> None:
    assert mistakes(data) == [mistake]


def test_the_document_itself_must_be_a_table() -> None:
    with pytest.raises(Mistakes) as caught:
        structure([], Tree)  # type: ignore[arg-type]
    assert caught.value.mistakes == (Mistake("", "must be a table, not a list"),)


def test_no_message_repeats_a_value() -> None:
    secret = "s3cr3t-claim-code"
    said = mistakes(
        {"leaf": [{"name": "x", "width": secret, "mode": secret, "on": secret}], "numbers": secret, "at": secret}
    )
    assert len(said) == 5
    assert secret not in "".join(said)


def test_an_unforeseen_error_in_a_dataclass_is_no_mistake_of_the_document() -> None:
    @dataclass(frozen=True)
    class Broken:
        name: str

        def __post_init__(self) -> None:
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        structure({"name": "x"}, Broken)


def test_a_table_goes_back_without_what_equals_its_default() -> None:
    tree = Tree(
        leaves=(Leaf("x"), Leaf("y", width=1)),
        at=datetime(2026, 1, 31, tzinfo=UTC),
        day=date(2026, 1, 31),
        hour=time(9),
        names={"ru": "да"},
    )
    plain = unstructure(tree)
    assert plain == {
        "leaf": [{"name": "x"}, {"name": "y", "width": 1}],
        "at": "2026-01-31T00:00:00+00:00",
        "day": "2026-01-31",
        "hour": "09:00:00",
        "names": {"ru": "да"},
    }
    assert structure(plain, Tree) == tree
