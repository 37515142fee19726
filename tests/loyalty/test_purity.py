"""The core stays a core: whole numbers only, no clock, no files. Read from the source, file by file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import loyalty

ROOT = Path(loyalty.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))

FLOATS = {"float", "complex", "Decimal", "Fraction"}
MAKES_FLOATS = {"total_seconds", "timestamp", "isclose", "fsum", "random"}
ASKS_THE_WORLD = {"now", "utcnow", "today", "open", "print", "input", "getenv", "environ", "urandom", "uuid4"}

# strict.py reads the agent's config as well, where seconds have fractions; no type of this package has such a field.
MAY_NAME_FLOATS = {"strict.py"}


def floats(tree: ast.AST) -> Iterator[str]:
    """Everything that could bring a number that is not whole."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex() as value):
                yield f"line {node.lineno}: {value}"
            case ast.Name(id=name) if name in FLOATS:
                yield f"line {node.lineno}: {name}"
            case ast.Attribute(attr=name) if name in FLOATS | MAKES_FLOATS:
                yield f"line {node.lineno}: .{name}"
            case ast.BinOp(op=ast.Div(), left=left) | ast.AugAssign(op=ast.Div(), target=left):
                yield f"line {node.lineno}: {ast.unparse(left)} / ..."
            case ast.BinOp(op=ast.Pow(), right=ast.UnaryOp()):
                yield f"line {node.lineno}: a negative power"


def questions(tree: ast.AST) -> Iterator[str]:
    """Every call that asks the world outside: its clock, its files, its chance."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in ASKS_THE_WORLD:
                yield f"line {node.lineno}: {name}()"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_whole_numbers(path: Path) -> None:
    found = list(floats(ast.parse(path.read_text("utf-8"))))
    if path.name in MAY_NAME_FLOATS:
        found = [each for each in found if not each.endswith(": float")]
    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_asked_of_the_world(path: Path) -> None:
    assert list(questions(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    "source",
    ["x = 1.5", "x: float = 1", "a / b", "a /= b", "1j", "delta.total_seconds()", "10 ** -2", "decimal.Decimal(1)"],
)
def test_the_search_finds_floats(source: str) -> None:
    assert list(floats(ast.parse(source)))


@pytest.mark.parametrize("source", ["datetime.now()", "open('x')", "date.today()", "os.urandom(4)"])
def test_the_search_finds_questions(source: str) -> None:
    assert list(questions(ast.parse(source)))


def test_there_is_something_to_search() -> None:
    assert {"engine.py", "money.py", "programme.py", "earning.py"} <= {path.name for path in SOURCES}
