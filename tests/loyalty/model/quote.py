"""The whole engine in the order of section 3."""

from __future__ import annotations

from .arithmetic import Json
from .discounts import cheaper
from .earn import Earning, earn, points, reasons
from .fiscal import fiscal_lines
from .lines import gross
from .lots import alive_balance, lots, lots_after
from .mistakes import error, line_mistakes, programme_mistakes, redeem_mistake
from .redeem import most, spread
from .returns import BadReturn, Sold, settle
from .sale import Sale, open_sale, words
from .things import things
from .tiers import case_after, held, to_next


def model_quote(programme: Json, case: Json) -> Json:
    """ "quote(programme, member, basket, at, redeem, offline) -> Quote | Refusal": "Pure, total, deterministic." """
    for place in programme_mistakes(programme):
        return error("programme", place)
    for place in line_mistakes(case):
        return error("bad_line", place)
    sale = open_sale(programme, case)
    stamps = cheaper(sale)  # steps 1 to 3
    max_redeem = most(programme, case, sale)  # step 4
    redeem = case.get("redeem", 0)
    refusal = redeem_mistake(programme, redeem, max_redeem)
    if refusal is not None:
        return refusal
    redeemed = max_redeem if redeem == "max" else int(redeem)
    line_redeemed = spread(programme, sale, redeemed)
    money = [left - paid for left, paid in zip(sale.left, line_redeemed, strict=True)]
    earning = earn(programme, case, money)  # step 5
    for offer in earning.winners:
        sale.use_coupon(offer)
    try:
        return answer(sale, stamps, earning, max_redeem, redeemed, line_redeemed)
    except BadReturn as bad:
        return error("bad_return", f"returns[{bad.number}]")


def answer(
    sale: Sale, stamps: dict[str, int], earning: Earning, max_redeem: int, redeemed: int, line_redeemed: list[int]
) -> Json:
    """Steps 6 and 7, and the output: `pay + discount + redeemed money == total`."""
    programme, case = sale.programme, sale.case
    total, pay = gross(sale.lines), sum(earning_money(sale, line_redeemed))
    gifts, slips = things(sale)
    tier, after = held(programme, case), case_after(case, pay)
    tier_after = held(programme, after)
    balance = alive_balance(case) - redeemed + points(earning) if case.get("member") is not None else 0
    quote = {
        "total": total,
        "discount": total - sum(sale.left),
        "line_discounts": [line["sum"] - left for line, left in zip(sale.lines, sale.left, strict=True)],
        "max_redeem": max_redeem,
        "redeemed": redeemed,
        "line_redeemed": line_redeemed,
        "pay": pay,
        "earned": points(earning),
        "balance_after": balance,
        "tier": None if tier is None else tier["id"],
        "tier_after": None if tier_after is None else tier_after["id"],
        "to_next_tier": to_next(programme, after),
        "stamps_after": stamps,
        "free_units": sale.free_units,
        "gifts": gifts,
        "slips": slips,
        "coupons_used": sale.coupons,
        "why": sale.why + reasons(earning),
        "prompt": words(),
        "programme_revision": programme["programme"]["revision"],
        "engine": programme["programme"]["engine"],
    }
    return quote | extras(sale, balance, redeemed, line_redeemed)


def earning_money(sale: Sale, line_redeemed: list[int]) -> list[int]:
    """Money paid on each line, "after discounts and points"."""
    return [left - paid for left, paid in zip(sale.left, line_redeemed, strict=True)]


def extras(sale: Sale, balance: int, redeemed: int, line_redeemed: list[int]) -> Json:
    """What the output gains when the case or the programme asks for it: `lots_after`, `fiscal_lines`, `returns`."""
    programme, case = sale.programme, sale.case
    money = earning_money(sale, line_redeemed)
    found: Json = {}
    if lots(case):
        found["lots_after"] = lots_after(case, redeemed)
    if programme.get("fiscal", {}).get("lines", "none") == "unit_price":
        found["fiscal_lines"] = fiscal_lines(sale.lines, money)
    if "returns" in case:
        found["returns"] = settle(Sold(programme, case, money, line_redeemed, balance), case["returns"])
    return found
