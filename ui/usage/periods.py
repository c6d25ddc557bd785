"""The parameters in the address of `/usage`: the days, the sums, and whose usage."""

from datetime import date, timedelta
from typing import Literal
from urllib.parse import urlencode

import msgspec

PERIODS = ("month", "last_month", "week", "days30")
By = Literal["agent", "model", "day", "user"]


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of the address. `first` and `last` are days (UTC) and both belong to the period."""

    period: str
    first: date
    last: date
    by: By = "agent"
    everyone: bool = False

    def address(self, *, path: str = "/usage", **other: str) -> str:
        """The same page, or the file at `path`, with some of it asked otherwise."""
        given = {"by": self.by, "whose": "all" if self.everyone else ""}
        if self.period:
            given["period"] = self.period
        else:
            given |= {"from": f"{self.first}", "to": f"{self.last}"}
        defaults = {("by", "user" if other.get("whose", given["whose"]) else "agent"), ("period", "month")}
        kept = {name: value for name, value in (given | other).items() if value and (name, value) not in defaults}
        return f"{path}?{urlencode(kept)}" if kept else path


def read(query: dict[str, str], *, today: date, admin: bool) -> UsageQuery:
    """Read an address. What cannot be read counts as not there; everybody's usage is for administrators."""
    everyone = admin and query.get("whose") == "all"
    choices: tuple[By, ...] = ("user", "model", "day") if everyone else ("agent", "model", "day")
    by = next((one for one in choices if one == query.get("by")), choices[0])
    first, last = _day(query.get("from", "")), _day(query.get("to", ""))
    if first and last and first <= last:
        return UsageQuery(period="", first=first, last=last, by=by, everyone=everyone)
    period = query.get("period", "")
    period = period if period in PERIODS else PERIODS[0]
    first, last = bounds(period, today)
    return UsageQuery(period=period, first=first, last=last, by=by, everyone=everyone)


def bounds(period: str, today: date) -> tuple[date, date]:
    """The first and the last day of a named period."""
    begin = today.replace(day=1)
    match period:
        case "last_month":
            end = begin - timedelta(days=1)
            return end.replace(day=1), end
        case "week":
            return today - timedelta(days=6), today
        case "days30":
            return today - timedelta(days=29), today
    return begin, today


def days_of_month(today: date) -> int:
    """Return the number of days of this day's month."""
    return ((today.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)).day


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
