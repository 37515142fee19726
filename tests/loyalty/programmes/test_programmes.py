"""The ready programmes of docs/programmes: each loads without a remark, and each example that was worked out by hand
holds through the product's engine and through the independent model alike.

The examples are the numbers of the source documents, line by line; where one fails, the engine is wrong, not the example.
"""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from agent.cli import main
from loyalty import case as cases
from loyalty.inspection import inspect
from loyalty.programme import Programme, load
from loyalty.quote import Refusal
from tests.loyalty.model import model_quote

FOLDER = Path(__file__).parents[3] / "docs" / "programmes"
FILES = sorted(FOLDER.glob("*.toml"))
MECHANICS = range(1, 70)
TEXTS = frozenset({"text", "prompt"})
NO_BREAK = "\N{NO-BREAK SPACE}"

Json = dict[str, Any]


def examples(file: Path) -> list[Json]:
    found: list[Json] = json.loads(file.with_name(f"{file.stem}.cases.json").read_text(encoding="utf-8"))
    return found


EXAMPLES = [pytest.param(file, each, id=f"{file.stem}-{n}") for file in FILES for n, each in enumerate(examples(file))]
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
every_example = pytest.mark.parametrize(("file", "example"), EXAMPLES)


@cache
def programme(file: Path) -> Programme:
    return load(file.read_bytes(), "toml")


@cache
def document(file: Path) -> Json:
    """The document as plain JSON, for the model: times as the text that they are written as."""
    plain: Json = json.loads(json.dumps(tomllib.loads(file.read_text(encoding="utf-8")), default=str))
    return plain


def by_product(file: Path, case: Json) -> Json:
    """What `tillmate quote` prints, by the functions that it calls."""
    read = cases.read(json.dumps(case).encode())
    assert not isinstance(read, Refusal), read
    answer = cases.answer(programme(file), read)
    text = msgspec.json.encode({"error": answer}) if isinstance(answer, Refusal) else answer.to_json()
    printed: Json = json.loads(text.decode().replace(NO_BREAK, " "))
    return printed


def named(expected: object, got: object) -> object:
    """Of `got` the keys that `expected` names, in refusals and reasons: what else they say is not the example's."""
    if isinstance(expected, dict) and isinstance(got, dict) and ("code" in expected or "rule" in expected):
        return {key: got.get(key) for key in expected}
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [named(one, other) for one, other in zip(expected, got, strict=True)]
    return got


def without_texts(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_texts(each) for key, each in value.items() if key not in TEXTS and each is not None}
    return [without_texts(each) for each in value] if isinstance(value, list) else value


def holds(expect: Json, answer: Json) -> None:
    for field, expected in expect.items():
        assert field in answer, answer
        assert named(expected, answer[field]) == expected, field


@every_example
def test_the_engine_gives_the_example(file: Path, example: Json) -> None:
    holds(example["expect"], by_product(file, example["case"]))


@every_example
def test_the_model_gives_the_example(file: Path, example: Json) -> None:
    expect = {field: value for field, value in example["expect"].items() if field not in TEXTS}
    holds(expect, model_quote(document(file), example["case"]))


@every_example
def test_engine_and_model_say_the_same(file: Path, example: Json) -> None:
    model = model_quote(document(file), example["case"])
    assert without_texts(by_product(file, example["case"])) == without_texts(model)


@every_file
def test_examples_say_in_both_languages_what_they_are_and_have_numbers(file: Path) -> None:
    for example in examples(file):
        assert set(example) == {"what", "case", "expect"}
        assert {language for language, text in example["what"].items() if text} == {"ru", "en"}
        assert set(example["expect"]) - TEXTS


@every_file
def test_a_programme_loads_and_nothing_in_it_is_in_vain(file: Path) -> None:
    assert inspect(programme(file)) == ()


@every_file
def test_a_programme_speaks_both_languages(file: Path) -> None:
    found = programme(file)
    names = [[each.name for each in rules] for rules in (found.tiers, found.stamp_cards, found.offers)]
    assert all(set(name) == {"ru", "en"} for each in names for name in each)
    assert all(set(offer.words) == {"ru", "en"} for offer in found.offers)


