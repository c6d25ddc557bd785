"""A day as one lane per agent: what worked when, what was missed, what is still to come."""

from dataclasses import dataclass
from datetime import datetime

from core.domain.records import Agent, now
from core.domain.runs import Run
from core.domain.states import AT_WORK, RunState
from ui.layout.html import fragment, icon, icon_markup, markup, tag
from ui.layout.i18n import Translations
from ui.runs.sentences import why

MARKS = {RunState.FAILED: "bad", RunState.MISSED: "miss", RunState.SKIPPED: "skip", RunState.CANCELLED: "gone"}
HOURS = (0, 6, 12, 18, 24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """An agent's runs of the day, and the times that are still to come."""

    agent: Agent
    runs: list[Run]
    planned: list[datetime]


class Timeline:
    """The lanes between two moments."""

    def __init__(self, words: Translations, *, start: datetime, end: datetime) -> None:
        self._words, self._start, self._end = words, start, end

    def show(self, lanes: list[Lane]) -> None:
        """Draw them into the element that is open."""
        words = self._words
        with tag("div", classes="axis tiny", aria_hidden="true"):
            for hour in HOURS:
                if not self._touches_now(hour / 24):
                    tag("span", words.t("runs.hour", hour=hour), style=f"left:{hour / 24:.2%}")
        with tag("div", classes="tl"):
            self._over()
            for lane in lanes:
                with tag("div", classes="ln"):
                    with tag("span", classes="nm row"):
                        icon(lane.agent.icon)
                        tag("span", lane.agent.name or words.t("dashboard.untitled"), classes="cut")
                    planned = words.t("runs.planned")
                    marks = [self._run(run) for run in lane.runs]
                    marks += [self._mark("plan", due, f"{planned} · {words.clock(due)}") for due in lane.planned]
                    fragment("".join(marks), classes="lane")

        self._legend()

    def _legend(self) -> None:
        words = self._words
        with tag("div", classes="legend", aria_hidden="true"):
            for key, kind in (("runs.legend_worked", ""), ("runs.legend_waited", "held"), ("runs.planned", "plan")):
                with tag("span"):
                    tag("i", classes=f"run {kind}".strip())
                    tag("span", words.t(key))
            for state, kind in MARKS.items():
                with tag("span"):
                    with tag("i", classes=f"mk mk-{kind}"):
                        icon(kind)
                    tag("span", words.t(f"run_state.{state}"))

    def _over(self) -> None:
        with tag("div", classes="over", aria_hidden="true"):
            for hour in HOURS:
                tag("i", style=f"left:{hour / 24:.2%}")
            if self._start <= now() < self._end:
                with tag("span", classes="now", style=f"left:{self._left(now()):.2%}"):
                    tag("b", self._words.clock(now()))

    def _touches_now(self, share: float) -> bool:
        """True if the label of "now" would lie over a label at this place."""
        return self._start <= now() < self._end and abs(self._left(now()) - share) < 0.05

    def _run(self, run: Run) -> str:
        words = self._words
        said = f"{words.clock(run.started_at or run.at)} · {words.t(f'run_state.{run.state}')} · {why(run, words)}"
        if run.started_at is None:
            return self._mark(MARKS.get(run.state, "wait"), run.at, said)
        begun, ended = self._left(run.started_at), self._left(run.finished_at or now())
        kind = {RunState.WAITING: "ask", RunState.RUNNING: "busy"}.get(run.state, "held" if run.waited_s else "")
        if run.state not in AT_WORK and run.state is not RunState.SUCCEEDED:
            kind = "grey"
        style = f"left:{begun:.2%};width:{max(0.0, ended - begun):.2%}"
        due = ""
        if run.due_at:
            due = markup("i", classes="due", style=f"left:{self._left(run.due_at):.2%}", aria_hidden="true")
        mark = self._mark(MARKS[run.state], run.finished_at or run.at, said) if run.state in MARKS else ""
        classes = f"run {kind}".strip()
        bar = markup("a", classes=classes, style=style, href=f"/runs/{run.id}", title=said, aria_label=said)
        return due + bar + mark

    def _mark(self, kind: str, at: datetime, said: str) -> str:
        place = {"style": f"left:{self._left(at):.2%}", "title": said, "role": "img", "aria_label": said}
        if kind in ("plan", "wait"):
            return markup("span", classes=f"run {kind}", **place)
        return markup("span", classes=f"mk mk-{kind}", inner=icon_markup(kind), **place)

    def _left(self, at: datetime) -> float:
        share = (at - self._start) / (self._end - self._start)
        return min(1.0, max(0.0, share))
