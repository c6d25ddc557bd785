"""What a session can be, and which state may follow which.

    asleep ──▶ starting ──▶ idle ◀──▶ busy ◀──▶ asking
       ▲          │          │         │          │
       └──────────┴──────────┴─────────┴──────────┘      (the CLI ended)      any ──▶ failed ──▶ starting

`asleep` has no process; `starting` waits for one; `idle` has one and no turn; `busy` has an open turn;
`asking` has an open turn that waits for a person, which is not idleness; `failed` could not start.
"""

from enum import StrEnum

from core.domain.errors import Conflict


class SessionState(StrEnum):
    """Shown to users by the words of UX.md."""

    ASLEEP = "asleep"
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ASKING = "asking"
    FAILED = "failed"


class RunState(StrEnum):
    """States of a run (a session that a trigger started)."""

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


def step(now: SessionState, then: SessionState) -> SessionState:
    """`then`, if it may follow `now`.

    Raises: Conflict: the table does not allow it.
    """
    if then is not now and then not in NEXT[now]:
        raise Conflict(f"a session cannot go from {now} to {then}")
    return then
