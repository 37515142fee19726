"""The line markup that templates are written in; one line of it is one element of the document.

    text                a paragraph               left | right        two columns
    <> text             centred                   >> text             right
    * text              bold                      ~ text              small print
    ^ text              double height             ^^ text             double height and width
    ---  or  ===        a rule                    (empty line)        an empty line
    {qr PAYLOAD}        {qr PAYLOAD | caption}    {progress 4000}     a bar, in hundredths of a percent
    {logo}              the shop's logo           {stamps 4 6}        four stamps on a card of six
    {feed 3}            three empty lines
    {barcode code128 PAYLOAD | caption}           also ean13, ean8, upca, itf, code39

Marks may stand together before the first space: `<>^^* Shop`, and all but `^^` before columns: `^* Total | 5,00`. What a template inserts is data, never markup: `shield`
hides the characters that mean something here, and `parse` brings them back once the line is understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast, get_args

from receipt_templates.barcodes import BarcodeKind
from receipt_templates.document import (
    STAMPS_LIMIT,
    Align,
    Barcode,
    Columns,
    Document,
    Element,
    Feed,
    Font,
    Language,
    Logo,
    Progress,
    Qr,
    Rule,
    Size,
    Stamps,
    Text,
)
from receipt_templates.mistakes import Mistake
from receipt_templates.printable import printable

LINES_LIMIT = 2000

_META = "|{}^*<>-=~"
_SHIELD = {ord(char): 0xE000 + ord(char) for char in _META}
_UNSHIELD = {shielded: plain for plain, shielded in _SHIELD.items()}

_MARKED = re.compile(r"(?P<marks>(?:\^{1,2}|\*|~|<>|>>)+)(?:\s+(?P<text>.*))?")
_RULE = re.compile(r"(-{3,}|={3,})")
_COMMAND = re.compile(r"\{(?P<name>\w+)(?:\s+(?P<rest>.*))?\}")


class MarkupError(ValueError):
    """A line that is not markup; says which of them in `line`."""

    def __init__(self, line: int, wrong: Mistake) -> None:
        super().__init__(f"line {line}: {wrong}")
        self.line, self.wrong = line, wrong


def shield(text: str) -> str:
    """Make `text` plain text for `parse`, whatever characters are in it."""
    return printable(text).translate(_SHIELD)


def parse(source: str, language: Language) -> Document:
    """Read markup. Raises MarkupError."""
    lines = source.rstrip().splitlines()
    if len(lines) > LINES_LIMIT:
        raise MarkupError(LINES_LIMIT + 1, Mistake("many_lines", limit=LINES_LIMIT))
    return Document(tuple(_element(number, line.strip()) for number, line in enumerate(lines, 1)), language)


def _element(number: int, line: str) -> Element:
    if not line:
        return Feed()
    if rule := _RULE.fullmatch(line):
        return Rule(rule[0][0])
    if not line.startswith("{"):
        return _text(line)
    command = _COMMAND.fullmatch(line)
    if command is None and not line.endswith("}"):
        raise MarkupError(number, Mistake("command_open"))
    if command is None or command["name"] not in _COMMANDS:
        raise MarkupError(number, Mistake("command_unknown", known=", ".join(sorted(_COMMANDS))))
    try:
        return _COMMANDS[command["name"]]((command["rest"] or "").strip())
    except Mistake as error:
        raise MarkupError(number, Mistake("in_command", command=command["name"], wrong=error.said)) from error


def _text(line: str) -> Element:
    marked = _MARKED.fullmatch(line)
    marks, text = (marked["marks"], marked["text"] or "") if marked else ("", line)
    left, bar, right = text.partition("|")
    bold = "*" in marks
    font: Font = "B" if "~" in marks else "A"
    height: Size = 2 if "^" in marks else 1
    if bar:
        return Columns(_plain(left), _plain(right), bold=bold, font=font, height=height)
    width: Size = 2 if "^^" in marks else 1
    return Text(_plain(text), bold=bold, width=width, height=height, align=_align(marks), font=font)


def _align(marks: str) -> Align:
    if "<>" in marks:
        return "center"
    return "right" if ">>" in marks else "left"


def _plain(text: str) -> str:
    return text.strip().translate(_UNSHIELD)


def _qr(rest: str) -> Element:
    payload, _, caption = rest.partition("|")
    return Qr(_plain(payload), _plain(caption))


def _barcode(rest: str) -> Element:
    kind, _, rest = rest.partition(" ")
    if kind not in get_args(BarcodeKind):
        raise Mistake("barcode_kind", given=repr(_plain(kind)), known=", ".join(get_args(BarcodeKind)))
    payload, _, caption = rest.partition("|")
    return Barcode(_plain(payload), cast(BarcodeKind, kind), _plain(caption))


def _logo(rest: str) -> Element:
    if rest:
        raise Mistake("logo_alone")
    return Logo()


def _stamps(rest: str) -> Element:
    numbers = [_number(word) for word in rest.split()]
    if len(numbers) != 2 or numbers[1] < 1:
        raise Mistake("stamps_of", given=repr(_plain(rest)))
    of = min(numbers[1], STAMPS_LIMIT)
    return Stamps(min(max(numbers[0], 0), of), of)


def _progress(rest: str) -> Element:
    return Progress(min(max(_number(rest), 0), 10000))


def _feed(rest: str) -> Element:
    return Feed(min(max(_number(rest or "1"), 1), 20))


def _number(word: str) -> int:
    plain = _plain(word)
    if not re.fullmatch(r"-?[0-9]{1,9}", plain):
        raise Mistake("whole_number", given=repr(plain))
    return int(plain)


_COMMANDS: dict[str, Callable[[str], Element]] = {
    "barcode": _barcode,
    "feed": _feed,
    "logo": _logo,
    "progress": _progress,
    "qr": _qr,
    "stamps": _stamps,
}
