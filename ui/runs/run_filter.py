"""The filter of the list of runs, as it stands in the address of the page and of its files."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from urllib.parse import urlencode

import msgspec

from core.domain.records import now
from core.domain.runs import TriggerKind
from core.domain.states import RunState
from ui.layout.i18n import Translations

GROUPS: dict[str, tuple[RunState, ...]] = {
    "all": tuple(RunState),
    "waiting": (RunState.WAITING,),
    "open": (RunState.QUEUED, RunState.RUNNING),
    "succeeded": (RunState.SUCCEEDED,),
    "failed": (RunState.FAILED,),
    "missed": (RunState.MISSED, RunState.SKIPPED, RunState.CANCELLED),
}


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter and page that the address asks for."""

    day: str = ""
    state: str = "all"
    agent: str = ""
    trigger: str = ""

    def address(self, **other: str) -> str:
        """The page with some of it asked otherwise."""
        given = {"day": self.day, "state": self.state, "agent": self.agent, "trigger": self.trigger} | other
        kept = {name: value for name, value in given.items() if value and (name, value) != ("state", "all")}
        return f"/runs?{urlencode(kept)}" if kept else "/runs"

    def bounds(self, words: Translations) -> tuple[datetime, datetime]:
        """Begin and end of the day in the viewer's time zone."""
        try:
            date = datetime.strptime(self.day, "%Y-%m-%d").date()
        except ValueError:
            date = now().astimezone(words.zone).date()
        start = datetime.combine(date, time(), words.zone)
        return start, datetime.combine(date + timedelta(days=1), time(), words.zone)


def asked_for(query: Mapping[str, str]) -> RunFilter:
    """Return what an address asks for; what cannot be read counts as not there."""
    state, trigger = query.get("state", "all"), query.get("trigger", "")
    return RunFilter(
        day=query.get("day", "")[:10],
        state=state if state in GROUPS else "all",
        agent=query.get("agent", "")[:64],
        trigger=trigger if trigger in set(TriggerKind) else "",
    )