@every_file
def test_every_rule_acts_in_an_example(file: Path) -> None:
    """No rule without an example in which it acts: explained, a gift, a stamp, or the cashier's line."""
    acted: set[str] = set()
    for each in examples(file):
        answer, member = by_product(file, each["case"]), each["case"]["member"] or {}
        stamps = answer.get("stamps_after", {})
        acted |= {card for card, after in stamps.items() if after != member.get("stamps", {}).get(card, 0)}
        acted |= {one["rule"] for one in answer.get("why", ())}
        acted |= {one["offer"] for one in answer.get("gifts", ())}
        acted |= {said.id for said in programme(file).offers if speaks(said.words, answer.get("prompt"))}
    rules = {offer.id for offer in programme(file).offers} | {card.id for card in programme(file).stamp_cards}
    assert rules <= acted


def speaks(words: dict[Any, str], prompt: dict[str, str] | None) -> bool:
    """True where the prompt is the offer's own line, whatever stands in its placeholders."""
    if prompt is None:
        return False
    pattern = re.sub(r"\\\{[a-z_]+\\\}", ".+", re.escape(words["ru"]))
    return re.fullmatch(pattern, prompt["ru"]) is not None


@every_file
def test_a_header_quotes_the_source_in_both_languages(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    header = text[: text.index("\n\n")]
    assert all(line.startswith("#") for line in header.splitlines())
    assert re.search(r"^# «.+»$", header, re.MULTILINE | re.DOTALL)
    assert re.search(r'^# ".+"$', header, re.MULTILINE | re.DOTALL)
    assert int(file.name[:2]) in mechanics_of(file)


@every_file
def test_the_case_to_try_is_one_of_the_examples(file: Path) -> None:
    tried = json.loads((FOLDER / "try" / f"{file.stem}.json").read_text(encoding="utf-8"))
    assert tried in [each["case"] for each in examples(file)]


def test_nothing_stands_alone() -> None:
    names = {file.stem for file in FILES}
    assert {path.name.removesuffix(".cases.json") for path in FOLDER.glob("*.cases.json")} == names
    assert {path.stem for path in (FOLDER / "try").glob("*.json")} == names


def mechanics_of(file: Path) -> list[int]:
    found = re.search(r"Механика / mechanic: ([\d, ]+) ", file.read_text(encoding="utf-8"))
    assert found is not None, file
    return [int(each) for each in found[1].split(", ")]


@pytest.mark.parametrize("language", [pytest.param("Русский", id="ru"), pytest.param("English", id="en")])
def test_the_readme_lists_every_mechanic_once_as_covered_or_central(language: str) -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    part = text[text.index(f"## {language}\n") :].split("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|(?:[^|]*\| \[([\w-]+)\]\(([\w.-]+)\) )?", part, re.MULTILINE)
    covered = {name: [int(each) for each in numbers.split(", ")] for numbers, name, _ in rows if name}
    assert covered == {file.stem: mechanics_of(file) for file in FILES}
    assert all(link == f"{name}.toml" for _, name, link in rows if name)
    central = [int(numbers) for numbers, name, _ in rows if not name]
    in_files = {number for numbers in covered.values() for number in numbers}
    assert len(central) == len(set(central))
    assert not in_files & set(central)
    assert in_files | set(central) == set(MECHANICS)


@every_file
@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_commands_of_the_readme(file: Path, language: str) -> None:
    check = CliRunner().invoke(main, ["programme", "check", str(file), "--language", language])
    assert check.exit_code == 0, check.output
    case = FOLDER / "try" / f"{file.stem}.json"
    quote = CliRunner().invoke(main, ["quote", str(file), str(case), "--explain", "--language", language])
    assert quote.exit_code == 0, quote.output


def test_what_the_update_changes_and_for_whom() -> None:
    old, new = FOLDER / "51-update-before.toml", FOLDER / "51-update-after.toml"
    folder = FOLDER / "try" / "51-update"
    answer = CliRunner().invoke(main, ["programme", "compare", str(old), str(new), "--cases", str(folder), "--json"])
    assert answer.exit_code == 0, answer.output
    changed = {each["case"]: each["fields"] for each in map(json.loads, answer.output.splitlines())}
    assert changed.keys() == {"six-purchases", "twelve-purchases"}
    assert changed["six-purchases"]["earned"] == [10, 30]
    assert changed["six-purchases"]["balance_after"] == [510, 530]
    assert changed["twelve-purchases"]["earned"] == [10, 50]
    assert changed["twelve-purchases"]["balance_after"] == [510, 550]
