"""Which lines a rule may touch: flags, the law, exclusions, `on`."""

from __future__ import annotations

from .arithmetic import Json

LAWS: dict[str, frozenset[str]] = {"none": frozenset(), "ru": frozenset({"tobacco", "nicotine"})}


def law(programme: Json) -> str:
    """ "All else may be absent: `law` = none" """
    return str(programme["programme"].get("law", "none"))


def under_law(programme: Json, line: Json) -> bool:
    """ "ru = nothing earned, redeemed or discounted on tobacco and nicotine" """
    return any(category in LAWS[law(programme)] for category in line.get("categories", []))


def unknown_goods(programme: Json, line: Json) -> bool:
    """ "Lines without categories (...) never get discounts or redemption when `law` is not `none`." """
    return law(programme) != "none" and not line.get("categories")


def named(filter_: Json, line: Json) -> bool:
    """ "{categories | skus}": one of its categories, or its sku, is named; "*" names every line."""
    categories = filter_.get("categories", [])
    if "*" in categories or any(category in categories for category in line.get("categories", [])):
        return True
    return line.get("sku", "") in filter_.get("skus", [])


def on(rule: Json, line: Json) -> bool:
    """ "no `on` or ["*"] = every line, also one without a category" """
    return "on" not in rule or named(rule["on"], line)


def excluded(section: Json, line: Json) -> bool:
    """ "exclude = { categories = [...], promo = true }" """
    exclude = section.get("exclude", {})
    return named(exclude, line) or (bool(exclude.get("promo", False)) and bool(line.get("promo", False)))


def may_discount(programme: Json, line: Json) -> bool:
    """No `no_discount`, not in `[discount] exclude`, not under the law, not unknown goods."""
    if line.get("no_discount", False) or excluded(programme.get("discount", {}), line):
        return False
    return not under_law(programme, line) and not unknown_goods(programme, line)


def may_redeem(programme: Json, line: Json) -> bool:
    """No `no_redeem`, not in `[redeem] exclude`, not under the law, not unknown goods."""
    if line.get("no_redeem", False) or excluded(programme.get("redeem", {}), line):
        return False
    return not under_law(programme, line) and not unknown_goods(programme, line)


def may_earn(programme: Json, line: Json) -> bool:
    """No `no_earn`, not in `[earn] exclude`, not under the law."""
    if line.get("no_earn", False) or excluded(programme.get("earn", {}), line):
        return False
    return not under_law(programme, line)


def quantity(line: Json) -> int:
    """ "Quantities: integer thousandths." """
    return int(line.get("quantity", 1000))


def gross(lines: list[Json]) -> int:
    """ "The till's own line sums are taken as they are." """
    return sum(int(line["sum"]) for line in lines)
