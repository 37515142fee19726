"""Bytes of a frame to text: UTF-8 where it is UTF-8, else the code page of the site."""

from __future__ import annotations

import codecs
import re
import unicodedata

_PAGES = re.compile(r"cp[0-9]+|iso8859-[0-9]+|koi8-[rtu]|mac-[a-z]+|kz1048|ptcp154|ascii|utf-8")
_IANA = (
    (re.compile(r"cp(125[0-9])"), r"windows-\1"),
    (re.compile(r"cp(4[0-9]{2}|8[0-9]{2})"), r"ibm\1"),
    (re.compile(r"iso8859-([0-9]+)"), r"iso-8859-\1"),
    (re.compile(r"mac-cyrillic"), "x-mac-cyrillic"),
    (re.compile(r"kz1048"), "kz-1048"),
    (re.compile(r"ascii"), "us-ascii"),
)
_BLANKS = ("Zs", "Cf")  # no-break spaces, joiners of emoji
UTF_8 = "utf-8"


def decode(data: bytes, fallback: str) -> tuple[str, str] | None:
    """Return the text and the IANA name of its encoding in small letters, or None when neither fits."""
    try:
        return data.decode(), UTF_8
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(fallback), iana_name(fallback)
    except UnicodeDecodeError:
        return None


def is_code_page(name: str) -> bool:
    """Tell whether this names an encoding of one byte a letter (or UTF-8) that Python knows."""
    try:
        return _PAGES.fullmatch(codecs.lookup(name).name) is not None
    except (LookupError, ValueError):
        return False


def iana_name(name: str) -> str:
    """Return the name by which IANA knows a code page."""
    known = codecs.lookup(name).name
    for shape, written in _IANA:
        if shape.fullmatch(known):
            return shape.sub(written, known)
    return known


def is_readable(text: str) -> bool:
    """Tell text for people from bytes that happen to decode; line ends, tabs and blanks of all kinds are readable."""
    return all(letter.isprintable() or letter in "\r\n\t" or unicodedata.category(letter) in _BLANKS for letter in text)
