"""Sessions in memory, as Conversations shows them: a numbered log, unfinished text, and any number of followers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec

from core.domain import events as e
from core.domain.errors import Conflict, NotFound, RunnerUnavailable
from core.domain.message_queue import MessageQueue
from core.domain.permission_rules import parse_rules
from core.domain.records import Agent, Session, UserId, new_session_id, now
from core.domain.states import SessionState as S
from core.lib.pubsub import Hub, Subscription
from core.protocol.runner_api import ChangeQueue, CliInfo, SessionChange
from core.runner.queue_edits import check
from core.services.overview import Overview

HISTORY = 300


class FakeConversation:
    """The sessions of one user, for the services `agents` and `conversations`. Only the test makes things happen."""

    def __init__(self, owner: UserId) -> None:
        self.owner = owner
        self.agents_: dict[str, Agent] = {}
        self.sessions_: dict[str, Session] = {}
        self.logs: dict[str, list[e.AnyEvent]] = {}
        self.unfinished: dict[str, list[e.AnyEvent]] = {}
        self.followers: dict[str, set[asyncio.Queue[list[e.AnyEvent]]]] = {}
        self.calls: list[tuple[str, Any]] = []
        self.refusing = False  # the runner cannot be reached
        self.hub: Hub[SessionChange] = Hub()

    # ---- what a test does

    def agent(self, id: str, name: str) -> Agent:
        self.agents_[id] = Agent(id=id, name=name, draft=False, created_at=now(), updated_at=now())
        return self.agents_[id]

    def open(
        self, agent: str, *, id: str = "", title: str = "", ago: timedelta = timedelta(), **fields: Any
    ) -> Session:
        at = now() - ago
        draft = agent in self.agents_ and self.agents_[agent].draft
        fields = {"kind": "builder" if draft else "chat", **fields}
        made = Session(id=id or new_session_id(), agent=agent, title=title, created_at=at, updated_at=at, **fields)
        self.sessions_[made.id] = made
        self.logs[made.id], self.unfinished[made.id], self.followers[made.id] = [], [], set()
        return made

    def happen(self, session: str, *events: e.AnyEvent) -> int:
        """Events as a runner would publish them: stored ones get the next number, all go out in one frame."""
        out: list[e.AnyEvent] = []
        for event in events:
            if isinstance(event, e.LIVE_ONLY):
                self._keep_unfinished(session, event)
                out.append(event)
                continue
            at = event.at if event.at is not msgspec.UNSET else None
            out.append(e.numbered(event, seq=len(self.logs[session]) + 1, at=at))
            self.logs[session].append(out[-1])
            last = msgspec.structs.replace(self.sessions_[session], last_seq=len(self.logs[session]))
            self.sessions_[session] = last
            if isinstance(event, e.UserSaid):
                kept = msgspec.structs.replace(self.sessions_[session], last_line=event.text)
                self.sessions_[session] = kept
            if isinstance(event, e.TurnFinished):
                self._account(session, event)
            if isinstance(event, e.Text | e.TurnFinished):
                self.unfinished[session].clear()
            if isinstance(event, e.StateChanged):
                self._state(session, event.state)
        for queue in self.followers[session]:
            queue.put_nowait(out)
        return len(self.logs[session])

    def _account(self, session: str, event: e.TurnFinished) -> None:
        """Keep on the record what a turn's end says, as the gateway's projection does."""
        record = self.sessions_[session]
        self.sessions_[session] = msgspec.structs.replace(
            record,
            model=event.model or record.model,
            context_tokens=event.context_tokens or record.context_tokens,
            window_tokens=event.window_tokens or record.window_tokens,
            cost_usd=record.cost_usd + event.cost_usd,
        )

    def reconnect(self, session: str, *, lose_unfinished: bool = False) -> None:
        """Simulate a broken runner socket: every follower gets `live` and the unfinished text again."""
        if lose_unfinished:
            self.unfinished[session].clear()
        frame: list[e.AnyEvent] = [e.Live(last_seq=len(self.logs[session])), *self.unfinished[session]]
        for queue in self.followers[session]:
            queue.put_nowait(frame)

    def _keep_unfinished(self, session: str, event: e.AnyEvent) -> None:
        kept = self.unfinished[session]
        if isinstance(event, e.TextDelta):
            if kept and isinstance(kept[0], e.TextDelta) and kept[0].message != event.message:
                kept.clear()
            kept.append(event)

    def _state(self, session: str, state: S) -> None:
        changed = msgspec.structs.replace(self.sessions_[session], state=state, updated_at=now())
        self.sessions_[session] = changed
        seq = len(self.logs[session])
        change = SessionChange(
            session=session, agent=changed.agent, state=state, last_seq=seq, stored_seq=seq, asking=0
        )
        self.hub.publish(self.owner, change)

    # ---- Agents

    async def index(self, *, user: UserId, sessions: int) -> tuple[list[Agent], list[Session]]:
        found = sorted(self.sessions_.values(), key=lambda one: one.updated_at, reverse=True)
        return list(self.agents_.values()), found[:sessions]

    async def get(self, agent: str, *, user: UserId) -> Agent:
        if user != self.owner or agent not in self.agents_:
            raise NotFound(agent)
        return self.agents_[agent]

    async def change(self, agent: str, *, user: UserId, **fields: Any) -> Agent:
        self.agents_[agent] = msgspec.structs.replace(await self.get(agent, user=user), **fields)
        return self.agents_[agent]

    async def publish(self, agent: str, *, user: UserId, note: str = "") -> Agent:
        return await self.change(agent, user=user, draft=False)

    async def delete(self, agent: str, *, user: UserId) -> None:
        await self.get(agent, user=user)
        del self.agents_[agent]

    async def sessions(self, agent: str, *, user: UserId) -> list[Session]:
        own = [one for one in self.sessions_.values() if one.agent == agent and user == self.owner]
        return sorted(own, key=lambda one: one.updated_at, reverse=True)

    async def session(self, session: str, *, user: UserId) -> Session:
        return self._own(session, user)

    async def new_session(self, agent: str, *, user: UserId, locale: str) -> Session:
        await self.get(agent, user=user)
        return self.open(agent, locale=locale)

    async def change_session(self, session: str, *, user: UserId, **fields: Any) -> Session:
        self.sessions_[session] = msgspec.structs.replace(self._own(session, user), **fields)
        return self.sessions_[session]

    async def delete_session(self, session: str, *, user: UserId) -> None:
        self._own(session, user)
        del self.sessions_[session]

    async def overview_of(self, agent: str, *, user: UserId) -> Overview:
        agents = [self.agents_[agent]] if user == self.owner and agent in self.agents_ else []
        return Overview(agents=agents, sessions=await self.sessions(agent, user=user), requests=())

    async def overview_of_requests(self, *, user: UserId) -> Overview:
        return Overview(agents=(), sessions=(), requests=())

    async def catch_up(self, overview: Overview, session: str, *, user: UserId) -> None:
        found = self._own(session, user)
        overview.replace(found, (), agent=self.agents_[found.agent], costs={})

    # ---- Conversations

    async def say(
        self, session: str, *, user: UserId, text: str, message_id: str, steer: bool = False, attachments: Any = ()
    ) -> int:
        self._own(session, user)
        if self.refusing:
            raise RunnerUnavailable("the box is away")
        self.calls.append(("say", {"text": text, "message_id": message_id, "steer": steer}))
        for event in self.logs[session]:
            if isinstance(event, e.UserSaid) and event.message_id == message_id:
                return e.seq_of(event)
        return self.happen(session, e.UserSaid(message_id=message_id, text=text, steer=steer))

    async def retry(self, session: str, said: e.UserSaid, *, user: UserId, after: int) -> int:
        self._own(session, user)
        if self.refusing:
            raise RunnerUnavailable("the box is away")
        self.calls.append(("retry", {"message_id": said.message_id, "after": after}))
        again = msgspec.structs.replace(said, message_id=f"{said.message_id}~{after}", retry_of=said.message_id)
        return self.happen(session, again)

    async def change_queue(self, session: str, change: ChangeQueue, *, user: UserId) -> None:
        self._own(session, user)
        queue = MessageQueue()
        for event in self.logs[session]:
            if isinstance(event, e.UserSaid):
                queue.add(event)
            elif isinstance(event, e.QueueChanged):
                queue.apply(event)
            elif isinstance(event, e.StateChanged):
                queue.take(event.turn)
        if check(change, queue, sent=()):
            self.happen(session, change.event)

    async def choose(self, session: str, *, user: UserId, **chosen: str) -> Session:
        return self._own(session, user)

    async def cli_info(self, session: str, *, user: UserId) -> CliInfo:
        return CliInfo()

    async def interrupt(self, session: str, *, user: UserId) -> None:
        self._own(session, user)
        self.calls.append(("interrupt", session))

    async def answer(self, session: str, request_id: str, *, user: UserId, decision: str, **said: Any) -> None:
        self._own(session, user)
        if any(isinstance(one, e.Answered) and one.request_id == request_id for one in self.logs[session]):
            raise Conflict("answered", code="already_answered")
        if decision == "allow_always":
            parse_rules(str(said.get("rule", "")))
        self.calls.append(("answer", {"request_id": request_id, "decision": decision, **said}))
        given = {key: value for key, value in said.items() if value}
        self.happen(session, e.Answered(request_id=request_id, decision=decision, by=f"{user} web", **given))  # type: ignore[arg-type]

    async def warm(self, session: str, *, user: UserId) -> None:
        self.calls.append(("warm", session))

    async def older(self, session: str, *, user: UserId, before: int, limit: int = 200) -> list[e.AnyEvent]:
        self._own(session, user)
        return self.logs[session][max(0, before - limit - 1) : before - 1]

    @asynccontextmanager
    async def changes(self, *, user: UserId) -> AsyncIterator[Subscription[SessionChange]]:
        with self.hub.listen(user) as listener:
            yield listener

    @asynccontextmanager
    async def follow(self, session: str, *, user: UserId) -> AsyncIterator[AsyncIterator[list[e.AnyEvent]]]:
        self._own(session, user)
        queue: asyncio.Queue[list[e.AnyEvent]] = asyncio.Queue()
        queue.put_nowait(self.logs[session][-HISTORY:])
        queue.put_nowait([e.Live(last_seq=len(self.logs[session])), *self.unfinished[session]])
        self.followers[session].add(queue)

        async def batches() -> AsyncIterator[list[e.AnyEvent]]:
            while True:
                yield await queue.get()

        try:
            yield batches()
        finally:
            self.followers[session].discard(queue)

    def _own(self, session: str, user: UserId) -> Session:
        if user != self.owner or session not in self.sessions_:
            raise NotFound(session)
        return self.sessions_[session]
