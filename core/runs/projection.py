"""Projects the log of a session onto its run's row. The gateway calls it for stored events, the web to catch up.

The row's `seq` is the last event that it reflects, so the same events again change nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from core.domain.errors import Conflict, NotFound
from core.domain.events import Answered, AnyEvent, Asked, Text, TurnFinished, seq_of
from core.domain.records import Session, UserId, now
from core.domain.runs import FILES, RESULT_CHARS, Run, ending, is_output, tokens_of, written_file
from core.domain.states import AT_WORK, ENDED, RunState
from core.domain.summaries import gist
from core.runs.transitions import TRIES, changes_of_move, settle
from core.store import Store


async def follow_run(store: Store, session: Session, events: Sequence[AnyEvent], *, owner: UserId) -> None:
    """Update the row of the session's run from these events. Raises: Conflict: too many processes change it."""
    if not session.run:
        return
    for _ in range(TRIES):
        try:
            run = await store.get(Run, session.run, owner=owner)
        except NotFound:
            return  # its agent was deleted
        changes = followed(run, events)
        if not changes:
            return
        try:
            expect = {"state": run.state, "seq": run.seq}
            changed = await store.change(Run, run.id, owner=owner, expect=expect, **changes)
        except Conflict:
            continue
        if changed.state in ENDED:
            await settle(store, changed, owner=owner, now=now())
        return
    raise Conflict(f"too many processes change run {session.run} at once")


def followed(run: Run, events: Sequence[AnyEvent]) -> dict[str, Any]:
    """Return the fields of a run that these events change; empty if none."""
    then = run
    for event in events:
        if seq_of(event) <= then.seq or then.state not in AT_WORK:
            continue
        if changes := _after(then, event):
            then = msgspec.structs.replace(then, seq=seq_of(event), **changes)
    return {name: value for name, value in _fields(then).items() if value != getattr(run, name)}


def _after(run: Run, event: AnyEvent) -> dict[str, Any]:
    at = now() if event.at is UNSET else event.at
    changes: dict[str, Any] = {}
    if is_output(event) and not run.has_output:
        changes["has_output"] = True
    if (file := written_file(event)) and file not in run.files and len(run.files) < FILES:
        changes["files"] = (*run.files, file)
    match event:
        case Text() if line := gist(event.text, RESULT_CHARS):
            changes["result"] = line
        case Asked():
            changes["open_requests"] = (*run.open_requests, event.request_id)
            if run.state is RunState.RUNNING:
                changes |= changes_of_move(run, RunState.WAITING, now=at)
        case Answered() if event.request_id in run.open_requests:
            left = tuple(one for one in run.open_requests if one != event.request_id)
            changes["open_requests"] = left
            if not left and run.state is RunState.WAITING:
                changes |= changes_of_move(run, RunState.RUNNING, now=at)
        case TurnFinished():
            changes |= _at_end(run, event, at=at)
    return changes


def _at_end(run: Run, end: TurnFinished, *, at: datetime) -> dict[str, Any]:
    """Return the changes that a turn's end makes. It ends the run, unless a request is open: its answer continues the
    work.
    """
    spent = {
        "cost_usd": run.cost_usd + end.cost_usd,
        "tokens": run.tokens + tokens_of(end),
        "unpriced_calls": run.unpriced_calls + end.unpriced_calls,
    }
    if run.open_requests:
        return spent
    state, reason, detail = ending(end, has_output=run.has_output)
    return spent | {"detail": detail} | changes_of_move(run, state, now=at, reason=reason)


def _fields(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__struct_fields__}
