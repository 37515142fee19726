"""The product's answer to a programme and a case as plain JSON: the same road that `tillmate quote` goes."""

from __future__ import annotations

import json
from typing import Any

from loyalty import case
from loyalty.programme import Programme, ProgrammeError, load
from loyalty.quote import Refusal

Json = dict[str, Any]


def answer(document: Json, question: Json) -> Json:
    """Return what the command would print."""
    try:
        programme = load(json.dumps(document), "json")
    except ProgrammeError as error:
        return {"error": {"code": error.code, "at": error.mistakes[0].path}}
    return ask(programme, question)


def ask(programme: Programme, question: Json) -> Json:
    """Return what the command would print, for a programme that is loaded."""
    read = case.read(json.dumps(question).encode())
    found = read if isinstance(read, Refusal) else case.answer(programme, read)
    if isinstance(found, Refusal):
        return {
            "error": {"code": found.code, "at": found.at} | ({"most": found.most} if found.most is not None else {})
        }
    decoded: Json = json.loads(found.to_json())
    return decoded


def numbers(found: Json) -> Json:
    """Return the answer without its sentences."""
    if "error" in found:
        return {"error": {key: value for key, value in found["error"].items() if key in ("code", "at", "most")}}
    why = [{key: value for key, value in each.items() if key != "text"} for each in found["why"]]
    return {**{key: value for key, value in found.items() if key != "prompt"}, "why": why}
