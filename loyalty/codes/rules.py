"""The site rules of `[codes]` in config.toml: which codes are ours. Ordered, the first that matches wins.

A pattern stands for the whole code: digits are literal, `x` is any digit, `C` at the end is the check digit. It is tried
on the code as it came and, when that is shorter, on the code zero-padded to 13 digits, because scanners send an EAN-13
that begins with 0 as the 12 digits of a UPC-A. A regex must match the whole code.

The number of a payment card is taken for no card of ours, unless the rule itself names the digits it begins with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Literal

from loyalty.codes import decode, totp
from loyalty.codes.check_digit import has_check_digit
from loyalty.codes.kinds import Cashier, Certificate, Code, Coupon, Invalid, MemberCard, ProductPrice, ProductWeight
from loyalty.codes.measure import Label, Measured, MeasureRule, label
from loyalty.codes.phone import Region
from loyalty.strict import Check, between

_PATTERN = re.compile(r"[0-9x]+C?|C", re.ASCII)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*", re.ASCII)
_LITERAL = re.compile(r"\^?([0-9]*)", re.ASCII)
_EAN_13 = 13
_OWN_DIGITS = 4  # a rule that names so many of its first digits means them

Site = Literal["member_card", "cashier", "coupon", "certificate"]
Verdict = Literal["match", "wrong_check_digit", "no_match"]


@dataclass(frozen=True)
class Rule:
    """Either `pattern` (such as 29xxxxxxxxxxC) or `regex` (the whole code must match it)."""

    pattern: str = ""
    regex: str = ""

    def __post_init__(self) -> None:
        if bool(self.pattern) == bool(self.regex):
            raise ValueError('a rule has either "pattern" or "regex"')
        if self.pattern and not _PATTERN.fullmatch(self.pattern):
            raise ValueError(f"pattern '{self.pattern}': only digits, x (any digit) and one C (check digit) at the end")
        try:
            re.compile(self.regex, re.ASCII)
        except (re.error, OverflowError) as error:
            raise ValueError(f"regex '{self.regex}': {error}") from error


HexKey = Annotated[str, Check(lambda key: bool(_HEX.fullmatch(key)), "must be pairs of hexadecimal digits")]
CodePage = Annotated[str, Check(decode.is_code_page, "must be a code page like windows-1251")]


def _doc(text: str) -> dict[str, str]:
    return {"doc": text}


@dataclass(frozen=True)
class CodeRules:
    """What `[codes]` in config.toml says."""

    member_card: tuple[Rule, ...] = field(
        default=(),
        metadata=_doc(
            "What a member card looks like. Nothing else makes a member, save GS1's own AI 8018 and the wallet."
        ),
    )
    cashier: tuple[Rule, ...] = field(default=(), metadata=_doc("Badges of the staff."))
    coupon: tuple[Rule, ...] = field(default=(), metadata=_doc("Coupons of the shop."))
    certificate: tuple[Rule, ...] = field(default=(), metadata=_doc("Gift certificates of the shop."))
    weight: tuple[MeasureRule, ...] = field(
        default=(),
        metadata=_doc(
            'Labels of the scales, { pattern = "22PPPPPWWWWWC", decimals = 3 }: P item, W weight in kg, V the check digit\n'
            'of the weight (measure_check = "GS1 price-verifier 4" or "... 5" verifies it).'
        ),
    )
    price: tuple[MeasureRule, ...] = field(
        default=(), metadata=_doc("Labels with a price: the same, W is the price, and decimals is 2 for kopecks.")
    )
    wallet_template: str = field(
        default="",
        metadata=_doc(
            "The code that a member's phone shows, new every period:\n"
            '"https://example.org/card?m={id}&t={totp_timestamp_seconds}&c={totp_value_0}"'
        ),
    )
    key_hex: HexKey = field(
        default="",
        repr=False,
        metadata=_doc("The secret key of these codes, in hex; this file must stay private then."),
    )
    period_s: Annotated[int, between(1, 86_400)] = field(default=30, metadata=_doc("Seconds that a code is shown."))
    digits: Annotated[int, between(4, 10)] = field(default=6, metadata=_doc("Digits of its password."))
    window_s: Annotated[int, between(0, 86_400)] = field(
        default=60, metadata=_doc("How many seconds old, or early, a code may be.")
    )
    region: Region = field(
        default="RU", metadata=_doc("Whose telephone numbers are typed without their country: RU, KZ or BY.")
    )
    fallback_encoding: CodePage = field(
        default="windows-1251", metadata=_doc("The code page of texts that are not UTF-8.")
    )

    def __post_init__(self) -> None:
        if bool(self.wallet_template) != bool(self.key_hex):
            raise ValueError("wallet_template and key_hex go together")
        missing = totp.place_amiss(self.wallet_template) if self.wallet_template else None
        if missing:
            raise ValueError(f"wallet_template needs {missing} once")

    @cached_property
    def book(self) -> RuleBook:
        """The rules made ready, once."""
        return RuleBook.of(self)


@dataclass(frozen=True, slots=True)
class SiteRule:
    """A rule made ready. `own_number`: it names the digits that its codes begin with."""

    site: Site
    place: str
    shape: re.Pattern[str]
    padded: bool
    checked: bool
    own_number: bool

    def match(self, code: str, padded: str) -> tuple[Verdict, str]:
        """Return the verdict and the code in the form in which the rule knows it."""
        for form in (code, padded) if self.padded and padded != code else (code,):
            if self.shape.fullmatch(form):
                wrong = self.checked and not has_check_digit(form)
                return ("wrong_check_digit" if wrong else "match"), form
        return "no_match", code


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the rules say, and which of them."""

    code: Code
    place: str


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules of a site, ready to be asked in their order: member cards first."""

    sites: tuple[SiteRule, ...]
    labels: tuple[tuple[str, Label], ...]
    wallet: totp.Wallet | None

    @classmethod
    def of(cls, rules: CodeRules) -> RuleBook:
        """Make the rules ready."""
        sites: tuple[tuple[Site, tuple[Rule, ...]], ...] = (
            ("member_card", rules.member_card),
            ("cashier", rules.cashier),
            ("coupon", rules.coupon),
            ("certificate", rules.certificate),
        )
        labels = (("weight", rules.weight, 3), ("price", rules.price, 2))
        wallet = totp.wallet(rules.wallet_template, rules.key_hex, rules.period_s, rules.digits, rules.window_s)
        return cls(
            tuple(_ready(site, place, rule) for site, given in sites for place, rule in enumerate(given)),
            tuple(
                (f"{kind}[{place}]", label(rule, usual))
                for kind, given, usual in labels
                for place, rule in enumerate(given)
            ),
            wallet if rules.wallet_template else None,
        )

    def ask(self, code: str, *, payment_card: bool) -> Ruled | None:
        """Return what the first rule that matches makes of the code; a wrong check digit only if no rule matches."""
        digits = code.isascii() and code.isdigit()
        padded = code.zfill(_EAN_13) if digits else code
        refused: Ruled | None = None
        for rule in self.sites:
            if payment_card and not rule.own_number:
                continue
            verdict, form = rule.match(code, padded)
            if verdict == "match":
                return Ruled(_MAKE[rule.site](form), rule.place)
            if verdict == "wrong_check_digit":
                refused = refused or Ruled(Invalid("check_digit"), rule.place)
        return (self._label(code, padded) if digits else None) or refused

    def _label(self, code: str, padded: str) -> Ruled | None:
        refused: Ruled | None = None
        for place, each in self.labels:
            found = each.read(code) or (each.read(padded) if padded != code else None)
            if isinstance(found, Measured):
                return Ruled(_measured(place, found), place)
            if found is not None:
                refused = refused or Ruled(Invalid(found), place)
        return refused


_MAKE: dict[Site, Callable[[str], Code]] = {
    "member_card": lambda code: MemberCard(card=code),
    "cashier": Cashier,
    "coupon": lambda code: Coupon(code=code),
    "certificate": Certificate,
}


def _measured(place: str, found: Measured) -> Code:
    if place.startswith("price"):
        return ProductPrice(found.plu, found.amount)
    return ProductWeight(found.plu, found.amount, found.amount)


def _ready(site: Site, place: int, rule: Rule) -> SiteRule:
    shape = rule.regex or re.sub("[xC]", "[0-9]", rule.pattern)
    literal = _LITERAL.match(rule.pattern or rule.regex)
    return SiteRule(
        site=site,
        place=f"{site}[{place}]",
        shape=re.compile(shape, re.ASCII),
        padded=bool(rule.pattern),
        checked=rule.pattern.endswith("C"),
        own_number=literal is not None and len(literal[1]) >= _OWN_DIGITS,
    )
