"""The steps of one run from its due time to its end. Their widths say little; the words under them say it exactly."""

from dataclasses import dataclass

from core.domain.records import now
from core.domain.runs import Run
from core.domain.states import AT_WORK, RunState
from ui.layout.html import icon, tag
from ui.layout.i18n import Translations
from ui.runs.sentences import worked_s
from ui.runs.state_mark import GLYPHS

TONES = {RunState.SUCCEEDED: "ok", RunState.FAILED: "bad", RunState.MISSED: "bad"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stretch of time: its name, when it began, how it is drawn, and what it says."""

    name: str
    at: str
    kind: str = ""
    text: str = ""
    width: str = "1fr"


def steps_of(run: Run, words: Translations) -> list[Step]:
    """Return the steps that the run's row tells of; none if it never started."""
    if run.started_at is None:
        return []
    found = []
    if run.due_at:
        late = words.t("runs.step_late", time=words.lasting(max(0.0, (run.started_at - run.due_at).total_seconds())))
        found.append(Step(name="due", at=words.exact(run.due_at), kind="late", text=late, width="112px"))
    worked = words.t("runs.step_worked", time=words.lasting(worked_s(run)))
    kind = "" if run.state in (RunState.SUCCEEDED, *AT_WORK) else "grey"
    found.append(Step(name="started", at=words.exact(run.started_at), kind=kind, text=worked))
    waited_s = run.waited_s + ((now() - run.asked_at).total_seconds() if run.asked_at else 0.0)
    if waited_s:
        text = words.t("runs.step_waited", time=words.lasting(waited_s))
        asked = words.exact(run.asked_at) if run.asked_at else ""
        found.append(Step(name="asked", at=asked, kind="waits" if run.asked_at else "held", text=text))
    return found


def show_steps(run: Run, words: Translations) -> None:
    """Draw the steps into the element that is open; nothing for a run that never started."""
    steps = steps_of(run, words)
    if not steps:
        return
    widths = " ".join(step.width for step in steps)
    columns = f"grid-template-columns:{widths} auto"
    with tag("section", classes="steps", aria_label=words.t("runs.steps"), style=columns):
        for step in steps:
            with tag("div", classes="sp", data_step=step.name):
                with tag("span"):
                    tag("span", words.t(f"runs.fact_{step.name}"), classes="muted")
                    tag("b", step.at)
                tag("i", classes=step.kind)
                tag("div", step.text, classes="tiny")
        with tag("div", classes="sp", data_step="finished"):
            with tag("span"):
                if run.finished_at:
                    tag("span", words.t("runs.fact_finished"), classes="muted")
                    tag("b", words.exact(run.finished_at))
                else:
                    tag("b", words.t(f"run_state.{run.state}"))
            if glyph := GLYPHS.get(run.state):
                icon(glyph, f"endm {TONES.get(run.state, '')}".strip())
