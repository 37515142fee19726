"""`when`: "all that are present must hold"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import clock
from .arithmetic import Json
from .lines import gross, named
from .tiers import counter, held, known


def _member(_programme: Json, case: Json, wanted: bool) -> bool:
    """ "`member` (true/false)" """
    return (case.get("member") is not None) is wanted


def _tiers(programme: Json, case: Json, ids: list[str]) -> bool:
    """ "`tiers`": the held tier is one of these."""
    tier = held(programme, case)
    return tier is not None and tier["id"] in ids


def _tags(_programme: Json, case: Json, tags: list[str]) -> bool:
    """ "`tags`": the member has one of these."""
    return case.get("member") is not None and any(tag in case["member"].get("tags", []) for tag in tags)


def _not_tags(programme: Json, case: Json, tags: list[str]) -> bool:
    """ "`not_tags` (a control group)": the member has none of these."""
    return not _tags(programme, case, tags)


def _stores(_programme: Json, case: Json, stores: list[str]) -> bool:
    """ "`stores`" """
    return case.get("store") in stores


def _dates(programme: Json, case: Json, window: Json) -> bool:
    """ "`dates = {from, to}`" """
    return clock.within_dates(programme, clock.local(programme, case["at"]), window)


def _weekdays(programme: Json, case: Json, days: list[int]) -> bool:
    """ "`weekdays` (ISO 1-7)" """
    return clock.local(programme, case["at"]).isoweekday() in days


def _local_time(programme: Json, case: Json, window: Json) -> bool:
    """ "`local_time = {from, to}`" """
    return clock.within_hours(clock.local(programme, case["at"]), window)


def _birthday(programme: Json, case: Json, window: Json) -> bool:
    """ "`birthday = {days_before, days_after}`" """
    today = clock.local(programme, case["at"]).date()
    return case.get("member") is not None and clock.birthday(today, case["member"].get("birthday"), window)


def _anniversary(programme: Json, case: Json, window: Json | bool) -> bool:
    """ "`anniversary`" """
    today = clock.local(programme, case["at"]).date()
    return case.get("member") is not None and clock.anniversary(today, case["member"].get("joined"), window)


def _first_purchase(_programme: Json, case: Json, wanted: bool) -> bool:
    """ "`first_purchase`": no receipt in the member's lifetime before this one."""
    return known(case) and (counter(case["member"], "purchases", "lifetime") == 0) is wanted


def _nth_purchase(_programme: Json, case: Json, rule: Json) -> bool:
    """ "`nth_purchase = {every, period}`": this receipt is the nth, 2nth, 3nth ... of the period."""
    return known(case) and (counter(case["member"], "purchases", rule["period"]) + 1) % int(rule["every"]) == 0


def _receipt_at_least(_programme: Json, case: Json, threshold: int) -> bool:
    """ "those on a receipt (`receipt_at_least`, `minimum_receipt`) compare the gross sum of lines *" """
    return gross(case["basket"]["lines"]) >= threshold


def _coupon(_programme: Json, case: Json, code: str) -> bool:
    """ "`coupon = "CODE"` (used only when its offer won *)": the member has it."""
    return case.get("member") is not None and code in case["member"].get("coupons", [])


def _bought(_programme: Json, case: Json, filter_: Json) -> bool:
    """ "`bought = {categories | skus}`": some line of the receipt is such."""
    return any(named(filter_, line) for line in case["basket"]["lines"])


CONDITIONS: dict[str, Callable[[Json, Json, Any], bool]] = {
    "member": _member,
    "tiers": _tiers,
    "tags": _tags,
    "not_tags": _not_tags,
    "stores": _stores,
    "dates": _dates,
    "weekdays": _weekdays,
    "local_time": _local_time,
    "birthday": _birthday,
    "anniversary": _anniversary,
    "first_purchase": _first_purchase,
    "nth_purchase": _nth_purchase,
    "receipt_at_least": _receipt_at_least,
    "coupon": _coupon,
    "bought": _bought,
}


def holds(programme: Json, case: Json, offer: Json) -> bool:
    """ "`when` (all that are present must hold)" """
    return all(CONDITIONS[name](programme, case, value) for name, value in offer.get("when", {}).items())
