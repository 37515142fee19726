"""Writes a profile as the TOML file that `read_profile` reads back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from drivers.printers.escpos.profile import Profile, read_profile


def profile_toml(profile: Profile, comment: str = "") -> str:
    """The text of the file, with `comment` at its head. Raises ProfileError where it would not read back the same."""
    table: dict[str, Any] = msgspec.to_builtins(profile)
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += _pairs({key: value for key, value in table.items() if key not in ("page", "paper")})
    for page in table["page"]:
        lines += ["", "[[page]]", *_pairs(page)]
    for width, size in table["paper"].items():
        lines += ["", f"[paper.{width}]", *_pairs(size)]
    text = "\n".join(lines) + "\n"
    if read_profile(text) != profile:
        raise ValueError(f"{profile.title}: this profile cannot be written as a file")
    return text


def _pairs(table: Mapping[str, object]) -> Iterator[str]:
    return (f"{key} = {_value(value)}" for key, value in table.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)
