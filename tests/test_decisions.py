"""No dependency without its reason: docs/decisions/0001-dependencies.md has a line for each direct one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPO = Path(__file__).parents[1]


def test_every_direct_dependency_has_its_line() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    names = {re.split(r"[<>=!\[ ]", item)[0] for item in wanted} - {"tillmate"}
    lines = (REPO / "docs/decisions/0001-dependencies.md").read_text().splitlines()
    explained = {name.strip() for line in lines if line.startswith("| ") for name in line.split("|")[1].split(",")}
    assert names <= explained, f"no line for {sorted(names - explained)}"
    unused = explained - names - {"library"}
    assert not unused, f"a line for what we do not use: {sorted(unused)}"
