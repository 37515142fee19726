"""What a template may say: the small part of Jinja2 that always comes to an end.

A retailer's template runs at the till while a customer waits. So it has if and for, values, a few filters and includes of
parts, and nothing that grows or repeats without bound: no calls, no arithmetic, no macros, no loop inside a loop, no
part inside a part. The work of a template is then bounded by its size times the rows of its data.
"""

from __future__ import annotations

from collections.abc import Collection

from jinja2 import nodes

from receipt_templates.data import TemplateError, suggestion
from receipt_templates.fields import Field

FILTERS = frozenset({"capitalize", "count", "d", "default", "first", "last", "length", "lower", "trim", "upper"})
TESTS = frozenset({"defined", "none", "undefined", "odd", "even", "eq", "ne", "gt", "lt", "ge", "le"})

_ALLOWED = (
    nodes.And,
    nodes.Compare,
    nodes.CondExpr,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.If,
    nodes.Not,
    nodes.Operand,
    nodes.Or,
    nodes.Output,
    nodes.Template,
    nodes.TemplateData,
)


def check(path: str, template: nodes.Template, fields: Collection[Field]) -> Checked:
    """Raise TemplateError when `template` says more than it may, or names what is not in `fields`."""
    lists = frozenset(field.name for field in fields if field.kind in ("texts", "rows"))
    checked = Checked(path, lists)
    checked.node(template, frozenset(field.name for field in fields), in_loop=False)
    return checked


class Checked:
    """What a template costs: `parts` are those it includes, `repeated` counts what it does for each row of a list."""

    def __init__(self, path: str, lists: frozenset[str]) -> None:
        self._path, self._lists = path, lists
        self.parts: list[str] = []
        self.repeated = 0

    def node(self, node: nodes.Node, names: frozenset[str], in_loop: bool) -> None:
        self.repeated += in_loop
        match node:
            case nodes.Name():
                self._one_of(node, node.name, "name", names)
            case nodes.Include():
                self._include(node, in_loop)
            case nodes.For():
                names, in_loop = self._loop(node, names, in_loop)
            case nodes.Filter():
                self._one_of(node, node.name, "filter", FILTERS)
            case nodes.Test():
                self._one_of(node, node.name, "test", TESTS)
            case _ if not isinstance(node, _ALLOWED):
                raise self._error(node, f"{type(node).__name__.lower()} is not possible in a receipt template")
        for child in node.iter_child_nodes():
            self.node(child, names, in_loop)

    def _loop(self, node: nodes.For, names: frozenset[str], in_loop: bool) -> tuple[frozenset[str], bool]:
        if in_loop or node.recursive:
            raise self._error(node, "a loop inside a loop is not possible in a receipt template")
        if not isinstance(node.target, nodes.Name):
            raise self._error(node, "a loop takes one name: for item in items")
        if not (isinstance(node.iter, nodes.Name) and node.iter.name in self._lists):
            raise self._error(node, f"a loop goes over a list of the data: {', '.join(sorted(self._lists))}")
        return names | {node.target.name, "loop"}, True

    def _include(self, node: nodes.Include, in_loop: bool) -> None:
        part = node.template
        if not (isinstance(part, nodes.Const) and isinstance(part.value, str) and part.value.endswith(".part")):
            raise self._error(node, 'include takes the name of a part in quotes, as in include "ru/head.part"')
        if in_loop or self._path.endswith(".part"):
            raise self._error(node, "include is not possible inside a loop or inside a part")
        self.parts.append(part.value)

    def _one_of(self, node: nodes.Node, name: str, what: str, known: frozenset[str]) -> None:
        if name not in known:
            raise self._error(node, f"unknown {what} {name!r}; {suggestion(name, known)}")

    def _error(self, node: nodes.Node, text: str) -> TemplateError:
        return TemplateError(f"{self._path}, line {node.lineno}: {text}")
