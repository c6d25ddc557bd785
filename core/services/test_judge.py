"""A model judges what only a reader can judge: it gets the rubric and the answer, and no tools."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from core.domain.agent_tests import Case, CheckKind, CheckResult
from core.domain.errors import Conflict, NotFound, PlatformError
from core.domain.events import Text, ToolCalled, TurnFinished
from core.domain.records import SYSTEM, Session, User, UserId, derived_agent_id, derived_session_id, now
from core.fleet.copies_client import CopiesClient
from core.fleet.runner_pool import RunnerPool
from core.protocol.gateway_api import JUDGE
from core.services.run_worker import SessionMessenger
from core.services.test_verdicts import Facts
from core.store import Store

log = logging.getLogger("oma.tests")

PATIENCE_S: Final = 180.0
LOOK_S: Final = 0.5
ANSWER_CHARS: Final = 20_000
WORDS_CHARS: Final = 500
EVENTS: Final = 50

_QUESTION = """Rubric: {rubric}

What a good answer has: {expect}
What must not happen: {never}

What the agent was told:
{input}

The tools that it used: {tools}

Its answer:
{answer}"""


class Judge:
    """Opens a session of its own for each rubric, and removes it afterwards."""

    def __init__(
        self, store: Store, *, runners: RunnerPool, messenger: SessionMessenger, clock: Callable[[], datetime] = now
    ) -> None:
        self._store, self._runners, self._messenger, self._clock = store, runners, messenger, clock

    async def judge(self, case: Case, facts: Facts, *, user: UserId) -> list[CheckResult]:
        """The results of the case's checks that a model decides. Raises: PlatformError: it cannot be asked now."""
        results = []
        for number, check in enumerate(case.checks):
            if check.kind is CheckKind.JUDGED:
                said = await self._asked(f"{facts.run.id} {number}", check.text, case, facts, user)
                passed = said.lstrip("* ").upper().startswith("PASS")
                words = said.partition("\n")[2].strip() or said
                results.append(
                    CheckResult(kind=check.kind, passed=passed, text=check.text, evidence=words[:WORDS_CHARS])
                )
        return results

    async def _asked(self, name: str, rubric: str, case: Case, facts: Facts, user: UserId) -> str:
        """Return the model's words; empty if it says nothing in time."""
        session = derived_session_id(user, facts.run.agent, f"judge {name}")
        folder = derived_agent_id(user, f"judge {name}")
        await self._open(session, folder, facts, user)
        question = _QUESTION.format(
            rubric=rubric,
            expect=case.expect or "-",
            never=case.never or "-",
            input=case.input,
            tools=", ".join(event.name for event in facts.events if isinstance(event, ToolCalled)) or "none",
            answer=facts.answer[-ANSWER_CHARS:],
        )
        await self._messenger.say(session, user=user, text=question, message_id=f"judge-{session}", via="run")
        try:
            return await self._answer(session, user)
        finally:
            await self._remove(session, folder, facts.run.agent, user)

    async def _open(self, session: str, folder: str, facts: Facts, user: UserId) -> None:
        try:
            locale = (await self._store.get(User, user, owner=SYSTEM)).locale or "ko"
        except NotFound:
            locale = "ko"
        at = self._clock()
        row = Session(
            id=session, agent=facts.run.agent, kind=JUDGE, locale=locale, folder=folder, created_at=at, updated_at=at
        )
        with contextlib.suppress(Conflict):
            await self._store.create(row, owner=user)

    async def _answer(self, session: str, user: UserId) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    events = await self._store.events(session, owner=user, limit=EVENTS)
                    if any(isinstance(event, TurnFinished) for event in events):
                        return "\n".join(event.text for event in events if isinstance(event, Text)).strip()
                    await asyncio.sleep(LOOK_S)
        return ""

    async def _remove(self, session: str, folder: str, agent: str, user: UserId) -> None:
        """Remove the judge's session and folder: its words are kept in the verdict."""
        try:
            runner = await self._runners.get_or_start(user)
            await runner.delete(session)
            await CopiesClient(runner, agent).remove(folder)
            await self._store.delete(Session, session, owner=user)
            await self._store.delete_events(session, owner=user)
        except PlatformError as error:
            log.warning("the session of a judge stays: %s", error)
