"""Runs: what started an agent to work by itself, how far the work is, and why it ended.

A row exists before anything starts. The row of a schedule's slot has an id that follows from trigger and due time, so
that `Store.create` lets one row come into being per slot, whoever and however many try.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec

from core.domain.error_catalogue import TURNS
from core.domain.events import AnyEvent, Text, ToolCalled, TurnFinished
from core.domain.records import Record, UserId
from core.domain.states import RunState

RESULT_CHARS = 300
DRAFT = "draft"
GO = {"ko": "지금 할 일을 해 주세요.", "en": "Please do your work now."}  # of a run without input
WRITERS = frozenset({"Write", "Edit", "NotebookEdit"})
FILE_CHARS, FILES = 300, 50
R = RunState

# Every reason with which a run can end, and the state that it belongs to. A run that fails with its turn has the turn's
# reason. The others have a sentence `run_reason.<code>` in the catalogues, and one of what to do, `run_next.<code>`.
OWN_REASONS: dict[str, RunState] = {
    "ok": R.SUCCEEDED,
    "no_output": R.FAILED,  # the turn ended well, but there is neither an answer nor a tool call
    "nobody_answered": R.FAILED,
    "not_started": R.FAILED,  # the box or the session could not be started for minutes
    "over_time": R.FAILED,
    "turn_failed": R.FAILED,  # a reason of a turn that this version does not know; `detail` has it
    "by_person": R.CANCELLED,
    "by_next_slot": R.CANCELLED,
    "platform_down": R.MISSED,
    "superseded": R.MISSED,  # the catch-up policy wants the last slot only
    "catch_up_bound": R.MISSED,
    "overlap": R.SKIPPED,
    "not_published": R.SKIPPED,
    "agent_gone": R.SKIPPED,
    "agent_archived": R.SKIPPED,
    "queue_full": R.SKIPPED,
}
REASONS = dict.fromkeys(TURNS, R.FAILED) | OWN_REASONS


class TriggerKind(StrEnum):
    """The kinds of triggers that can start a run."""

    PERSON = "person"
    SCHEDULE = "schedule"
    API = "api"
    WEBHOOK = "webhook"
    AGENT = "agent"
    TEST = "test"


class Run(Record, frozen=True, kw_only=True):
    """A piece of unattended work. `at` orders the runs: it is the due time, or else the time of creation.

    `trigger` is the schedule's id, or the person's. `version` is the published version, or "draft"; 0 says that it was
    published before versions had numbers. `asked_at` is set while the run waits for an answer, `waited_s` adds up the
    waits that are over. `not_before` is the due time with the jitter.
    """

    agent: str
    version: int | str = 0
    session: str = ""
    trigger_kind: TriggerKind
    trigger: str
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
    unpriced_calls: int = 0  # calls of the model that are not in it, because they have no known price
    tokens: int = 0
    files: tuple[str, ...] = ()
    attempt: int = 1
    retry_of: str = ""
    seq: int = 0  # of the newest event of the session that this row follows; so are the next two
    has_output: bool = False
    open_requests: tuple[str, ...] = ()
    folder: str = ""  # of a test: the copy of the agent's folder that it works in

    @property
    def deadline_from(self) -> datetime | None:
        """The time since which the run waits for a person's answer; None if it does not wait."""
        return self.asked_at if self.state is RunState.WAITING else None


class LastRun(Record, frozen=True, kw_only=True):
    """The last run of an agent that has ended; the id is the agent's. Lists read it instead of all runs."""

    run: str
    state: RunState
    reason: str = ""
    result: str = ""
    at: datetime  # of its end


class AlertKind(StrEnum):
    """The kinds of inbox entries that are not requests."""

    FAILED = "failed"
    PAUSED = "paused"  # a schedule paused itself
    SILENT = "silent"  # a slot is due, and nobody has written its row
    BUDGET = "budget"  # so much of a month's limit is spent; `reason` is `<scope>_<per cent>`


class Alert(Record, frozen=True, kw_only=True):
    """An entry of the inbox that needs no answer and stays until somebody dismisses it. Its id is derived from its
    subject, so that the same alert is not written twice.
    """

    kind: AlertKind
    agent: str  # empty: it is about all of the user's agents
    run: str = ""
    trigger: str = ""
    reason: str = ""
    due_at: datetime | None = None
    at: datetime


