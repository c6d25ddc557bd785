"""Works through the open runs: admits queued runs in fair order, starts their sessions, and makes sure that each ends.

Every web process does this for all users, and no process owns a run. Admission is a compare-and-set. The session may
be started twice, because the ids of session and message follow from the run's id. A run's end comes from its session's
log (core.runs.projection). This module handles only what a log cannot show: nothing was started, nobody answered, the
run takes too long, or its box is gone and has to be started to report the end.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from core.domain.errors import Conflict, NotFound, PlatformError
from core.domain.records import SYSTEM, Agent, Request, Session, User, UserId, now
from core.domain.runs import OpenRun, Run, admitted, session_of_run, words_of
from core.domain.states import ENDED, OPEN_TURN, RunState, SessionState
from core.lib.tasks import Tasks
from core.runs.limits import limits_in_force
from core.runs.projection import follow_run
from core.runs.transitions import move, settle
from core.store import Store

log = logging.getLogger("oma.runs")

MANY = 5000  # open runs read in one round
ADMISSION, ADMISSION_S = "runs/admission", 10.0
START = timedelta(seconds=120)  # a run fails if its session cannot be started for this long
QUIET = timedelta(seconds=15)  # without news of a run whose box this web has no connection to; then it starts the box
GIVEN_UP = timedelta(seconds=45)  # without news of a session whose recovery has failed
ORPHAN = timedelta(seconds=60)  # longer than any process needs to write a run's row
LONGEST = timedelta(hours=6)  # of work, without the time of waiting for answers
AT_REST = (SessionState.ASLEEP, SessionState.FAILED, SessionState.IDLE)


class SessionMessenger(Protocol):
    """Sends messages to sessions and interrupts them; implemented by core.services.conversations.Conversations."""

    async def say(self, session: str, *, user: UserId, text: str, message_id: str, via: str = "web") -> int: ...

    async def interrupt(self, session: str, *, user: UserId) -> None: ...


class RunWorker:
    """The worker of a web process. `is_held` tells whether this web is connected to a user's runner."""

    def __init__(
        self,
        store: Store,
        *,
        messenger: SessionMessenger,
        is_held: Callable[[UserId], bool],
        per_user: int,
        platform: int,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store, self._messenger, self._is_held, self._clock = store, messenger, is_held, clock
        self._per_user, self._platform = per_user, platform
        self._me = secrets.token_hex(8)
        self._tasks = Tasks()
        self._busy: set[str] = set()  # runs that a task of ours is looking at

    async def poll_once(self) -> bool:
        """Handle all open runs once. Returns True if there are any."""
        open_runs = await self._store.find(OpenRun, owner=SYSTEM, oldest_by="created_at", limit=MANY)
        if self._next(open_runs):
            open_runs = await self._admit() or open_runs
        for open_run in open_runs:
            if open_run.phase is not RunState.QUEUED and open_run.id not in self._busy:
                self._busy.add(open_run.id)
                self._tasks.spawn(self._look(open_run), f"run {open_run.id}")
        return bool(open_runs)

    async def close(self) -> None:
        """End this worker's tasks; the runs are left to the next web."""
        await self._tasks.cancel()

    async def at_rest(self) -> None:
        """Wait until every task of the last round has ended."""
        while running := list(self._tasks):
            await asyncio.wait(running)

    def _next(self, open_runs: list[OpenRun]) -> list[OpenRun]:
        return admitted(open_runs, now=self._clock(), per_user=self._per_user, platform=self._platform)

    async def _admit(self) -> list[OpenRun] | None:
        """Admit the queued runs for which there is room. A lease makes sure that one web at a time does so."""
        if not await self._store.claim(ADMISSION, holder=self._me, lease_s=ADMISSION_S):
            return None
        try:
            open_runs = await self._store.find(OpenRun, owner=SYSTEM, oldest_by="created_at", limit=MANY)
            for open_run in self._next(open_runs):
                with contextlib.suppress(NotFound, Conflict):  # it was cancelled at this moment
                    await self._store.change(
                        OpenRun, open_run.id, owner=SYSTEM, expect={"phase": RunState.QUEUED}, phase=RunState.RUNNING
                    )
            return await self._store.find(OpenRun, owner=SYSTEM, oldest_by="created_at", limit=MANY)
        finally:
            await self._store.release(ADMISSION, holder=self._me)

    # --- one run -----------------------------------------------------------------------------------------------------

    async def _look(self, open_run: OpenRun) -> None:
        try:
            await self._step(open_run)
        except PlatformError as error:
            log.warning("run %s: %s", open_run.id, error)  # the next round looks again
        finally:
            self._busy.discard(open_run.id)

    async def _step(self, open_run: OpenRun) -> None:
        moment, user = self._clock(), open_run.user
        try:
            run = await self._store.get(Run, open_run.id, owner=user)
        except NotFound:
            if moment - open_run.created_at > ORPHAN:
                await self._store.delete(OpenRun, open_run.id, owner=SYSTEM)
            return
        if run.state in (RunState.RUNNING, RunState.WAITING) and run.state is not open_run.phase:
            with contextlib.suppress(NotFound):
                await self._store.change(OpenRun, open_run.id, owner=SYSTEM, phase=run.state)
        match run.state:
            case RunState.QUEUED:
                begun = await move(
                    self._store, run.id, RunState.RUNNING, owner=user, now=moment, session=session_of_run(run.id)
                )
                if begun:
                    await self._start(begun, user, moment)
            case RunState.RUNNING:
                await self._watch(run, user, moment)
            case RunState.WAITING:
                await self._await_answer(run, user, moment)
            case _:
                await self._close(run, user, moment)

    async def _start(self, run: Run, user: UserId, moment: datetime) -> None:
        """Send the run's message in its session. A second call changes nothing."""
        try:
            locale = (await self._store.get(User, user, owner=SYSTEM)).locale or "ko"
        except NotFound:
            locale = "ko"
        session = Session(
            id=run.session,
            agent=run.agent,
            kind="run",
            run=run.id,
            locale=locale,
            created_at=moment,
            updated_at=moment,
            folder=run.folder,
        )
        with contextlib.suppress(Conflict):
            await self._store.create(session, owner=user)
        try:
            await self._messenger.say(
                run.session, user=user, text=words_of(run.input, locale=locale), message_id=f"run-{run.id}", via="run"
            )
        except PlatformError as error:
            if run.started_at and moment - run.started_at > START:
                await self._fail(run, user, moment, "not_started", detail=f"{error.code}: {error}"[:300])
            else:
                raise

    async def _watch(self, run: Run, user: UserId, moment: datetime) -> None:
        """Check a running run: has it ended without its row showing it, has it started, does it take too long?"""
        try:
            session = await self._store.get(Session, run.session, owner=user)
        except NotFound:
            await self._start(run, user, moment)
            return
        await self._catch_up(run, session, user)
        if (await self._store.get(Run, run.id, owner=user)).state in ENDED:
            return
        if run.started_at and moment - run.started_at - timedelta(seconds=run.waited_s) > await self._longest(
            run, user
        ):
            await self._fail(run, user, moment, "over_time")
            return
        quiet = moment - max(session.updated_at, run.started_at or moment)
        if session.state is SessionState.FAILED and session.last_seq and quiet > GIVEN_UP:
            await self._fail(run, user, moment, "runner_lost")
        elif (not session.last_seq or session.state in AT_REST or not self._is_held(user)) and quiet > QUIET:
            await self._start(run, user, moment)  # a started runner ends the turns that the runner before it left open

    async def _longest(self, run: Run, user: UserId) -> timedelta:
        """Return how long this run may work."""
        limits = await limits_in_force(self._store, run.agent, user=user)
        return min(LONGEST, timedelta(seconds=limits.duration_s)) if limits.duration_s else LONGEST

    async def _catch_up(self, run: Run, session: Session, user: UserId) -> None:
        """Project stored events that the row does not reflect yet."""
        if session.last_seq > run.seq and session.state in AT_REST:
            events = await self._store.events(session.id, owner=user, after=run.seq)
            while events:
                await follow_run(self._store, session, events, owner=user)
                events = await self._store.events(session.id, owner=user, after=int(events[-1].seq or 0))

    async def _await_answer(self, run: Run, user: UserId, moment: datetime) -> None:
        try:
            agent = await self._store.get(Agent, run.agent, owner=user)
        except NotFound:
            await self._fail(run, user, moment, "nobody_answered")
            return
        if run.asked_at and moment - run.asked_at > timedelta(seconds=agent.unattended.ask_deadline_s):
            await self._fail(run, user, moment, "nobody_answered")

    async def _fail(self, run: Run, user: UserId, moment: datetime, reason: str, *, detail: str = "") -> None:
        failed = await move(self._store, run.id, RunState.FAILED, owner=user, now=moment, reason=reason, detail=detail)
        if failed:
            await self._close(failed, user, moment)

    async def _close(self, run: Run, user: UserId, moment: datetime) -> None:
        """Stop the work of a run that this worker ended, withdraw its requests, and settle it."""
        with contextlib.suppress(NotFound):
            session = await self._store.get(Session, run.session, owner=user) if run.session else None
            if session and (session.state in OPEN_TURN or session.state is SessionState.STARTING):
                await self._messenger.interrupt(session.id, user=user)
            if session:
                await self._store.delete_where(Request, owner=user, where={"session": session.id})
        await settle(self._store, run, owner=user, now=moment)
