"""`tillmate programme ...` and `tillmate quote`: look at a programme before a till does.

Works on files alone, without a config, an agent or a server. Exit codes: 0 done, 1 a mistake or a refused case.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from loyalty.i18n import LANGUAGES, Language, text

if TYPE_CHECKING:
    from loyalty.case import Answer
    from loyalty.programme import Programme, ProgrammeError
    from loyalty.quote import Refusal

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_LANGUAGE = click.option("--language", type=click.Choice(LANGUAGES), default="ru", show_default=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group()
def programme() -> None:
    """About a loyalty programme: a .toml or .json file."""


@programme.command(name="check")
@click.argument("file", type=_FILE)
@_LANGUAGE
@_JSON
def check(file: Path, language: Language, as_json: bool) -> None:
    """Name every mistake with its place, what can never hold, and risky pairs of offers."""
    from agent.verbs.programme_report import look

    remarks = look(file, language)
    if as_json:
        click.echo(msgspec.json.encode(remarks))
    else:
        for each in remarks:
            warning = text("programme.warning", language) if each.severity == "warning" else ""
            click.echo(f"{file}: {warning}{each.at}: {each.text}" if each.at else f"{file}: {each.text}")
        if not remarks:
            click.echo(text("programme.good", language, file=str(file)))
    sys.exit(int(any(each.severity != "warning" for each in remarks)))


@programme.command(name="schema")
def schema() -> None:
    """Print the JSON Schema of the document."""
    import json

    from loyalty.schema import programme_schema

    click.echo(json.dumps(programme_schema(), ensure_ascii=False, indent=2))


@programme.command(name="compare")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@click.option("--cases", required=True, type=click.Path(path_type=Path, file_okay=False, exists=True))
@_LANGUAGE
@_JSON
def compare(old: Path, new: Path, cases: Path, language: Language, as_json: bool) -> None:
    """Quote every case of a folder by both programmes and show for whom what would change."""
    from agent.verbs.programme_report import changes

    new_rules = _load(new)
    every = changes(_load(old), new_rules, sorted(cases.glob("*.json")))
    changed = [each for each in every if each.fields]
    if as_json:
        for each in changed:
            click.echo(msgspec.json.encode(each))
        return
    from rich.console import Console

    from agent.verbs.programme_tables import change_table

    if changed:
        Console().print(change_table(new_rules, changed, language))
    click.echo(text("programme.changed", language, count=len(changed), all=len(every)))


@click.command(name="quote")
@click.argument("programme_file", metavar="PROGRAMME", type=_FILE)
@click.argument("cases", metavar="CASE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--explain", is_flag=True, help="As a receipt for people, instead of JSON.")
@_LANGUAGE
def quote(programme_file: Path, cases: tuple[Path, ...], explain: bool, language: Language) -> None:
    """Quote each case by the programme: one line of JSON for each, in order."""
    from agent.verbs.programme_report import answer_file
    from loyalty.quote import Refusal

    rules = _load(programme_file)
    refused = False
    for case in cases:
        answer = answer_file(rules, case)
        refused = refused or isinstance(answer, Refusal)
        if explain:
            _explain(rules, case, answer, language)
        else:
            click.echo(_error(answer) if isinstance(answer, Refusal) else answer.to_json())
    sys.exit(int(refused))


def _explain(rules: Programme, case: Path, answer: Answer | Refusal, language: Language) -> None:
    from rich.console import Console

    from agent.verbs.programme_tables import receipt
    from loyalty.quote import Refusal

    if isinstance(answer, Refusal):
        click.echo(f"{case}: {answer.at}: {answer.text[language]}")
        return
    console = Console()
    for part in receipt(rules, case.stem, answer, language):
        console.print(part, highlight=False)


def _load(file: Path) -> Programme:
    from agent.verbs.programme_report import form_of
    from loyalty.programme import ProgrammeError, load

    try:
        return load(file.read_bytes(), form_of(file))
    except ProgrammeError as error:
        _refuse(error)


def _refuse(error: ProgrammeError) -> NoReturn:
    from loyalty.i18n import texts

    said = {
        "code": error.code,
        "at": error.mistakes[0].path,
        "text": texts(error.key),
        "mistakes": [{"at": each.path, "text": each.text} for each in error.mistakes],
    }
    click.echo(msgspec.json.encode({"error": said}))
    sys.exit(1)


def _error(refusal: Refusal) -> bytes:
    return msgspec.json.encode({"error": refusal})