class OpenRun(Record, frozen=True, kw_only=True):
    """The platform's own index entry of a run that has not ended, with the run's id. Any web process works through
    these.

    It is written before the run's row and deleted after the run's end, so a run that is open is never without it.
    `queued` waits for its place among those that may work at once; `waiting` has given it back meanwhile.
    """

    user: UserId
    agent: str
    trigger: str = ""
    phase: RunState = RunState.QUEUED
    created_at: datetime
    not_before: datetime


def run_id_of_slot(trigger: str, due_at: datetime) -> str:
    """Return the id of the only row that a due slot has."""
    return sha256(f"{trigger}\0{due_at.timestamp():.0f}".encode()).hexdigest()[:24]


def run_id_of_request(user: UserId, key: str) -> str:
    """Return the id of a run that a person or a program asked for; the same key means the same run."""
    return sha256(f"{user}\0{key}".encode()).hexdigest()[:24]


def session_of_run(run: str) -> str:
    """Return the id of the run's session. It follows from the run's id, so that two processes that start the same run
    start the same session.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"oma-run:{run}"))


def ending(finished: TurnFinished, *, has_output: bool) -> tuple[RunState, str, str]:
    """Return the state, reason and detail of a run from the end of its turn.

    `succeeded` needs evidence: the turn ended well, and there is an answer or a tool call in it (`has_output`).
    """
    if finished.outcome == "ok":
        if has_output:
            return R.SUCCEEDED, "ok", ""
        return R.FAILED, "no_output", ""
    if finished.reason in TURNS:
        return R.FAILED, finished.reason, finished.detail[:RESULT_CHARS]
    return R.FAILED, "turn_failed", finished.reason


def is_output(event: AnyEvent) -> bool:
    """True if the event is evidence of work: an answer with words in it, or a tool call."""
    return isinstance(event, ToolCalled) or (isinstance(event, Text) and bool(event.text.strip()))


def written_file(event: AnyEvent) -> str:
    """Return the path of the file that a tool call writes; empty if it writes none."""
    if isinstance(event, ToolCalled) and event.name in WRITERS:
        path = event.input.get("file_path") or event.input.get("notebook_path")
        return path[:FILE_CHARS] if isinstance(path, str) else ""
    return ""


def admitted(open_runs: Sequence[OpenRun], *, now: datetime, per_user: int, platform: int) -> list[OpenRun]:
    """Return the queued runs that may begin now, in order: users with the fewest running runs first, then by waiting
    time.

    Of one trigger one run works at a time.
    """
    at_work = [one for one in open_runs if one.phase is RunState.RUNNING]
    of_user = Counter(one.user for one in at_work)
    busy = {one.trigger for one in open_runs if one.phase is not RunState.QUEUED and one.trigger}
    queue = sorted(
        (one for one in open_runs if one.phase is RunState.QUEUED and one.not_before <= now),
        key=lambda one: (one.created_at, one.id),
    )
    chosen: list[OpenRun] = []
    while len(at_work) + len(chosen) < platform:
        able = [one for one in queue if of_user[one.user] < per_user and one.trigger not in busy]
        if not able:
            break
        one = min(able, key=lambda one: of_user[one.user])  # the first of equals waited longest
        queue.remove(one)
        chosen.append(one)
        of_user[one.user] += 1
        if one.trigger:
            busy.add(one.trigger)
    return chosen


def place_in_queue(run: str, open_runs: Sequence[OpenRun]) -> int:
    """Return the place of a run in the queue of all users, counted from 1; 0 if it is not in the queue."""
    queue = sorted((one for one in open_runs if one.phase is RunState.QUEUED), key=lambda one: (one.created_at, one.id))
    before, places = Counter[str](), {}
    for one in queue:
        before[one.user] += 1
        places[one.id] = (before[one.user], one.created_at, one.id)
    return 1 + sum(place < places[run] for place in places.values()) if run in places else 0


def words_of(given: dict[str, Any] | str, *, locale: str) -> str:
    """Return the message with which a run begins."""
    if isinstance(given, str):
        words = given.strip()
    else:
        words = "\n".join(f"{name}: {value}" for name, value in given.items())
    return words or GO[locale if locale in GO else "en"]


def tokens_of(finished: TurnFinished) -> int:
    """Return the number of all tokens of a turn, including those from the cache."""
    return sum(msgspec.structs.astuple(finished.usage))
