"""`/runs`: a day of runs, as a timeline over a table. Day, state and agent are in the address."""

import csv
import io
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec
from nicegui import app, ui
from starlette.requests import Request
from starlette.responses import Response

from core.domain.records import Agent, UserId, now
from core.domain.runs import Run
from core.domain.states import RunState
from ui.layout.html import icon, tag
from ui.layout.i18n import Translations, choose
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.sentences import RunLine, day_words, line
from ui.runs.state_mark import state_mark
from ui.runs.timeline import Lane, Timeline

MOST = 1000  # runs of one day that are read
SHOWN = 200  # rows of the table; the files have all
LOOK_S = 3.0  # what gateway and other webs write is seen soon
GROUPS: dict[str, tuple[RunState, ...]] = {
    "all": tuple(RunState),
    "waiting": (RunState.WAITING,),
    "open": (RunState.QUEUED, RunState.RUNNING),
    "succeeded": (RunState.SUCCEEDED,),
    "failed": (RunState.FAILED,),
    "missed": (RunState.MISSED, RunState.SKIPPED, RunState.CANCELLED),
}
COLUMNS = ("id", "agent", "trigger_kind", "trigger", "due_at", "started_at", "finished_at", "state", "reason", "result",
           "cost_usd", "tokens", "waited_s", "attempt")  # fmt: skip


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The filter and page that the address asks for."""

    day: str = ""
    state: str = "all"
    agent: str = ""

    def address(self, **other: str) -> str:
        """The page with some of it asked otherwise."""
        given = {"day": self.day, "state": self.state, "agent": self.agent} | other
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


class RunsPage:
    """An open page of runs."""

    def __init__(self, page: PageFrame, asked: RunFilter) -> None:
        self._page, self._asked = page, asked
        self._start, self._end = asked.bounds(page.words)
        self._seen: Any = None
        with tag("div", classes="page runs"):
            self._head()
            self._body = tag("div")

    async def refresh(self) -> None:
        """Read again, and draw if anything reads otherwise."""
        user, services = self._page.user_id, self._page.services
        runs = await of_day(services, user, self._start, self._end, agent=self._asked.agent)
        agents = {card.agent.id: card.agent for card in await services.agents.cards(user=user)}
        planned = await self._planned(agents)
        seen = (runs, planned, f"{now():%H:%M}")
        if seen != self._seen:
            self._seen = seen
            self._body.clear()
            with self._body:
                self._show(runs, agents, planned)

    async def _planned(self, agents: dict[str, Agent]) -> dict[str, list[datetime]]:
        """Times to come until the day's end."""
        found: dict[str, list[datetime]] = {}
        if self._end > now():
            for trigger in await self._page.services.schedules.all(user=self._page.user_id):
                if trigger.agent in agents and self._asked.agent in ("", trigger.agent):
                    times = self._page.services.schedules.upcoming(trigger, count=48)
                    found.setdefault(trigger.agent, []).extend(at for at in times if self._start <= at < self._end)
        return found

    def _head(self) -> None:
        words, asked = self._page.words, self._asked
        before, after = self._start - timedelta(days=1), self._end
        with tag("div", classes="bar1"):
            tag("h1", words.t("runs.title"))
            with tag("div", classes="day"):
                with tag("a", href=asked.address(day=f"{before:%Y-%m-%d}"), aria_label=words.t("runs.day_before")):
                    icon("left")
                tag("b", day_words(self._start, words))
                if after <= now():
                    with tag("a", href=asked.address(day=f"{after:%Y-%m-%d}"), aria_label=words.t("runs.day_after")):
                        icon("right")
            tag("span", classes="grow")
            for kind in ("csv", "json"):
                href = asked.address(day=f"{self._start:%Y-%m-%d}").replace("/runs", f"/runs.{kind}", 1)
                tag("a", kind.upper(), classes="btn ghost sm hide-phone", href=href)

    def _show(self, runs: list[Run], agents: dict[str, Agent], planned: dict[str, list[datetime]]) -> None:
        words = self._page.words
        if not runs and not any(planned.values()):
            self._empty()
            return
        ids = dict.fromkeys([*(run.agent for run in runs), *planned])
        lanes = [
            Lane(agent=agents[id], runs=[run for run in runs if run.agent == id], planned=planned.get(id, []))
            for id in ids
            if id in agents
        ]
        with tag("section", classes="card tlc", testid="timeline", aria_label=words.t("runs.timeline")):
            Timeline(words, start=self._start, end=self._end).show(lanes)
        self._filters(runs)
        states = GROUPS.get(self._asked.state, GROUPS["all"])
        shown = [run for run in runs if run.state in states]
        with tag("div", classes="tb", role="table", aria_label=words.t("runs.table")):
            self._columns()
            for run in shown[:SHOWN]:
                agent = agents.get(run.agent)
                name, glyph = (agent.name, agent.icon) if agent else ("", "spark")
                self._row(line(run, agent=name, icon=glyph, words=words))
        if not shown:
            with tag("p", classes="meta none"):
                tag("span", words.t("runs.no_match"))
                tag("a", words.t("runs.clear"), classes="btn sm", href=self._asked.address(state="all", agent=""))

    def _empty(self) -> None:
        words = self._page.words
        with tag("div", classes="clear", testid="no-runs"):
            with tag("span", classes="tile round"):
                icon("clock", "lg")
            tag("h2", words.t("runs.empty"))
            tag("p", words.t("runs.empty_text"), classes="meta")
            tag("a", words.t("inbox.to_agents"), classes="btn", href="/dashboard")

    def _filters(self, runs: list[Run]) -> None:
        words = self._page.words
        with tag("nav", classes="tabs bar2", aria_label=words.t("runs.filter")):
            for group, states in GROUPS.items():
                chosen = group == self._asked.state
                with tag("a", classes="tab", href=self._asked.address(state=group)) as one:
                    one.attributes(aria_current="true" if chosen else None)
                    tag("span", words.t(f"runs.group_{group}"))
                    tag("span", words.number(sum(run.state in states for run in runs)), classes="n")

    def _columns(self) -> None:
        with tag("div", classes="tr th", role="row"):
            for name, classes in (("state", ""), ("agent", ""), ("trigger", "tg"), ("at", ""), ("took", "num"),
                                  ("cost", "num"), ("result", "hr"), ("action", "")):  # fmt: skip
                text = self._page.words.t(f"runs.column_{name}")
                tag("span", text, classes=f"{classes}{' sr' if name == 'action' else ''}", role="columnheader")

    def _row(self, row: RunLine) -> None:
        with tag("div", classes="tr", role="row", testid="run-row", data_state=row.state) as place:
            place.attributes(data_trigger=row.trigger_kind, data_run=row.id)
            with tag("span", classes="rst", role="cell"):
                state_mark(row.state, row.word)
            with tag("span", classes="ag", role="cell"):
                icon(row.icon)
                tag("a", row.agent, classes="cut", href=row.href)
            with tag("span", classes="tg", role="cell"):
                icon(row.trigger_icon)
                tag("span", row.trigger, classes="cut")
            tag("span", row.at, classes="wh", role="cell")
            tag("span", row.took, classes="num tk", role="cell")
            tag("span", row.cost, classes="num cs", role="cell")
            tag("span", row.result, classes="rs1 cut", role="cell", title=row.result)
            with tag("span", classes="act1", role="cell"):
                self._action(row)

    def _action(self, row: RunLine) -> None:
        words = self._page.words
        if row.action == "answer":
            tag("a", words.t("dashboard.answer"), classes="btn sm primary", href=row.answer)
        elif row.action == "retry":
            again = tag("button", words.t("runs.retry"), classes="btn sm", type="button", testid="retry")
            again.on("click", partial(self._retry, row.id), args=[])

    async def _retry(self, run: str) -> None:
        again = await self._page.services.runs.retry(run, user=self._page.user_id)
        ui.navigate.to(f"/runs/{again.id}")


