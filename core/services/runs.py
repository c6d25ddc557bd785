"""The use cases of runs for people and programs: start, read, cancel, retry."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from core.domain.agent_versions import AgentVersion, version_id
from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Conflict, TooMuch
from core.domain.records import SYSTEM, Agent, UserId, now
from core.domain.run_inputs import checked_values
from core.domain.runs import (
    DRAFT,
    Alert,
    OpenRun,
    Run,
    TriggerKind,
    place_in_queue,
    run_id_of_request,
)
from core.domain.states import ENDED, RunState
from core.runs.transitions import move, settle
from core.services.audit import Audit
from core.store import Store

INPUT_CHARS = 50_000
KEY_CHARS = 200
OPEN_RUNS = 200  # of one user; a program that starts runs in a loop gets an error before it fills the queue
MANY = 10_000


class Runs:
    """Use cases over the Store. `wake` wakes this web's worker; every other web finds new runs by itself."""

    def __init__(
        self, store: Store, *, audit: Audit, wake: Callable[[], None], clock: Callable[[], datetime] = now
    ) -> None:
        self._store, self._audit, self._wake, self._clock = store, audit, wake, clock

    async def start(
        self,
        agent: str,
        *,
        user: UserId,
        input: dict[str, Any] | str = "",
        version: int | str = 0,
        kind: TriggerKind = TriggerKind.PERSON,
        key: str = "",
    ) -> Run:
        """Create a queued run. The same `key` again returns the run that it created first.

        Raises: NotFound. BadInput. Conflict: not_published. TooMuch: too many of this user's runs are open.
        """
        found = await self._store.get(Agent, agent, owner=user)
        if found.draft and version != DRAFT:
            raise Conflict("the agent is a draft: publish it, or run the draft", code="not_published")
        if version == 0:
            version = found.published
        elif isinstance(version, int):
            await self._store.get(AgentVersion, version_id(agent, version), owner=user)
        if len(key) > KEY_CHARS or len(str(input)) > INPUT_CHARS:
            raise BadInput(f"an input has at most {INPUT_CHARS} characters", code="bad_message")
        input = checked_values(found.inputs, input)
        id = run_id_of_request(user, key or secrets.token_hex(16))
        at = self._clock()
        run = Run(
            id=id, agent=agent, version=version, trigger_kind=kind, trigger=user, at=at, created_at=at, input=input
        )
        return await self._enter(run, user=user)

    async def retry(self, run: str, *, user: UserId, key: str = "") -> Run:
        """Start a new run with the same input. Raises: NotFound. Conflict: the run has not ended."""
        old = await self.get(run, user=user)
        if old.state not in ENDED:
            raise Conflict("the run has not ended", code="run_open")
        at, first = self._clock(), old.retry_of or old.id
        id = run_id_of_request(user, key or f"{old.id}~{old.attempt}")  # two clicks are one retry
        again = Run(
            id=id, agent=old.agent, version=old.version, trigger_kind=TriggerKind.PERSON, trigger=user, at=at,
            created_at=at, input=old.input, attempt=old.attempt + 1, retry_of=first,
        )  # fmt: skip
        return await self._enter(again, user=user)

    async def _enter(self, run: Run, *, user: UserId) -> Run:
        if await self._store.count(OpenRun, owner=SYSTEM, where={"user": user}) >= OPEN_RUNS:
            raise TooMuch(f"{OPEN_RUNS} runs are open already", code="runs_full")
        if await enter(self._store, run, user=user):
            await self._audit.record(AuditAction.RUN_STARTED, who=user, about=run.agent, detail=run.id)
        self._wake()
        return await self.get(run.id, user=user)

    async def get(self, run: str, *, user: UserId) -> Run:
        """Return a run. Raises: NotFound."""
        return await self._store.get(Run, run, owner=user)

    async def page(
        self,
        *,
        user: UserId,
        agent: str = "",
        state: RunState | None = None,
        trigger: str = "",
        above: datetime | None = None,
        below: datetime | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[Run]:
        """Return runs, newest first, from the run `after` on. Raises: NotFound: there is no run `after`."""
        last = await self.get(after, user=user) if after else None
        page: dict[str, Any] = {"owner": user, "above": above, "below": below, "after": last, "limit": limit}
        match bool(agent), state is not None, bool(trigger):
            case _, True, True:
                return await self._store.find(Run, where={"trigger": trigger, "state": state}, newest_by="at", **page)
            case _, False, True:
                return await self._store.find(Run, where={"trigger": trigger}, newest_by="at", **page)
            case True, True, False:
                return await self._store.find(Run, where={"agent": agent, "state": state}, newest_by="at", **page)
            case True, False, False:
                return await self._store.find(Run, where={"agent": agent}, newest_by="at", **page)
            case False, True, False:
                return await self._store.find(Run, where={"state": state}, newest_by="at", **page)
        return await self._store.find(Run, newest_by="at", **page)

    async def place(self, run: Run) -> int:
        """Return the place of a queued run in the platform's queue, counted from 1; 0 if it is not in the queue."""
        if run.state is not RunState.QUEUED:
            return 0
        return place_in_queue(run.id, await self._store.find(OpenRun, owner=SYSTEM, limit=MANY))

    async def cancel(self, run: str, *, user: UserId) -> Run:
        """Cancel a run and stop its work (G6). Raises: NotFound. Conflict: it has ended."""
        cancelled = await move(self._store, run, RunState.CANCELLED, owner=user, now=self._clock(), reason="by_person")
        if cancelled is None:
            raise Conflict("the run has ended", code="run_ended")
        if not cancelled.session:
            await settle(self._store, cancelled, owner=user, now=self._clock())
        await self._audit.record(AuditAction.RUN_CANCELLED, who=user, about=cancelled.agent, detail=run)
        self._wake()  # the worker stops the session's turn, then settles
        return cancelled

    async def alerts(self, *, user: UserId) -> list[Alert]:
        """Return the inbox entries that are not requests, newest first."""
        return await self._store.find(Alert, owner=user, newest_by="at", limit=200)

    async def dismiss(self, alert: str, *, user: UserId) -> None:
        """Delete an alert. Idempotent."""
        await self._store.delete(Alert, alert, owner=user)


async def enter(store: Store, run: Run, *, user: UserId) -> bool:
    """Write a queued run: first its OpenRun row, then its own row. Returns False if the run's row exists already."""
    note = OpenRun(
        id=run.id,
        user=user,
        agent=run.agent,
        trigger=run.trigger if run.due_at else "",
        created_at=run.created_at,
        not_before=run.not_before or run.at,
    )
    try:
        await store.create(note, owner=SYSTEM)
    except Conflict:
        pass  # another process writes the same run, or was killed while doing so
    return await write_row(store, run, user=user)


async def write_row(store: Store, run: Run, *, user: UserId) -> bool:
    """Write the run's row. Returns False if it exists already."""
    try:
        await store.create(run, owner=user)
    except Conflict:
        return False
    return True
