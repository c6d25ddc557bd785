"""Tests of agents: a person or the builder starts a test run, and a loop of any web process works it off.

Each case is a run (core.domain.runs) in a copy of the agent's folder. Every step may be done twice and then changes
nothing, so a web that is killed on the way leaves the rest to the next one.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec.structs import replace

from core.agents.test_runs import enter_test_run
from core.domain.agent_tests import AgentTestRun, Case, CaseResult, OpenTestRun
from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Conflict, NoSpace, NotFound, PlatformError
from core.domain.events import AnyEvent
from core.domain.records import SYSTEM, Agent, Connection, UserId, derived_agent_id, derived_session_id, now
from core.domain.runs import DRAFT, Run, TriggerKind
from core.domain.states import ENDED, RunState
from core.domain.summaries import cut
from core.fleet.copies_client import CopiesClient
from core.fleet.files_client import FilesClient
from core.fleet.runner_client import RunnerClient
from core.fleet.runner_pool import RunnerPool
from core.lib.tasks import Tasks
from core.runs.transitions import move
from core.services.audit import Audit
from core.services.runs import enter
from core.services.test_files import changed_files, read_cases, texts_of, write_cases
from core.services.test_judge import Judge
from core.services.test_verdicts import Facts, verdicts
from core.store import Store

log = logging.getLogger("oma.tests")

MANY = 100  # test runs that are open at once
LEASE_S = 300.0  # of the web that works on one; a model may judge for minutes
LONGEST = timedelta(minutes=15)  # of one case
SETTLE = timedelta(seconds=1.5)  # after the end of a run: its last connections are being written
ORPHAN = timedelta(minutes=10)  # a note without its test run
SHOWN = 20
HAPPENED_CHARS = 400
EVENTS, EVENT_PAGES = 1000, 5


class AgentTests:
    """The use cases of tests; the user is checked by being the owner in every call."""

    def __init__(
        self, store: Store, *, audit: Audit, wake: Callable[[], None], clock: Callable[[], datetime] = now
    ) -> None:
        self._store, self._audit, self._wake, self._clock = store, audit, wake, clock

    async def start(self, agent: str, *, user: UserId, only: str = "", key: str = "") -> AgentTestRun:
        """Run the cases in the agent's folder, or the one named `only`; the same `key` again returns the same run.

        Raises: NotFound: the agent.
        """
        await self._store.get(Agent, agent, owner=user)
        id = derived_session_id(user, agent, f"test {key or secrets.token_hex(16)}")
        begun = AgentTestRun(id=id, agent=agent, only=only[:60], created_at=self._clock())
        run = await enter_test_run(self._store, begun, owner=user)
        await self._audit.record(AuditAction.RUN_STARTED, who=user, about=agent, detail=f"test {id}")
        self._wake()
        return run

    async def get(self, test_run: str, *, user: UserId) -> AgentTestRun:
        """Raises: NotFound."""
        return await self._store.get(AgentTestRun, test_run, owner=user)

    async def newest(self, agent: str, *, user: UserId, limit: int = SHOWN) -> list[AgentTestRun]:
        """The test runs of an agent, newest first."""
        where = {"agent": agent}
        return await self._store.find(AgentTestRun, owner=user, where=where, newest_by="created_at", limit=limit)


class AgentTestWorker:
    """Works off the open test runs. `poll_once` is called again and again."""

    def __init__(
        self,
        store: Store,
        *,
        runners: RunnerPool,
        judge: Judge,
        wake: Callable[[], None],
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store, self._runners, self._judge, self._wake, self._clock = store, runners, judge, wake, clock
        self._me = secrets.token_hex(8)
        self._tasks = Tasks()
        self._busy: set[str] = set()

    async def poll_once(self) -> bool:
        """Look at every open test run once. Returns True if there are any."""
        notes = await self._store.find(OpenTestRun, owner=SYSTEM, oldest_by="created_at", limit=MANY)
        for note in notes:
            if note.id not in self._busy:
                self._busy.add(note.id)
                self._tasks.spawn(self._look(note), f"test run {note.id}")
        return bool(notes)

    async def close(self) -> None:
        """Leave the rest to the next web."""
        await self._tasks.cancel()

    async def at_rest(self) -> None:
        """Wait until every task of the last round has ended."""
        while running := list(self._tasks):
            await asyncio.wait(running)

    async def _look(self, note: OpenTestRun) -> None:
        claim = f"tests/{note.id}"
        try:
            if await self._store.claim(claim, holder=self._me, lease_s=LEASE_S):
                try:
                    await self._step(note)
                finally:
                    await self._store.release(claim, holder=self._me)
        except PlatformError as error:
            log.warning("test run %s: %s", note.id, error)  # the next round looks again
        finally:
            self._busy.discard(note.id)

    async def _step(self, note: OpenTestRun) -> None:
        try:
            run = await self._store.get(AgentTestRun, note.id, owner=note.user)
        except NotFound:
            if self._clock() - note.created_at > ORPHAN:
                await self._store.delete(OpenTestRun, note.id, owner=SYSTEM)
            return
        if run.finished_at is None:
            run = await self._prepare(run, note.user)
        if run.finished_at is None:
            run = await self._go_on(run, note.user)
        if run.finished_at is not None:
            await self._store.delete(OpenTestRun, note.id, owner=SYSTEM)

    async def _prepare(self, run: AgentTestRun, user: UserId) -> AgentTestRun:
        """Complete the cases: given ones are written into the folder, otherwise the folder's are read."""
        if run.prepared:
            return run
        files = FilesClient(await self._runners.get_or_start(user), run.agent)
        try:
            if run.cases:
                await write_cases(self._store, files, run, user)
            cases = run.cases or await read_cases(files)
        except BadInput as error:
            return await self._end(run, user, problem="bad_case", detail=str(error))
        cases = tuple(case for case in cases if run.only in ("", case.name))
        if not cases:
            return await self._end(run, user, problem="no_cases", detail="there are no test cases")
        return await self._store.change(AgentTestRun, run.id, owner=user, prepared=True, cases=cases)

    async def _go_on(self, run: AgentTestRun, user: UserId) -> AgentTestRun:
        """Begin the runs of all cases, and judge those that have ended."""
        done = {result.case.name for result in run.results}
        for case in run.cases:
            if case.name in done:
                continue
            try:
                result = await self._case(run, case, user)
            except NoSpace as error:
                return await self._end(run, user, problem="no_copy", detail=str(error))
            if result:
                run = await self._store.change(AgentTestRun, run.id, owner=user, results=(*run.results, result))
        return await self._end(run, user) if len(run.results) == len(run.cases) else run

    async def _case(self, run: AgentTestRun, case: Case, user: UserId) -> CaseResult | None:
        """The result of a case; None while its run goes on."""
        id = derived_session_id(user, run.id, case.name)
        copy = derived_agent_id(user, f"copy {run.id} {case.name}")
        try:
            row = await self._store.get(Run, id, owner=user)
        except NotFound:
            await CopiesClient(await self._runners.get_or_start(user), run.agent).make(copy)
            at = self._clock()
            row = Run(id=id, agent=run.agent, version=DRAFT, trigger_kind=TriggerKind.TEST, trigger=run.id, at=at,
                      created_at=at, input=case.input, folder=copy)  # fmt: skip
            await enter(self._store, row, user=user)
            self._wake()
            return None
        if row.state not in ENDED:
            if row.started_at and self._clock() - row.started_at > LONGEST:
                await move(self._store, id, RunState.FAILED, owner=user, now=self._clock(), reason="over_time")
            return None
        if row.finished_at and self._clock() - row.finished_at < SETTLE:
            return None
        runner = await self._runners.get_or_start(user)
        result = await self._result(case, row, runner, user)
        await CopiesClient(runner, run.agent).remove(copy)
        return result

    async def _result(self, case: Case, row: Run, runner: RunnerClient, user: UserId) -> CaseResult:
        facts = await self._facts(case, row, runner, user)
        checks = [*verdicts(case, facts), *await self._judge.judge(case, facts, user=user)]
        worked_s = (row.finished_at - row.started_at).total_seconds() if row.finished_at and row.started_at else 0.0
        return CaseResult(
            case=case,
            state="passed" if all(check.passed for check in checks) else "failed",
            happened=cut(facts.answer.strip(), HAPPENED_CHARS),
            checks=tuple(checks),
            files=await changed_files(runner, row),
            run=row.id,
            cost_usd=row.cost_usd,
            seconds=worked_s,
        )

    async def _facts(self, case: Case, row: Run, runner: RunnerClient, user: UserId) -> Facts:
        events: list[AnyEvent] = []
        while page := await self._store.events(
            row.session, owner=user, after=int(events[-1].seq or 0) if events else 0, limit=EVENTS
        ):
            events += page
            if len(events) >= EVENTS * EVENT_PAGES:
                break
        connections = await self._store.find(Connection, owner=user, where={"session": row.session}, limit=EVENTS)
        files = await texts_of(case, FilesClient(runner, row.folder))
        return Facts(run=row, events=events, connections=connections, files=files)

    async def _end(self, run: AgentTestRun, user: UserId, *, problem: str = "", detail: str = "") -> AgentTestRun:
        with contextlib.suppress(Conflict):
            return await self._store.change(
                AgentTestRun, run.id, owner=user, finished_at=self._clock(), problem=problem, detail=detail[:500]
            )
        return replace(run, finished_at=self._clock())
