"""The line markup that templates are written in; one line of it is one element of the document.

    text                a paragraph               left | right        two columns
    <> text             centred                   >> text             right
    * text              bold                      * left | right      bold columns
    ^ text              double height             ^^ text             double height and width
    ---  or  ===        a rule                    (empty line)        an empty line
    {qr PAYLOAD}        {qr PAYLOAD | caption}    {progress 4000}     {feed 3}

Marks may stand together before the first space: `<>^^* Shop`. What a template inserts is data, never markup: `shield`
hides the characters that mean something here, and `parse` brings them back once the line is understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from receipt_templates.document import Align, Columns, Document, Element, Feed, Progress, Qr, Rule, Size, Text
from receipt_templates.printable import printable

_META = "|{}^*<>-="
_SHIELD = {ord(char): 0xE000 + ord(char) for char in _META}
_UNSHIELD = {shielded: plain for plain, shielded in _SHIELD.items()}

_MARKED = re.compile(r"(?P<marks>(?:\^{1,2}|\*|<>|>>)+)(?:\s+(?P<text>.*))?")
_RULE = re.compile(r"(-{3,}|={3,})")
_COMMAND = re.compile(r"\{(?P<name>\w+)(?:\s+(?P<rest>.*))?\}")


class MarkupError(ValueError):
    """A line that is not markup; says which."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}")


def shield(text: str) -> str:
    """Make `text` plain text for `parse`, whatever characters are in it."""
    return printable(text).translate(_SHIELD)


def parse(source: str, language: Literal["ru", "en"]) -> Document:
    """Read markup. Raises MarkupError."""
    lines = source.rstrip().splitlines()
    return Document(tuple(_element(number, line.strip()) for number, line in enumerate(lines, 1)), language)


def _element(number: int, line: str) -> Element:
    if not line:
        return Feed()
    if rule := _RULE.fullmatch(line):
        return Rule(rule[0][0])
    if not line.startswith("{"):
        return _text(line)
    command = _COMMAND.fullmatch(line)
    if command is None or command["name"] not in _COMMANDS:
        raise MarkupError(number, f"unknown command, known: {', '.join(sorted(_COMMANDS))}")
    try:
        return _COMMANDS[command["name"]]((command["rest"] or "").strip())
    except ValueError as error:
        raise MarkupError(number, f"{command['name']}: {error}") from error


def _text(line: str) -> Element:
    marked = _MARKED.fullmatch(line)
    marks, text = (marked["marks"], marked["text"] or "") if marked else ("", line)
    left, bar, right = text.partition("|")
    bold = "*" in marks
    if bar:
        return Columns(_plain(left), _plain(right), bold=bold)
    height: Size = 2 if "^" in marks else 1
    width: Size = 2 if "^^" in marks else 1
    return Text(_plain(text), bold=bold, width=width, height=height, align=_align(marks))


def _align(marks: str) -> Align:
    if "<>" in marks:
        return "center"
    return "right" if ">>" in marks else "left"


def _plain(text: str) -> str:
    return text.strip().translate(_UNSHIELD)


def _qr(rest: str) -> Element:
    payload, _, caption = rest.partition("|")
    return Qr(_plain(payload), _plain(caption))


def _progress(rest: str) -> Element:
    return Progress(min(max(int(_plain(rest)), 0), 10000))


def _feed(rest: str) -> Element:
    return Feed(min(max(int(_plain(rest or "1")), 1), 20))


_COMMANDS: dict[str, Callable[[str], Element]] = {"qr": _qr, "progress": _progress, "feed": _feed}
