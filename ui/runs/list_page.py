"""`/runs`: a day of runs, as a timeline over a table. Day, state and agent are in the address."""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import msgspec
from nicegui import app, ui
from nicegui.events import GenericEventArguments
from starlette.requests import Request
from starlette.responses import Response

from core.domain.records import Agent, UserId, now
from core.domain.runs import Run, TriggerKind
from core.domain.schedules import Trigger
from core.domain.states import RunState
from ui.layout.html import fragment, icon, icon_markup, markup, tag
from ui.layout.i18n import choose
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.input_fields import VALUE
from ui.runs.run_filter import GROUPS, RunFilter, asked_for
from ui.runs.sentences import RunLine, day_words, line
from ui.runs.state_mark import state_markup
from ui.runs.timeline import Lane, Timeline

MOST = 1000  # runs of one day that are read
PLACES = 20  # queued runs whose place is looked up
SHOWN = 100  # rows of the table; the files have all
LOOK_S = 3.0  # what gateway and other webs write is seen soon
COLUMNS = ("id", "agent", "trigger_kind", "trigger", "due_at", "started_at", "finished_at", "state", "reason", "result",
           "cost_usd", "unpriced_calls", "tokens", "waited_s", "attempt")  # fmt: skip


class RunsPage:
    """An open page of runs."""

    def __init__(self, page: PageFrame, asked: RunFilter) -> None:
        self._page, self._asked = page, asked
        self._start, self._end = asked.bounds(page.words)
        self._seen: Any = None
        self._agents: dict[str, Agent] = {}
        self._triggers: dict[str, Trigger] = {}
        self._places: dict[str, int] = {}
        with tag("div", classes="page runs"):
            self._head()
            self._body = tag("div")

    async def refresh(self) -> None:
        """Read again, and draw if anything reads otherwise."""
        user, services = self._page.user_id, self._page.services
        runs = await of_day(services, user, self._start, self._end, agent=self._asked.agent)
        agents = {agent.id: agent for agent in (await services.agents.index(user=user, sessions=1))[0]}
        triggers = {one.id: one for one in await services.schedules.all(user=user)}
        planned = self._planned(agents, triggers.values())
        waiting = [run for run in runs if run.state is RunState.QUEUED]
        places = {run.id: await services.runs.place(run) for run in waiting[:PLACES]}
        seen = (runs, planned, places, f"{now():%H:%M}")
        if seen != self._seen:
            self._seen = seen
            self._agents, self._triggers, self._places = agents, triggers, places
            self._body.clear()
            with self._body:
                self._show(runs, planned)

    def _planned(self, agents: dict[str, Agent], triggers: Iterable[Trigger]) -> dict[str, list[datetime]]:
        """Return the times to come until the day's end, by agent."""
        found: dict[str, list[datetime]] = {}
        if self._end > now():
            for trigger in triggers:
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
            if after <= now():
                tag("a", words.t("runs.today"), classes="chip", href=asked.address(day=""))
            tag("span", classes="grow")
            self._sum = tag("span", classes="meta daysum", testid="day-sum")

    def _show(self, runs: list[Run], planned: dict[str, list[datetime]]) -> None:
        words = self._page.words
        if not runs and not any(planned.values()) and not (self._asked.agent or self._asked.trigger):
            self._empty()
            return
        self._say_sum(runs, sum(map(len, planned.values())))
        with tag("section", classes="card tlc", testid="timeline", aria_label=words.t("runs.timeline")):
            Timeline(words, start=self._start, end=self._end).show(self._lanes(runs, planned))
        kept = [run for run in runs if self._asked.trigger in ("", run.trigger_kind)]
        self._filters(kept)
        shown = [run for run in kept if run.state in GROUPS.get(self._asked.state, GROUPS["all"])]
        with tag("div", classes="tb", role="table", aria_label=words.t("runs.table")):
            self._columns()
            oldest = next((run.id for run in reversed(shown) if run.state is RunState.WAITING), "")
            for run in shown[:SHOWN]:
                self._row(self._line(run), filled=run.id == oldest)
        if len(shown) > SHOWN:
            tag("p", words.t("runs.only_newest", n=SHOWN), classes="meta none", testid="only-newest")
        if not shown:
            with tag("p", classes="meta none"):
                tag("span", words.t("runs.no_match"))
                href = self._asked.address(state="all", agent="", trigger="")
                tag("a", words.t("runs.clear"), classes="btn sm", href=href)

    def _lanes(self, runs: list[Run], planned: dict[str, list[datetime]]) -> list[Lane]:
        agents = self._agents
        ids = dict.fromkeys([*(run.agent for run in runs), *planned])
        return [
            Lane(agent=agents[id], runs=[run for run in runs if run.agent == id], planned=planned.get(id, []))
            for id in ids
            if id in agents
        ]

    def _line(self, run: Run) -> RunLine:
        agent = self._agents.get(run.agent)
        name, glyph = (agent.name, agent.icon) if agent else ("", "spark")
        trigger, place = self._triggers.get(run.trigger), self._places.get(run.id, 0)
        return line(run, agent=name, icon=glyph, words=self._page.words, trigger=trigger, place=place)

    def _say_sum(self, runs: list[Run], planned: int) -> None:
        """Say what became of the day's runs, what is still to come, and what it cost."""
        words = self._page.words
        counts = Counter(run.state for run in runs)
        self._sum.clear()
        with self._sum:
            for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.MISSED):
                if counts[state]:
                    bad = "" if state is RunState.SUCCEEDED else "bad"
                    tag("span", words.t(f"runs.count_{state}", n=counts[state]), classes=bad)
            if planned:
                tag("span", words.t("runs.left_today", n=planned))
            spent = sum(run.cost_usd for run in runs)
            unknown = f" + {words.t('usage.unknown')}" if any(run.unpriced_calls for run in runs) else ""
            if spent or unknown:
                tag("span", words.t("runs.spent_today", cost=f"{words.money(spent)}{unknown}"))

    def _empty(self) -> None:
        words = self._page.words
        with tag("div", classes="clear", testid="no-runs"):
            with tag("span", classes="tile round"):
                icon("clock", "lg")
            tag("h2", words.t("runs.empty"))
            tag("p", words.t("runs.empty_text"), classes="meta")
            tag("a", words.t("inbox.to_agents"), classes="btn", href="/dashboard")

    def _filters(self, runs: list[Run]) -> None:
        words, asked = self._page.words, self._asked
        with tag("div", classes="bar1 bar2"):
            with tag("nav", classes="tabs", aria_label=words.t("runs.filter")):
                for group, states in GROUPS.items():
                    with tag("a", classes="tab", href=asked.address(state=group)) as one:
                        one.attributes(aria_current="true" if group == asked.state else None)
                        tag("span", words.t(f"runs.group_{group}"))
                        tag("span", words.number(sum(run.state in states for run in runs)), classes="n")
            tag("span", classes="grow")
            agents = {one.id: one.name or words.t("dashboard.untitled") for one in self._agents.values()}
            self._select("agent", {"": words.t("runs.any_agent")} | agents)
            kinds = {str(kind): words.t(f"run_trigger.{kind}") for kind in TriggerKind}
            self._select("trigger", {"": words.t("runs.any_trigger")} | kinds)
            for kind in ("csv", "json"):
                href = asked.address(day=f"{self._start:%Y-%m-%d}").replace("/runs", f"/runs.{kind}", 1)
                tag("a", kind.upper(), classes="btn ghost sm hide-phone", href=href)

    def _select(self, name: Literal["agent", "trigger"], choices: dict[str, str]) -> None:
        words = self._page.words
        label = words.t("runs.by_agent" if name == "agent" else "runs.by_trigger")
        with tag("select", classes="input pick1", aria_label=label, testid=f"filter-{name}") as select:
            for value, text in choices.items():
                chosen = value == getattr(self._asked, name)
                tag("option", text, value=value).attributes(selected="selected" if chosen else None)
        select.on("change", partial(self._filter, name), js_handler=VALUE)

    def _filter(self, name: str, event: GenericEventArguments) -> None:
        ui.navigate.to(self._asked.address(**{name: str(event.args)[:64]}))

    def _columns(self) -> None:
        with tag("div", classes="tr th", role="row"):
            for name, classes in (("state", ""), ("agent", ""), ("trigger", "tg"), ("at", ""), ("took", "num"),
                                  ("cost", "num"), ("result", "hr"), ("action", "")):  # fmt: skip
                text = self._page.words.t(f"runs.column_{name}")
                tag("span", text, classes=f"{classes}{' sr' if name == 'action' else ''}", role="columnheader")

    def _row(self, row: RunLine, *, filled: bool) -> None:
        with tag("div", classes="tr", role="row", testid="run-row", data_state=row.state) as place:
            place.attributes(data_trigger=row.trigger_kind, data_run=row.id)
            fragment(cells(row), classes="cells")
            with tag("span", classes="act1", role="cell"):
                self._action(row, filled=filled)

    def _action(self, row: RunLine, *, filled: bool) -> None:
        words = self._page.words
        if row.action == "answer":
            classes = "btn sm primary" if filled else "btn sm"
            tag("a", words.t("dashboard.answer"), classes=classes, href=row.answer)
        elif row.action == "cancel":
            stop = tag("button", words.t("runs.cancel"), classes="btn sm", type="button", testid="cancel-run")
            stop.on("click", partial(self._cancel, row.id), args=[])
        elif row.action:
            label = words.t("schedules.run_now" if row.action == "run" else "runs.retry")
            again = tag("button", label, classes="btn sm", type="button", testid="retry")
            again.on("click", partial(self._retry, row.id), args=[])

    async def _cancel(self, run: str) -> None:
        await self._page.services.runs.cancel(run, user=self._page.user_id)
        await self.refresh()

    async def _retry(self, run: str) -> None:
        again = await self._page.services.runs.retry(run, user=self._page.user_id)
        ui.navigate.to(f"/runs/{again.id}")


