"""The sentences about a run: its state, its trigger, how long it took, why it ended and what to do."""

from dataclasses import dataclass
from datetime import datetime

from core.domain.error_catalogue import TURNS
from core.domain.limits import scope_of_refusal
from core.domain.plain_schedules import from_cron, speak
from core.domain.records import now
from core.domain.runs import Run, TriggerKind
from core.domain.schedules import Schedule, Trigger
from core.domain.states import AT_WORK, RunState
from ui.layout.i18n import Translations
from ui.layout.turn_reasons import turn_reason

NONE = "–"
TRIGGER_ICONS = {
    TriggerKind.PERSON: "user",
    TriggerKind.SCHEDULE: "clock",
    TriggerKind.API: "term",
    TriggerKind.WEBHOOK: "web",
    TriggerKind.AGENT: "spark",
    TriggerKind.TEST: "check",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A row of the table in words."""

    id: str
    state: str
    word: str
    agent: str
    icon: str
    trigger: str
    trigger_icon: str
    trigger_kind: str
    at: str
    took: str
    cost: str
    result: str
    href: str
    tail: str  # what is said after the result, in grey
    action: str  # answer, cancel, run, retry or nothing
    answer: str


ACTIONS = {
    RunState.WAITING: "answer",
    RunState.QUEUED: "cancel",
    RunState.MISSED: "run",
    RunState.FAILED: "retry",
}


def line(
    run: Run, *, agent: str, icon: str, words: Translations, trigger: Trigger | None = None, place: int = 0
) -> RunLine:
    """The row of a run of the agent with this name and icon."""
    tail = words.t("runs.waited_tail", time=words.lasting(run.waited_s)) if run.waited_s else ""
    if place > 1:
        tail = words.t("runs.place", n=place - 1)
    return RunLine(
        id=run.id,
        state=run.state,
        word=words.t(f"run_state.{run.state}"),
        agent=agent or words.t("dashboard.untitled"),
        icon=icon,
        trigger=spoken(trigger.schedule, words) if trigger else words.t(f"run_trigger.{run.trigger_kind}"),
        trigger_icon=TRIGGER_ICONS[run.trigger_kind],
        trigger_kind=run.trigger_kind,
        at=words.clock(run.started_at or run.at),
        took=took(run, words),
        cost=cost(run, words),
        result=result(run, words),
        href=f"/runs/{run.id}",
        tail=tail,
        action=ACTIONS.get(run.state, ""),
        answer=f"/workspace/{run.agent}?session={run.session}",
    )


def cost(run: Run, words: Translations) -> str:
    """Return the cost in words; "–" if nothing was spent, and "unknown" where a price is not known."""
    unknown = [words.t("usage.unknown")] if run.unpriced_calls else []
    return " + ".join([*([words.money(run.cost_usd)] if run.cost_usd else []), *unknown]) or NONE


def took(run: Run, words: Translations) -> str:
    """Worked time only; while it works or waits, the time since its start; nothing if it never started."""
    if run.started_at is None:
        return NONE
    if run.state in AT_WORK:
        return words.t("runs.since", since=words.since(run.started_at))
    return words.lasting(worked_s(run))


def worked_s(run: Run) -> float:
    """Seconds between start and end without those in which it waited for an answer."""
    if run.started_at is None:
        return 0.0
    return max(0.0, ((run.finished_at or now()) - run.started_at).total_seconds() - run.waited_s)


def result(run: Run, words: Translations) -> str:
    """Return a sentence: the result of the run, or why there is none."""
    if run.state is RunState.SUCCEEDED:
        return run.result or words.t("runs.done")
    return why(run, words)


def why(run: Run, words: Translations) -> str:
    """Return the reason for the run's state."""
    return reason_words(run.reason, words, run.detail) if run.reason else words.t(f"run_reason.now_{run.state}")


def reason_words(reason: str, words: Translations, detail: str = "") -> str:
    """The sentence of a code with which a run ended."""
    if reason in TURNS:
        return turn_reason(reason, detail, words)
    return words.code("run_reason", reason, "turn_failed")


def next_of(reason: str, words: Translations) -> str:
    """Return what helps after a run that ended with this code; empty: nothing."""
    key = "run_next.turn_failed" if reason in TURNS else f"run_next.{reason}"
    return words.t(key) if words.has(key) else ""


def next_step(run: Run, words: Translations) -> str:
    """Return what a person can do about it; empty if nothing."""
    if run.reason in TURNS:
        return "" if scope_of_refusal(run.detail) else words.t("run_next.turn_failed")
    key = f"run_next.{run.reason}"
    return words.t(key) if run.reason and words.has(key) else ""


def spoken(schedule: Schedule, words: Translations) -> str:
    """A schedule in plain words, else its cron line or time."""
    if schedule.at:
        return words.t("schedules.once_at", at=words.full(schedule.at))
    plain = from_cron(schedule.cron)
    return speak(plain, words.locale) if plain else schedule.cron


def day_words(at: datetime, words: Translations) -> str:
    """A day of the calendar with its weekday, in the viewer's zone."""
    return words.full(at).removesuffix(words.clock(at)).strip()
