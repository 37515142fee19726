"""How a parallel run hands out the tests: which go to one worker together, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

HERE = Path(__file__).parent


class Schedule(LoadScopeScheduling):
    """A file's tests go together, since they share browsers, recordings and the like. The server's are handed out one by
    one: they share only what each worker makes once, and some take long."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        if path.startswith("tests/end_to_end/"):
            return "one shop at a time"  # two that start at the same moment would choose the same port
        return nodeid if path.startswith("tests/loyalty_server/") else path


def mix(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Spread each folder over the whole run: the agent's tests mostly wait, the server's mostly compute."""
    folders = [item.path.relative_to(HERE).parts[0] for item in items]
    many, seen, places = Counter(folders), Counter[str](), dict[pytest.Item, float]()
    for item, folder in zip(items, folders, strict=True):
        seen[folder] += 1
        places[item] = seen[folder] / (many[folder] + 1)
    return sorted(items, key=places.__getitem__)
