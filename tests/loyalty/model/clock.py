"""Days, months, birthdays and hours: "those of `timezone`"."""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .arithmetic import Json


def text(value: object) -> str:
    """A date or time as JSON writes it (a TOML reader gives objects, a JSON reader strings)."""
    return value.isoformat() if isinstance(value, date | time) else str(value)


def zone(programme: Json) -> ZoneInfo:
    """The programme's `timezone`."""
    return ZoneInfo(programme["programme"]["timezone"])


def local(programme: Json, moment: object) -> datetime:
    """ "Times: RFC 3339 with offset; days, months, birthdays and hours are those of `timezone`." """
    return datetime.fromisoformat(text(moment)).astimezone(zone(programme))


def day_in(year: int, month: int, day: int) -> date:
    """ "(29 February is 28 February in common years)", and no month is longer than it is."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def instant(programme: Json, value: object) -> datetime:
    """A bound of `dates`: a day begins at its local midnight; a time with offset is that instant."""
    written = text(value)
    if len(written) > len("2026-12-31"):
        return datetime.fromisoformat(written).astimezone(zone(programme))
    return datetime.combine(date.fromisoformat(written), time(), tzinfo=zone(programme))


def within_dates(programme: Json, at: datetime, window: Json) -> bool:
    """ "Time windows include their start and exclude their end." """
    if "from" in window and at.timestamp() < instant(programme, window["from"]).timestamp():
        return False
    return not ("to" in window and at.timestamp() >= instant(programme, window["to"]).timestamp())


def within_hours(at: datetime, window: Json) -> bool:
    """ "local_time = {from = "10:00:00", to = "16:00:00"}"; from after to runs over midnight."""
    now = at.time()
    start = time.fromisoformat(text(window.get("from", "00:00:00")))
    if "to" not in window:
        return now >= start
    end = time.fromisoformat(text(window["to"]))
    if start <= end:
        return start <= now < end
    return now >= start or now < end


def near(today: date, month: int, day: int, window: Json, first_year: int) -> bool:
    """ "birthday = {days_before, days_after}": whole days, over the turn of the year too."""
    before = timedelta(days=int(window.get("days_before", 0)))
    after = timedelta(days=int(window.get("days_after", 0)))
    for year in (today.year - 1, today.year, today.year + 1):
        if year >= first_year:
            the_day = day_in(year, month, day)
            if the_day - before <= today <= the_day + after:
                return True
    return False


def birthday(today: date, born: str | None, window: Json) -> bool:
    """The member's `birthday` is "MM-DD"; unknown = never."""
    if born is None:
        return False
    month, day = born.split("-")
    return near(today, int(month), int(day), window, first_year=1)


def anniversary(today: date, joined: str | None, window: Json | bool) -> bool:
    """Day and month of `joined`, in a later year."""
    wanted = window is not False
    if joined is None:
        return False
    day = date.fromisoformat(joined)
    days = window if isinstance(window, dict) else {}
    return near(today, day.month, day.day, days, first_year=day.year + 1) is wanted
