"""What a printer says it is (GS I), and which profile that is likely to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from drivers.printers.escpos.status import Block, Reply

ASK_MAKER: Final = b"\x1dI\x42"
ASK_MODEL: Final = b"\x1dI\x43"
"""GS I 66 and 67. Answered in order with the data, and by many clones not at all."""

_TEXT = b"\x5f"
_NEAR = 0.8


def said(reply: Reply) -> str | None:
    """The maker or the model, where the reply is the answer to one of the questions."""
    if not isinstance(reply, Block) or not reply.content.startswith(_TEXT):
        return None
    text = reply.content[1:].decode("ascii", "ignore")
    return "".join(char for char in text if char.isprintable()).strip()


def likely_profile(model: str, names: Iterable[str]) -> str | None:
    """The profile named like the model, whatever stands around it and between its letters; None = nothing like it."""
    bare = {_bare(name): name for name in names}
    wanted = _bare(model)
    inside = [name for name in bare if len(name) >= 4 and name in wanted]
    near = [max(inside, key=len)] if inside else difflib.get_close_matches(wanted, bare, 1, _NEAR)
    return bare[near[0]] if near else None


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
