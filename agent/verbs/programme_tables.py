"""A quote as a receipt that a shop owner understands, and what a new revision would change: tables of rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from agent.verbs.programme_report import Change
from loyalty import i18n
from loyalty.case import Answer
from loyalty.i18n import Language, text
from loyalty.programme import Programme
from loyalty.quote import Line, Quote, ToNextTier

_MONEY = ("pay", "discount")
_POINTS = ("max_redeem", "redeemed", "earned", "balance_after")


def receipt(programme: Programme, title: str, answer: Answer, language: Language) -> Iterator[RenderableType]:
    """Yield the lines, where every number comes from, what follows, what to say, and what returns do."""
    words = _Words(programme, language)
    quote = answer.quote
    yield _lines(words, title, quote, answer.case.basket.lines)
    if quote.why:
        yield _reasons(words, quote)
    yield _outcome(words, quote, with_member=answer.case.member is not None)
    if answer.returns:
        yield _returns(words, answer)


def change_table(programme: Programme, changes: Sequence[Change], language: Language) -> Table:
    """One row for each number that would change: in which case, for whom, from what to what."""
    words = _Words(programme, language)
    table = words.table("case", "tier", "number", "old", "new")
    for change in changes:
        for place, (name, (old, new)) in enumerate(change.fields.items()):
            head = (change.case, words.tier(change.tier)) if place == 0 else ("", "")
            cells = (*head, words.say(f"field_{name}"), words.value(name, old), words.value(name, new))
            table.add_row(*map(_plain, cells))
    return table


@dataclass(frozen=True, slots=True)
class _Words:
    programme: Programme
    language: Language

    def say(self, key: str, **params: str | int) -> str:
        return text(f"explain.{key}", self.language, **params)

    def money(self, minor: int) -> str:
        return i18n.money(minor, self.programme.header.currency, self.language)

    def points(self, amount: int) -> str:
        return i18n.points(amount, self.programme.header.point_decimals, self.language)

    def tier(self, tier: str | None) -> str:
        names = {each.id: each.name for each in self.programme.tiers}
        return i18n.named(names.get(tier or "", {}), self.language, tier or "-")

    def value(self, name: str, value: str | int | None) -> str:
        if isinstance(value, int):
            return self.money(value) if name in _MONEY else self.points(value)
        return self.tier(value) if name.startswith("tier") else value or "-"

    def missing(self, next_tier: ToNextTier) -> str:
        ways = [i18n.counted("purchases", next_tier.purchases, self.language)] if next_tier.purchases else []
        ways += [self.money(next_tier.turnover)] if next_tier.turnover else []
        return " / ".join(ways)

    def table(self, *columns: str, title: str = "") -> Table:
        table = Table(title=Text(title), title_justify="left") if title else Table()
        for name in columns:
            table.add_column(self.say(name), justify="left" if name in ("item", "rule", "case", "number") else "right")
        return table


def _lines(words: _Words, title: str, quote: Quote, lines: Sequence[Line]) -> Table:
    table = words.table("item", "quantity", "sum", "off", "by_points", "to_pay", title=title)
    for line, off, by_points in zip(lines, quote.line_discounts, quote.line_redeemed, strict=True):
        numbers = (line.sum, off, by_points, line.sum - off - by_points)
        table.add_row(_plain(line.name or line.sku), _quantity(line.quantity), *map(words.money, numbers))
    table.add_section()
    totals = (quote.total, quote.discount, sum(quote.line_redeemed), quote.pay)
    table.add_row(words.say("total"), "", *map(words.money, totals), style="bold")
    return table


def _reasons(words: _Words, quote: Quote) -> Table:
    table = words.table("rule", "gives")
    for why in quote.why:
        gives = words.money(why.money) if why.money is not None else f"+{words.points(why.points or 0)}"
        table.add_row(_plain(why.text[words.language]), gives)
    return table


def _outcome(words: _Words, quote: Quote, *, with_member: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = [("earned" if with_member else "would_earn", words.points(quote.earned))]
    rows += _of_member(words, quote) if with_member else []
    rows += [("free", f"{rule}: {count}") for rule, count in quote.free_units.items()]
    rows += [("gift", f"{gift.what}: {gift.count}") for gift in quote.gifts]
    rows += [("slip", f"{slip.kind}: {slip.offer}") for slip in quote.slips]
    rows += [("coupon", code) for code in quote.coupons_used]
    rows += [("say", quote.prompt[words.language])]
    for key, value in rows:
        table.add_row(words.say(key), _plain(value))
    return table


def _of_member(words: _Words, quote: Quote) -> Iterator[tuple[str, str]]:
    yield "most", words.points(quote.max_redeem)
    yield "redeemed", words.points(quote.redeemed)
    yield "balance", words.points(quote.balance_after)
    if quote.tier is not None:
        yield "tier", words.tier(quote.tier)
        yield "tier_after", words.tier(quote.tier_after)
    if quote.to_next_tier is not None:
        yield "to_next", f"{words.tier(quote.to_next_tier.tier)}: {words.missing(quote.to_next_tier)}"
    for card, count in quote.stamps_after.items():
        yield "stamps", f"{card}: {count}"


def _returns(words: _Words, answer: Answer) -> Table:
    table = words.table("return", "refund", "points_back", "clawback", "balance")
    for number, each in enumerate(answer.returns or (), 1):
        points = (each.points_back, each.clawback, each.balance_after)
        table.add_row(str(number), words.money(each.refund), *map(words.points, points))
    return table


def _quantity(thousandths: int) -> str:
    whole, fraction = divmod(thousandths, 1000)
    return f"{whole}.{fraction:03}".rstrip("0") if fraction else str(whole)


def _plain(value: str) -> Text:
    """A retailer's word as it stands: no markup, nothing that moves a cursor."""
    return Text("".join(letter if letter.isprintable() else " " for letter in value))
