from collections.abc import Iterator
from pathlib import Path

import pytest

from .nodes import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """/sys and /dev of a machine without scanners; those that a test plugs in are pulled afterwards."""
    tree = Tree(tmp_path)
    yield tree
    tree.clear()
