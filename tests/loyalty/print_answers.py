"""Prints the product's answers to COUNT random worlds, one JSON line each: `python tests/loyalty/print_answers.py COUNT`."""

from __future__ import annotations

import json
import sys

from loyalty import case
from loyalty.programme import ProgrammeError, load
from loyalty.quote import Refusal
from tests.loyalty import worlds


def main(count: int) -> None:
    """Write the very bytes of each answer."""
    for seed in range(count):
        random = worlds.seeded(seed)
        document = worlds.programme(random)
        question = json.dumps(worlds.case(random, document)).encode()
        sys.stdout.buffer.write(_answer(document, question) + b"\n")


def _answer(document: worlds.Json, question: bytes) -> bytes:
    try:
        programme = load(json.dumps(document), "json")
    except ProgrammeError as error:
        return "; ".join(f"{each.path}: {each.text}" for each in error.mistakes).encode()
    read = case.read(question)
    found = read if isinstance(read, Refusal) else case.answer(programme, read)
    if isinstance(found, Refusal):
        return json.dumps([found.code, found.at, found.most, found.text], sort_keys=True).encode()
    return found.to_json()


if __name__ == "__main__":
    main(int(sys.argv[1]))
