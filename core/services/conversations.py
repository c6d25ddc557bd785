"""The web's side of a conversation with an agent: send messages, stop, answer requests, and follow the events.

History comes from the Store, the present from the user's runner. A follower sees each numbered event exactly once,
also when runner, Store or connection fail and return in between.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast, get_args

import aiohttp
import msgspec

from core.agents.changes import change_agent
from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Conflict, NotFound, PlatformError, RunnerUnavailable, StoreUnavailable
from core.domain.events import AnyEvent, Asked, Attachment, Decision, Live, StateChanged, UserSaid, decode_many, seq_of
from core.domain.permission_rules import parse_rules
from core.domain.records import Agent, Request, Session, UserId
from core.domain.runs import Run
from core.domain.states import ENDED, SessionState
from core.fleet.runner_client import RunnerClient, opening
from core.fleet.runner_pool import RunnerPool
from core.fleet.starts import News, WaitingState, progress_event
from core.lib.pubsub import Hub, Subscription
from core.observability import metrics
from core.observability.event_metrics import FirstTokenTimer
from core.observability.tracing import message_trace, span
from core.protocol.runner_api import (
    MESSAGE_CHARS,
    MESSAGE_ID_CHARS,
    Answer,
    ChangeQueue,
    CliInfo,
    Replies,
    SendMessage,
    SessionChange,
)
from core.services.audit import Audit
from core.store import Store
from core.tools.registry import BUILDER

log = logging.getLogger("oma.conversations")

HISTORY = 120  # events that a page starts with, so that a long session opens as fast as a short one
KNOWN_SESSIONS = 10_000  # cached records, so that a message costs no read of the Store
BROKEN = (PlatformError, aiohttp.ClientError, OSError, msgspec.DecodeError)  # a connection or what came over it
LOOK_S = (2.0, 4.0, 8.0, 15.0)  # between checks whether another web process has started the runner
BACKOFF_S = (0.05, 0.2, 0.5, 1.0, 2.0)

T = TypeVar("T")
AllowedCallback = Callable[[Asked, Session, UserId], Awaitable[None]]


class Conversations:
    """The use cases of conversations. It holds no state of a session besides caches."""

    def __init__(self, *, store: Store, runners: RunnerPool, audit: Audit) -> None:
        self._store, self._runners, self._audit = store, runners, audit
        self.on_allowed: AllowedCallback | None = None  # carries out what a yes to a platform tool sets off
        self._sessions: dict[tuple[UserId, str], Session] = {}
        self._opened: dict[str, str] = {}  # session → id of the box in which it is open
        self._openings: Hub[None] = Hub()
        self._first_words = FirstTokenTimer()

    async def say(self, session: str, *, user: UserId, text: str, message_id: str, steer: bool = False,
                  via: str = "web", attachments: tuple[Attachment, ...] = ()) -> int:  # fmt: skip
        """Send a message and return its event number. From then on it is in the log (G1). Idempotent by `message_id`.

        Raises: NotFound. BadInput: empty or too long. RunnerUnavailable: not sent; try again with the same id.
        """
        fits = len(text) <= MESSAGE_CHARS and 0 < len(message_id) <= MESSAGE_ID_CHARS
        if not (fits and (text.strip() or attachments)):
            raise BadInput(f"A message has 1 to {MESSAGE_CHARS} characters and an id.", code="bad_message")
        message = SendMessage(message_id=message_id, text=text, via=via, steer=steer, attachments=attachments)
        return await self._send(session, message, user=user)

    async def retry(self, session: str, said: UserSaid, *, user: UserId, after: int) -> int:
        """Send `said` again after its turn failed. `after` is the event number of that turn's end: two retries of the
        same turn are one message. Raises: as `say`.
        """
        first = said.retry_of or said.message_id
        message_id = f"{first[:100]}~{after}"
        message = SendMessage(message_id=message_id, retry_of=first, text=said.text, attachments=said.attachments)
        return await self._send(session, message, user=user)

    async def _send(self, session: str, message: SendMessage, *, user: UserId) -> int:
        with metrics.outcome(metrics.sends), span("message", at=message_trace(session, message.message_id)) as one:
            one.attributes["oma.session"] = session
            self._first_words.sent(message.message_id)
            return await self._call(session, lambda runner: runner.say(session, message), user=user)

    async def change_queue(self, session: str, change: ChangeQueue, *, user: UserId) -> None:
        """Change a message that waits for its turn. Raises: NotFound, BadInput. Conflict: it waits no more, or was
        edited by somebody else. RunnerUnavailable: nothing has changed.
        """
        await self._call(session, lambda runner: runner.change_queue(session, change), user=user)

    async def cli_info(self, session: str, *, user: UserId) -> CliInfo:
        """Return what the session's CLI can do, as far as it is there. Raises: NotFound, RunnerUnavailable."""
        return await self._call(session, lambda runner: runner.cli_info(session), user=user)

    async def interrupt(self, session: str, *, user: UserId) -> None:
        """Stop the open turn and everything that it started (G6). No error if nothing runs. Raises: NotFound,
        RunnerUnavailable.
        """
        await self._call(session, lambda runner: runner.interrupt(session), user=user)

    async def answer(
        self,
        session: str,
        request_id: str,
        *,
        user: UserId,
        decision: str,
        message: str = "",
        rule: str = "",
        replies: Replies | None = None,
    ) -> None:
        """Answer a request, once (G5). `allow_always` also adds `rule` to the agent's record if this answer counted.

        Raises: NotFound. BadInput: the decision or rule is invalid. Conflict: the request has another answer already.
        """
        if decision not in get_args(Decision):
            raise BadInput(f"unknown decision {decision!r}")
        rules = parse_rules(rule) if decision == "allow_always" else ()
        known = await self._known(session, user=user)
        await self._check_run(known, user=user)
        asked = await self._asked(request_id, user=user, patient=known.kind == BUILDER and decision == "allow")
        target = _target(asked) if asked else ""
        if asked and decision == "allow" and self.on_allowed:
            await self.on_allowed(asked, known, user)
        answer = Answer.of(cast(Decision, decision), by=user, message=message, rule=rule, replies=replies or {})
        await self._call(session, lambda runner: runner.answer(session, request_id, answer), user=user)
        done = f"{decision} {request_id}"
        await self._audit.record(AuditAction.REQUEST_ANSWERED, who=user, about=known.agent, detail=done, target=target)
        await self._add_rules(session, rules, user=user)

    async def _asked(self, request_id: str, *, user: UserId, patient: bool) -> Asked | None:
        """Return the whole of what a request is about; None if the Store does not have it.

        `patient`: wait for the Store, which has a request a moment after the page that shows it. What a platform tool
        sets off follows from this.
        """
        for pause_s in (*(BACKOFF_S[:4] if patient else ()), None):
            try:
                return await self.asked(await self._store.get(Request, request_id, owner=user), user=user)
            except PlatformError as error:
                if pause_s is None:
                    log.warning("the audit log will not tell what request %s was about: %s", request_id, error)
                    return None
            await asyncio.sleep(pause_s)
        return None

    async def asked(self, request: Request, *, user: UserId) -> Asked:
        """Return the whole request of an inbox entry, because nobody should answer what they cannot read in full.

        Raises: NotFound: it no longer exists, or is older than this version.
        """
        events = await self._store.events(request.session, owner=user, after=request.seq - 1, limit=1)
        for event in events if request.seq else ():
            if isinstance(event, Asked) and event.request_id == request.id:
                return event
        raise NotFound(f"request {request.id}")

    async def warm(self, session: str, *, user: UserId) -> None:
        """Start or resume the session's CLI in advance, because the user is about to send a message."""
        await self._call(session, lambda runner: runner.warm(session), user=user)

    async def runner_of(self, session: str, *, user: UserId) -> RunnerClient:
        """Return the user's runner with this session open in it; it is started if need be.

        Raises: NotFound: the session. RunnerUnavailable.
        """

        async def itself(runner: RunnerClient) -> RunnerClient:
            return runner

        return await self._call(session, itself, user=user)

    async def older(self, session: str, *, user: UserId, before: int, limit: int = 200) -> list[AnyEvent]:
        """Return stored events with numbers below `before`, in order. Raises: NotFound."""
        await self._known(session, user=user)
        after = max(0, before - limit - 1)
        return await self._store.events(session, owner=user, after=after, limit=before - after - 1)

    @asynccontextmanager
    async def changes(self, *, user: UserId) -> AsyncIterator[Subscription[SessionChange]]:
        """Subscribe to the news of all the user's sessions while the context is open."""
        with self._runners.changes.listen(user) as listener:
            yield listener

    @asynccontextmanager
    async def follow(
        self, session: str, *, user: UserId, after: int | None = None
    ) -> AsyncIterator[AsyncGenerator[list[AnyEvent], None]]:
        """Yield batches of events: history (the newest events, or all `after` a number), then `live`, then new events.

        After a `live` event a reader drops unfinished text, because it is sent again. A `state` without a number comes
        from the web: the runner is gone or cannot be reached. Raises: NotFound.
        """
        await self._known(session, user=user)
        batches = self._batches(session, user, after)
        try:
            yield batches
        finally:
            await batches.aclose()

    async def _batches(self, session: str, user: UserId, after: int | None) -> AsyncGenerator[list[AnyEvent], None]:
        history = await self._history(session, user, after)
        seen = seq_of(history[-1]) if history else (after or 0)
        yield history
        failures = 0
        with self._runners.arrivals.listen(user) as arrivals, self._openings.listen(session) as openings:
            if not seen and session not in self._opened:
                await openings.__anext__()  # the session is empty; a mere reader must not start a runner
            while True:
                async for waiting in self._awaited(user, arrivals):
                    yield [waiting]
                if not (runner := self._runners.running(user)):
                    continue
                try:
                    await self._open(session, user=user, runner=runner)
                    async with runner.watch(session, after=seen) as socket:
                        async for frame in socket:
                            if frame.type is not aiohttp.WSMsgType.TEXT:
                                continue
                            batch = [event for event in decode_many(frame.data) if not 0 < seq_of(event) <= seen]
                            seen = max([seen, *map(seq_of, batch)])
                            failures = 0
                            self._first_words.on_events(session, batch)
                            yield batch
                except NotFound:
                    return
                except BROKEN as error:
                    log.info("following %s: %s", session, error)
                if self._runners.running(user) is None:
                    yield [Live(last_seq=seen), StateChanged(state=SessionState.ASLEEP)]
                await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                failures += 1

    async def _awaited(self, user: UserId, arrivals: Subscription[News]) -> AsyncGenerator[StateChanged, None]:
        """Yield the progress of the runner's start until the runner is there."""
        news, told, pauses = self._runners.waiting(user), False, itertools.chain(LOOK_S, itertools.repeat(LOOK_S[-1]))
        while not self._runners.running(user):
            if news or told:
                told = True
                yield progress_event(news)
            try:
                async with asyncio.timeout(next(pauses)):
                    heard = await arrivals.__anext__()
                news = heard if isinstance(heard, WaitingState) else None
            except TimeoutError:
                await self._runners.adopt_foreign(user)
        if told:
            yield progress_event(None)

    async def _history(self, session: str, user: UserId, after: int | None) -> list[AnyEvent]:
        for wait_s in (*BACKOFF_S, None):
            try:
                if after is None:
                    return await self._store.last_events(session, owner=user, limit=HISTORY)
                return await self._store.events(session, owner=user, after=after)
            except StoreUnavailable as error:
                if wait_s is None:
                    raise
                log.warning("the history of %s: %s", session, error)
                await asyncio.sleep(wait_s)
        raise AssertionError("the last round returns or raises")

    async def _known(self, session: str, *, user: UserId) -> Session:
        known = self._sessions.get((user, session))
        if known is None:
            known = await self._store.get(Session, session, owner=user)
            if len(self._sessions) >= KNOWN_SESSIONS:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[user, session] = known
        return known

    async def _open(self, session: str, *, user: UserId, runner: RunnerClient | None = None) -> RunnerClient:
        """Return the user's runner, with this session opened in it."""
        known = await self._known(session, user=user)
        runner = runner or await self._runners.get_or_start(user)
        if self._opened.get(session) != runner.box.id:
            await runner.open(session, opening(known))
            self._begun(session, runner.box.id)
        return runner

    def _begun(self, session: str, box: str) -> None:
        """Remember that the session is open in this box, and wake its followers."""
        if len(self._opened) >= KNOWN_SESSIONS:
            self._opened.pop(next(iter(self._opened)))
        self._opened[session] = box
        self._openings.publish(session, None)

    async def _call(self, session: str, call: Callable[[RunnerClient], Awaitable[T]], *, user: UserId) -> T:
        """Make an idempotent call to the user's runner; if the runner is ending or dead, repeat it once with the next
        one.
        """
        await self._known(session, user=user)
        if session not in self._opened:
            self._begun(session, "")  # no box yet: followers see the progress of its start
        runner = await self._runners.get_or_start(user)
        try:
            await self._open(session, user=user, runner=runner)
            return await call(runner)
        except RunnerUnavailable as error:
            log.info("a call about session %s: %s", session, error)
            runner = await self._runners.replace_failed(runner, stopping=error.code == "stopping")
            await self._open(session, user=user, runner=runner)
            return await call(runner)

    async def _check_run(self, session: Session, *, user: UserId) -> None:
        """Refuse an answer to a run that has ended, for example because nobody answered in time. Raises: Conflict."""
        if session.run and (await self._store.get(Run, session.run, owner=user)).state in ENDED:
            raise Conflict("the run has ended", code="run_ended")

    async def _add_rules(self, session: str, rules: tuple[str, ...], *, user: UserId) -> None:
        known = await self._known(session, user=user)

        def with_them(agent: Agent) -> dict[str, tuple[str, ...]]:
            return {"rules": tuple(dict.fromkeys((*agent.rules, *rules)))}

        before, after = await change_agent(self._store, known.agent, with_them, owner=user)
        for rule in after.rules[len(before.rules) :]:
            await self._audit.record(AuditAction.RULE_ADDED, who=user, about=after.id, detail=rule)
        if before is not after:
            self._runners.changes.records(user)

    def forget_user(self, user: UserId) -> None:
        """Remove a deleted account's sessions from the caches."""
        for session in [session for owner, session in self._sessions if owner == user]:
            self.forget(session)

    def forget(self, session: str) -> None:
        """Remove a deleted session from the caches."""
        self._opened.pop(session, None)
        for key in [key for key in self._sessions if key[1] == session]:
            del self._sessions[key]


def _target(asked: Asked) -> str:
    """Return the whole subject of a permission request, for the audit log."""
    given = {key: value for key, value in asked.input.items() if key != "description"}
    only = given.get("command") if asked.tool == "Bash" and len(given) == 1 else None
    told = only if isinstance(only, str) else msgspec.json.encode(given).decode()
    return f"{asked.tool}: {told}" if asked.kind == "permission" else ""
