"""GS1 Digital Link: a web address whose path holds the key of GS1 and its qualifiers, `https://HOST/01/GTIN/10/BATCH?17=...`.

The scheme is http or https in small or in capital letters, not mixed. The key that stands furthest right counts; in
front of it there may be any path, behind it only its own qualifiers in their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from loyalty.codes.gs1 import Message, parse_pairs
from loyalty.codes.gs1_table import IDENTIFIERS

_URL = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?P<host>[^/?#\s]+)(?P<path>[^?#\s]*)(?:\?(?P<query>[^#\s]*))?(?:#\S*)?"
)
_GTIN = re.compile(r"[0-9]{8}|[0-9]{14}", re.ASCII)
_COMPANY = re.compile(r"[0-9]{4}", re.ASCII)
_ITEM = ("22", "10", "21", "235")
_QUALIFIERS: dict[str, tuple[str, ...]] = {
    "00": (), "01": _ITEM, "253": (), "255": (), "401": (), "402": (), "414": ("254", "7040"), "415": ("8020",),
    "417": ("7040",), "8003": (), "8004": ("7040",), "8006": _ITEM, "8010": ("8011",), "8013": (), "8017": ("8019",),
    "8018": ("8019",),
}  # fmt: skip
_OPEN = frozenset({"401", "8004", "8010", "8013"})  # any text could stand there: wants a company prefix
_SCHEMES = frozenset({"http", "https", "HTTP", "HTTPS"})


@dataclass(frozen=True, slots=True)
class WebAddress:
    """An address apart. `host` is without user and port, in small letters."""

    scheme: str
    host: str
    path: str
    query: str


def web_address(code: str) -> WebAddress | None:
    """Return the address that the code is, or None."""
    found = _URL.fullmatch(code)
    if found is None:
        return None
    host = found["host"].rpartition("@")[2]
    host = re.sub(r":[0-9]*$", "", host).lower()
    return WebAddress(found["scheme"], host, found["path"], found["query"] or "") if host else None


def read(address: WebAddress) -> Message | None:
    """Return what the link says, or None when it is an address like any other."""
    if address.scheme not in _SCHEMES:
        return None
    pairs = _key(address.path.split("/")[1:])
    if not pairs:
        return None
    if len(pairs[0][1]) == 8 and pairs[0][0] == "01":
        pairs[0] = ("01", pairs[0][1].zfill(14))
        if parse_pairs(pairs[:1]).fault:
            return None  # eight digits behind /01/ are a date more often than an article
    return parse_pairs(pairs + list(_attributes(address.query)))


def _key(segments: list[str]) -> list[tuple[str, str]]:
    """The key furthest right with its qualifiers; empty when there is none."""
    pairs: list[tuple[str, str]] = []
    while len(segments) >= 2:
        *segments, ai, value = segments
        value = unquote(value)
        if ai not in IDENTIFIERS or not value:
            return []
        pairs.insert(0, (ai, value))
        if ai in _QUALIFIERS:
            return _whole(pairs)
    return []


def _whole(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    ai, value = pairs[0]
    behind = [each for each, _ in pairs[1:]]
    if behind != [each for each in _QUALIFIERS[ai] if each in behind]:
        return []
    if ai == "01":
        value = value.zfill(14) if 12 <= len(value) <= 13 else value
    shape = _GTIN if ai == "01" else _COMPANY if ai in _OPEN else IDENTIFIERS[ai].shape
    whole = shape.match(value) if ai in _OPEN else shape.fullmatch(value)
    if whole is None:
        return []
    return [(ai, value), *pairs[1:]]


def _attributes(query: str) -> list[tuple[str, str]]:
    """The identifiers of the query; what is none is the site's own."""
    found = []
    for each in re.split("[&;]", query):
        ai, equals, value = each.partition("=")
        if equals and value and ai in IDENTIFIERS:
            found.append((ai, unquote(value)))
    return found