async def of_day(services: Services, user: UserId, start: datetime, end: datetime, *, agent: str = "") -> list[Run]:
    """Runs of a day, newest first."""
    above = start - timedelta(microseconds=1)
    return await services.runs.page(user=user, agent=agent, above=above, below=end, limit=MOST)


def install(services: Services) -> None:
    """Serve the page and its files."""

    @screen("/runs")
    async def runs(day: str = "", state: str = "all", agent: str = "") -> None:
        with frame(services, title="runs.title") as page:
            asked = RunFilter(day=day[:10], state=state if state in GROUPS else "all", agent=agent[:64])
            shown = RunsPage(page, asked)
            await shown.refresh()
            page.on_change(shown.refresh)
            ui.timer(LOOK_S, shown.refresh)

    @app.get("/runs.csv", include_in_schema=False)
    async def as_csv(request: Request) -> Response:
        text = io.StringIO()
        rows = csv.DictWriter(text, COLUMNS)
        rows.writeheader()
        rows.writerows([{name: _safe(row[name]) for name in COLUMNS} for row in await _exported(services, request)])
        return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8")

    @app.get("/runs.json", include_in_schema=False)
    async def as_json(request: Request) -> Response:
        return Response(msgspec.json.encode(await _exported(services, request)), media_type="application/json")


async def _exported(services: Services, request: Request) -> list[dict[str, Any]]:
    """Raises: NotSignedIn."""
    user = services.auth.user_of(request)
    query = request.query_params
    asked = RunFilter(day=query.get("day", "")[:10], state=query.get("state", "all"), agent=query.get("agent", "")[:64])
    words = choose(profile=user.locale, cookies=request.cookies)
    runs = await of_day(services, user.id, *asked.bounds(words), agent=asked.agent)
    states = GROUPS.get(asked.state, GROUPS["all"])
    return [{name: getattr(run, name) for name in COLUMNS} for run in runs if run.state in states]


def _safe(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
