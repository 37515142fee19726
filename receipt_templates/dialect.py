"""What a template may say: the small part of Jinja2 that always comes to an end.

A retailer's template runs at the till while a customer waits. So it has if and for, values, a few filters and includes of
parts, and nothing that grows or repeats without bound: no calls, no arithmetic, no macros, no loop inside a loop, no
part inside a part. The work of a template is then bounded by its size times the rows of its data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from jinja2 import nodes

from receipt_templates.fields import Field
from receipt_templates.mistakes import Mistake, Place, TemplateError, suggestion

FILTERS = frozenset({"capitalize", "count", "d", "default", "first", "last", "length", "lower", "trim", "upper"})
TESTS = frozenset({"defined", "none", "undefined", "odd", "even", "eq", "ne", "gt", "lt", "ge", "le"})

_KNOWN = {"filter": FILTERS, "test": TESTS}
_ALLOWED = (
    nodes.And,
    nodes.Compare,
    nodes.CondExpr,
    nodes.Const,
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
    checked = Checked(path, {field.name: field for field in fields if field.kind in ("texts", "rows")})
    checked.node(template, frozenset(field.name for field in fields), in_loop=False)
    return checked


class Checked:
    """What a template costs: `parts` are those it includes, `repeated` counts what it does for each row of a list."""

    def __init__(self, path: str, lists: Mapping[str, Field]) -> None:
        self._path, self._lists = path, lists
        self._row, self._columns = "", frozenset[str]()
        self.parts: list[str] = []
        self.repeated = 0

    def node(self, node: nodes.Node, names: frozenset[str], in_loop: bool) -> None:
        self.repeated += in_loop
        match node:
            case nodes.Name():
                self._one_of(node, node.name, "name", names)
            case nodes.Getattr():
                self._key(node)
            case nodes.Include():
                self._include(node, in_loop)
            case nodes.For():
                names, in_loop = self._loop(node, names, in_loop)
            case nodes.Filter() | nodes.Test():
                what = type(node).__name__.lower()
                self._one_of(node, node.name, what, _KNOWN[what])
            case _ if not isinstance(node, _ALLOWED):
                raise self._error(node, Mistake("not_possible", what=type(node).__name__.lower()))
        for child in node.iter_child_nodes():
            self.node(child, names, in_loop)

    def _loop(self, node: nodes.For, names: frozenset[str], in_loop: bool) -> tuple[frozenset[str], bool]:
        if in_loop or node.recursive:
            raise self._error(node, Mistake("loop_nested"))
        if not isinstance(node.target, nodes.Name):
            raise self._error(node, Mistake("loop_name"))
        if not (isinstance(node.iter, nodes.Name) and node.iter.name in self._lists):
            raise self._error(node, Mistake("loop_list", known=", ".join(sorted(self._lists))))
        self._row = node.target.name
        self._columns = frozenset(column.name for column in self._lists[node.iter.name].rows)
        return names | {node.target.name, "loop"}, True

    def _key(self, node: nodes.Getattr) -> None:
        """The row of a loop has known keys; of anything else only the data can tell."""
        if isinstance(node.node, nodes.Name) and node.node.name == self._row and self._columns:
            self._one_of(node, node.attr, "key", self._columns)

    def _include(self, node: nodes.Include, in_loop: bool) -> None:
        part = node.template
        if not (isinstance(part, nodes.Const) and isinstance(part.value, str) and part.value.endswith(".part")):
            raise self._error(node, Mistake("include_name"))
        if in_loop or self._path.endswith(".part"):
            raise self._error(node, Mistake("include_place"))
        self.parts.append(part.value)

    def _one_of(self, node: nodes.Node, name: str, what: str, known: frozenset[str]) -> None:
        if name not in known:
            raise self._error(node, Mistake(f"unknown_{what}", name=name, hint=suggestion(name, known)))

    def _error(self, node: nodes.Node, wrong: Mistake) -> TemplateError:
        return TemplateError(Place(self._path, node.lineno), wrong)
