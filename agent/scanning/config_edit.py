"""Pure: puts a scanner into the text of config.toml and leaves every other byte of it as it is.

The text is edited as text and then read again: unless it says exactly what it is to say, nothing is changed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from agent.toml_example import toml_value

Table = Mapping[str, object]

_HEADER = re.compile(r"^[ \t]*\[\[?[ \t]*([A-Za-z0-9_.\" -]+?)[ \t]*\]\]?[ \t]*(#[^\r\n]*)?(?=\r?$)", re.MULTILINE)
_SCANNERS = re.compile(r"^[ \t]*scanners[ \t]*=[ \t]*\[(.*?)\]", re.MULTILINE | re.DOTALL)
_STRING = re.compile(r""""[^"\n]*"|'[^'\n]*'""")
_OWN = ("driver", "options", "framing")


class CannotEdit(Exception):
    """The file is written in a way that this module does not understand; nothing was changed."""


def scanner_lines(table: Table) -> list[str]:
    """The [[scanner]] table, as a person would write it."""
    return ["[[scanner]]", *(f"{name} = {toml_value(value)}" for name, value in table.items())]


def with_scanner(source: str, table: Table, till: str) -> str:
    """The text with that scanner, which belongs to that till. One of that name is replaced. Raises CannotEdit."""
    before = tomllib.loads(source)
    name = str(table["name"])
    line_end = "\r\n" if "\r\n" in source else "\n"
    known = [each["name"] for each in before.get("scanner", [])]
    if name in known:
        edited = _replaced(source, known.index(name), table, line_end)
    else:
        edited = _appended(source, table, line_end)
    owners = [each["id"] for each in before["till"] if name in each.get("scanners", [])]
    if till not in owners:
        edited = _named(edited, [each["id"] for each in before["till"]].index(till), name, line_end)
    if _read(edited) != _expected(before, table, till):
        raise CannotEdit
    return edited


def _read(source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise CannotEdit from error


def _expected(before: dict[str, Any], table: Table, till: str) -> dict[str, Any]:
    name = table["name"]
    scanners = list(before.get("scanner", []))
    found = [place for place, each in enumerate(scanners) if each["name"] == name]
    if found:
        kept = {key: value for key, value in scanners[found[0]].items() if key not in _OWN}
        scanners[found[0]] = {**kept, **table}
    else:
        scanners.append(dict(table))
    tills = [
        {**each, "scanners": [*each.get("scanners", []), name]}
        if each["id"] == till and name not in each.get("scanners", [])
        else each
        for each in before["till"]
    ]
    return {**before, "scanner": scanners, "till": tills}


def _appended(source: str, table: Table, line_end: str) -> str:
    gap = "" if not source or source.endswith("\n") else line_end
    return source + gap + line_end + line_end.join([*scanner_lines(table), ""])


def _replaced(source: str, number: int, table: Table, line_end: str) -> str:
    start, end = _block(source, "scanner", number)
    block = source[start:end]
    for key in _OWN:
        block = re.sub(rf"^[ \t]*{key}[ \t]*=.*\r?\n?", "", block, flags=re.MULTILINE)
    own = [f"{key} = {toml_value(table[key])}" for key in _OWN if key in table]
    name = re.search(r"^[ \t]*name[ \t]*=.*$", block.replace("\r", ""), flags=re.MULTILINE)
    if name is None:
        raise CannotEdit
    line = name.group()
    place = block.index(line) + len(line)
    return source[:start] + block[:place] + line_end + line_end.join(own) + block[place:] + source[end:]


def _named(source: str, number: int, name: str, line_end: str) -> str:
    """Put the name into the list of the till."""
    start, end = _block(source, "till", number)
    block = source[start:end]
    found = _SCANNERS.search(block)
    if found is None:
        return source[:start] + f"{line_end}scanners = [{toml_value(name)}]" + source[start:]
    names = list(_STRING.finditer(found.group(1)))
    value = f", {toml_value(name)}" if names else toml_value(name)
    place = start + found.start(1) + (names[-1].end() if names else 0)
    return source[:place] + value + source[place:]


def _block(source: str, kind: str, number: int) -> tuple[int, int]:
    """From the end of the header of that table to the next header."""
    headers = list(_HEADER.finditer(source))
    for place, header in enumerate(headers):
        if header.group(1).strip('"') == kind and header.group().lstrip().startswith("[["):
            if number == 0:
                end = headers[place + 1].start() if place + 1 < len(headers) else len(source)
                return header.end(), end
            number -= 1
    raise CannotEdit