def cells(row: RunLine) -> str:
    """Return all cells of a row but that of its action."""

    def cell(classes: str, text: str = "", inner: str = "", **more: str) -> str:
        return markup("span", text, inner=inner, classes=classes, role="cell", **more)

    tail = markup("span", f" · {row.tail}", classes="muted") if row.tail else ""
    agent = markup("a", row.agent, classes="cut", href=row.href)
    return "".join(
        (
            cell("rst", inner=state_markup(row.state, row.word)),
            cell("ag", inner=icon_markup(row.icon) + agent),
            cell("tg", inner=icon_markup(row.trigger_icon) + markup("span", row.trigger, classes="cut")),
            cell("wh", row.at),
            cell("num tk", row.took),
            cell("num cs", row.cost),
            cell("rs1 cut", inner=markup("span", row.result) + tail, title=row.result),
        )
    )


async def of_day(services: Services, user: UserId, start: datetime, end: datetime, *, agent: str = "") -> list[Run]:
    """Runs of a day, newest first."""
    above = start - timedelta(microseconds=1)
    return await services.runs.page(user=user, agent=agent, above=above, below=end, limit=MOST)


def install(services: Services) -> None:
    """Serve the page and its files."""

    @screen("/runs")
    async def runs(day: str = "", state: str = "all", agent: str = "", trigger: str = "") -> None:
        with frame(services, title="runs.title") as page:
            asked = asked_for({"day": day, "state": state, "agent": agent, "trigger": trigger})
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
    asked = asked_for(request.query_params)
    words = choose(profile=user.locale, cookies=request.cookies)
    runs = await of_day(services, user.id, *asked.bounds(words), agent=asked.agent)
    states = GROUPS.get(asked.state, GROUPS["all"])
    kept = [run for run in runs if run.state in states and asked.trigger in ("", run.trigger_kind)]
    return [{name: getattr(run, name) for name in COLUMNS} for run in kept]


def _safe(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
