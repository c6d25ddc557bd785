"""The states of a session and of a run, and which state may follow which.

A session:

    asleep ──▶ starting ──▶ idle ◀──▶ busy ◀──▶ asking
       ▲          │          │         │          │
       └──────────┴──────────┴─────────┴──────────┘      (the CLI ended)      any ──▶ failed ──▶ starting

`asleep` has no process; `starting` waits for one; `idle` has one and nothing to do; `busy` has an open turn, or
commands and sub-agents that work in the background; `asking` waits for a person's decision about either, which is not
idleness; `failed` could not start.

A run:

    queued ──▶ running ◀──▶ waiting ──▶ succeeded | failed | cancelled      a slot may also begin as missed or skipped

A run in one of the last five states (ENDED) has ended, and nothing changes its state any more.
"""

from enum import StrEnum

from core.domain.errors import Conflict


class SessionState(StrEnum):
    """States of a session; the diagram above shows the allowed changes. Pages show each by a text of the catalogue."""

    ASLEEP = "asleep"
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ASKING = "asking"
    FAILED = "failed"


class RunState(StrEnum):
    """States of a run (a session that a person, a schedule or the API started to work by itself)."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSED = "missed"
    SKIPPED = "skipped"


S = SessionState
NEXT: dict[SessionState, frozenset[SessionState]] = {
    S.ASLEEP: frozenset({S.STARTING, S.FAILED}),
    S.STARTING: frozenset({S.IDLE, S.BUSY, S.ASLEEP, S.FAILED}),
    S.IDLE: frozenset({S.BUSY, S.ASLEEP, S.FAILED}),
    S.BUSY: frozenset({S.IDLE, S.ASKING, S.ASLEEP, S.FAILED}),
    S.ASKING: frozenset({S.BUSY, S.IDLE, S.ASLEEP, S.FAILED}),
    S.FAILED: frozenset({S.STARTING, S.ASLEEP}),
}
OPEN_TURN = frozenset({S.BUSY, S.ASKING})


R = RunState
ENDED = frozenset({R.SUCCEEDED, R.FAILED, R.CANCELLED, R.MISSED, R.SKIPPED})
AT_WORK = frozenset({R.RUNNING, R.WAITING})
BORN = frozenset({R.QUEUED, R.MISSED, R.SKIPPED})
RUN_NEXT: dict[RunState, frozenset[RunState]] = {
    R.QUEUED: frozenset({R.RUNNING, R.FAILED, R.CANCELLED, R.SKIPPED}),
    R.RUNNING: frozenset({R.WAITING, R.SUCCEEDED, R.FAILED, R.CANCELLED}),
    R.WAITING: frozenset({R.RUNNING, R.SUCCEEDED, R.FAILED, R.CANCELLED}),
} | {end: frozenset() for end in ENDED}


def may_become(now: RunState, then: RunState) -> bool:
    """True if a run may go from state `now` to state `then`."""
    return then in RUN_NEXT[now]


def step(now: SessionState, then: SessionState) -> SessionState:
    """Return `then` if it may follow `now`.

    Raises: Conflict: the table does not allow it.
    """
    if then is not now and then not in NEXT[now]:
        raise Conflict(f"a session cannot go from {now} to {then}")
    return then
