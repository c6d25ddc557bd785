"""The last runs of an agent: marks in a row, how many of them succeeded, and a list."""

from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote

from core.domain.runs import Run, TriggerKind
from core.domain.states import ENDED, RunState
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame
from ui.runs.sentences import why
from ui.runs.state_mark import GLYPHS, state_mark

MARKS, LISTED = 20, 10
READ = 60  # some of them may be runs of tests


class AgentHistory:
    """The section with an agent's last runs; `refresh` reads and draws them."""

    def __init__(self, page: PageFrame, agent: str) -> None:
        self._page, self._agent = page, agent
        self._seen: list[Run] | None = None
        with tag("div", classes="row"):
            tag("h2", page.words.t("schedules.history"), classes="grow")
            tag("a", page.words.t("schedules.all_runs"), classes="btn ghost sm", href=f"/runs?agent={quote(agent)}")
        self._body = tag("div")

    async def refresh(self) -> None:
        """Read again, and draw if anything reads otherwise."""
        found = await self._page.services.runs.page(user=self._page.user_id, agent=self._agent, limit=READ)
        runs = [run for run in found if run.trigger_kind is not TriggerKind.TEST][:MARKS]  # tests are no work
        if runs == self._seen:
            return
        self._seen = runs
        self._body.clear()
        with self._body:
            if runs:
                self._marks(runs)
            self._list(runs[:LISTED])

    def _marks(self, runs: Sequence[Run]) -> None:
        words = self._page.words
        with tag("div", classes="row marks", testid="run-marks"):
            with tag("span", classes="row", role="img", aria_label=rate_words(runs, self._page)):
                for run in reversed(runs):
                    kind = "ok" if run.state is RunState.SUCCEEDED else str(run.state)
                    with tag("i", classes=f"m m-{kind}", title=f"{words.when(run.at)} · {why(run, words)}"):
                        if glyph := {RunState.FAILED: "bad", RunState.MISSED: "miss"}.get(run.state):
                            icon(glyph)
            tag("span", rate_words(runs, self._page), classes="meta", testid="success-rate")

    def _list(self, runs: Sequence[Run]) -> None:
        words = self._page.words
        with tag("ul", classes="rows"):
            for run in runs:
                with tag("li", classes="line", testid="run-row", data_state=run.state):
                    state_mark(run.state, words.t(f"run_state.{run.state}"))
                    tag("a", run.result or why(run, words), classes="grow cut", href=f"/runs/{run.id}")
                    tag("span", words.when(run.at), classes="meta nowrap")
            if not runs:
                with tag("li", classes="line"):
                    tag("span", words.t("schedules.no_history"), classes="meta")


def rate_words(runs: Sequence[Run], page: PageFrame) -> str:
    """The share that succeeded of those that succeeded or failed, and how many runs ended in each state."""
    counts, words = Counter(run.state for run in runs if run.state in ENDED), page.words
    parts = [words.t(f"runs.count_{state}", n=counts[state]) for state in GLYPHS if counts[state]]
    if rated := counts[RunState.SUCCEEDED] + counts[RunState.FAILED]:
        parts.insert(0, words.t("runs.rate", percent=round(100 * counts[RunState.SUCCEEDED] / rated)))
    return " · ".join(parts)
