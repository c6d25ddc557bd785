"""Runs: what started an agent to work by itself, how far that is, and why it ended.

A row exists before anything starts. The row of a schedule's slot has an id that follows from trigger and due time, so
that `Store.create` lets one row come into being per slot, whoever and however many try.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec

from core.domain.events import AnyEvent, Text, ToolCalled, TurnFinished, UserSaid
from core.domain.records import Record, UserId
from core.domain.states import RunState

RESULT_CHARS = 300
DRAFT = "draft"
R = RunState

# Every reason with which a run can end, and the state that it belongs to. `run_reason.<code>` in the catalogues says
# what happened, `run_next.<code>` what to do.
REASONS: dict[str, RunState] = {
    "ok": R.SUCCEEDED,
    "no_output": R.FAILED,  # the turn ended well, but there is neither an answer nor a tool call
    "nobody_answered": R.FAILED,
    "not_started": R.FAILED,  # the box or the session could not be started, for longer than START_S
    # these are the reasons of turns, as the runner gives them
    "runner_lost": R.FAILED,
    "cli_died": R.FAILED,
    "cli_not_started": R.FAILED,
    "no_answer": R.FAILED,
    "model_key_refused": R.FAILED,
    "model_overloaded": R.FAILED,
    "model_error": R.FAILED,
    "too_long": R.FAILED,
    "spend_limit": R.FAILED,
    "max_turns": R.FAILED,
    "disk_full": R.FAILED,
    "orphaned": R.FAILED,
    "shutdown": R.FAILED,
    "stopped_by_user": R.FAILED,
    "error": R.FAILED,  # any other reason of a turn; `detail` has its code
    "over_time": R.FAILED,  # longer than its agent's runs may last
    "by_person": R.CANCELLED,
    "by_next_slot": R.CANCELLED,
    "platform_down": R.MISSED,
    "superseded": R.MISSED,  # the catch-up policy wants the last slot only
    "catch_up_bound": R.MISSED,
    "overlap": R.SKIPPED,
    "not_published": R.SKIPPED,
    "agent_gone": R.SKIPPED,
    "queue_full": R.SKIPPED,
    "limit_reached": R.SKIPPED,
}


class TriggerKind(StrEnum):
    """What may start a run."""

    PERSON = "person"
    SCHEDULE = "schedule"
    API = "api"
    WEBHOOK = "webhook"
    AGENT = "agent"


class Run(Record, frozen=True, kw_only=True):
    """One piece of unattended work. `at` orders the runs: the due time, else the time of creation.

    `trigger` is the schedule's id, or the person's. `version` is the published version, or "draft"; 0 says that it was
    published before versions had numbers. `asked_at` is set while the run waits for an answer, `waited_s` adds up the
    waits that are over. `not_before` is the due time with the jitter.
    """

    agent: str
    version: int | str = 0
    session: str = ""
    trigger_kind: TriggerKind
    trigger: str = ""
    at: datetime
    due_at: datetime | None = None
    not_before: datetime | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    asked_at: datetime | None = None
    waited_s: float = 0.0
    state: RunState = RunState.QUEUED
    reason: str = ""
    detail: str = ""
    result: str = ""
    input: dict[str, Any] | str = ""
    cost_usd: float = 0.0
    tokens: int = 0
    files: tuple[str, ...] = ()
    attempt: int = 1
    retry_of: str = ""


class OpenRun(Record, frozen=True, kw_only=True):
    """The platform's own note of a run that has not ended, with the run's id: what any web process works off.

    It is written before the run's row and deleted after the run's end, so a run that is open is never without it.
    `admitted`: the run has its place among those that may work at once.
    """

    user: UserId
    agent: str
    trigger: str = ""
    admitted: bool = False
    created_at: datetime
    not_before: datetime


def run_id_of_slot(trigger: str, due_at: datetime) -> str:
    """The id of the one row that a due slot has."""
    return sha256(f"{trigger}\0{due_at.timestamp():.0f}".encode()).hexdigest()[:24]


def run_id_of_request(user: UserId, key: str) -> str:
    """The id of a run that a person or a program asked for; the same key asks for the same run."""
    return sha256(f"{user}\0{key}".encode()).hexdigest()[:24]


def session_of_run(run: str) -> str:
    """The session's id follows from the run's, so that two who start the run start one session."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"oma-run:{run}"))


def ending(events: Sequence[AnyEvent], finished: TurnFinished) -> tuple[RunState, str, str]:
    """State, reason and detail of the run whose turn has these events and this end.

    `succeeded` needs evidence: the turn ended well, and there is an answer or a tool call in it.
    """
    if finished.outcome == "ok":
        if any(isinstance(event, ToolCalled) or (isinstance(event, Text) and event.text.strip()) for event in events):
            return R.SUCCEEDED, "ok", ""
        return R.FAILED, "no_output", ""
    if finished.reason in REASONS and REASONS[finished.reason] is R.FAILED:
        return R.FAILED, finished.reason, finished.detail[:RESULT_CHARS]
    return R.FAILED, "error", finished.reason


def events_of_turn(events: Sequence[AnyEvent], end: TurnFinished) -> list[AnyEvent]:
    """The events from the message that began the turn up to its end."""
    turn: list[AnyEvent] = []
    for event in events:
        if isinstance(event, UserSaid) and not event.steer:
            turn = []
        turn.append(event)
        if event is end:
            break
    return turn


def tokens_of(finished: TurnFinished) -> int:
    """All tokens of a turn, those from the cache too."""
    return sum(msgspec.structs.astuple(finished.usage))
