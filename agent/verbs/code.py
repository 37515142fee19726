"""`tillmate code`: what a code is and why, for store IT; with `--json` a line of JSON in, a line of JSON out.

Works without an agent, and without a config where none is there. One line in:

    {"input": "...", "channel": "serial|keypad|wedge_text", "config": {...}, "now": unix seconds}

`input` is one frame, its bytes as Latin-1 characters; all but `input` may be missing. A line that cannot be read is
answered with {"error": "..."} and the next one is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import msgspec

from agent.clock import SystemClock
from agent.config import ConfigError, load
from loyalty.codes import Channel, CodeRules, classify
from loyalty.strict import structure

if TYPE_CHECKING:
    from loyalty.codes import Reading

_MISTAKES = 78
_CHANNELS: tuple[Channel, ...] = ("serial", "keypad", "wedge_text")
_NO_RULES = b"{}"


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of standard input."""

    input: str
    channel: Channel = "serial"
    config: msgspec.Raw = msgspec.Raw(_NO_RULES)
    now: Annotated[int, msgspec.Meta(ge=0)] | float | None = None


@click.command(name="code")
@click.argument("codes", metavar="CODE...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Read questions from standard input, one JSON object a line.")
@click.option("--channel", type=click.Choice(_CHANNELS), default="serial", show_default=True, help="How CODE came in.")
@click.option("--config", "config_path", type=click.Path(path_type=Path, dir_okay=False), help="config.toml")
@click.pass_obj
def code(default: Path, codes: tuple[str, ...], as_json: bool, channel: Channel, config_path: Path | None) -> None:
    """Say what a code is, and why. GS may be written as <GS>."""
    if as_json:
        for answer in answers(sys.stdin.buffer):
            sys.stdout.buffer.write(answer + b"\n")
            sys.stdout.buffer.flush()
        return
    if not codes:
        raise click.UsageError("CODE or --json is needed")
    rules = _rules(config_path or default, named=config_path is not None)
    for each in codes:
        explain(each, classify(each.encode("utf-8", "surrogateescape"), rules, channel, _now()))


def answers(lines: Iterable[bytes]) -> Iterator[bytes]:
    """One line out for each line in, whatever is in it."""
    for line in lines:
        try:
            yield msgspec.json.encode(_answer(line).table())
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
            yield msgspec.json.encode({"error": str(error)})


def explain(text: str, reading: Reading) -> None:
    """Print a reading for people."""
    click.echo(f"{reading.code.name}{f' {reading.aim}' if reading.aim else ''}  ({len(text)} characters)")
    for name, value in reading.fields().items():
        click.echo(f"  {name} = {value}")
    for word in reading.why:
        click.echo(f"  - {word}")


def _answer(line: bytes) -> Reading:
    question = msgspec.json.decode(line, type=Question)
    now = _now() if question.now is None else int(question.now)
    return classify(_bytes(question.input), _compiled(bytes(question.config)), question.channel, now)


@lru_cache(maxsize=64)
def _compiled(config: bytes) -> CodeRules:
    table = msgspec.json.decode(config, type=dict[str, object] | None)
    return structure(table or {}, CodeRules)


def _bytes(text: str) -> bytes:
    """The bytes that a text of Latin-1 characters stands for; any other text is what a keyboard typed."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def _rules(path: Path, *, named: bool) -> CodeRules:
    """The rules of the config, or none where there is no config at all."""
    if not named and not path.exists():
        click.echo(f"{path}: no config there, so no rules of the site", err=True)
        return CodeRules()
    try:
        return load(path).codes
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(_MISTAKES)


def _now() -> int:
    return int(SystemClock().now().timestamp())
