"""Agents and conversations in memory, honest to what ui/ calls: for looking at pages and testing them alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import timedelta
from typing import Any

import msgspec

from core.domain.errors import Conflict, NotFound, NotSignedIn, RunnerUnavailable
from core.domain.events import AnyEvent, Asked, Question, StateChanged, TurnFinished, UserSaid, numbered
from core.domain.permission_rules import parse_rules
from core.domain.records import Agent, Request, Session, User, UserId, new_agent_id, new_session_id, now
from core.domain.states import SessionState as S
from core.fleet.session_feed import RECORDS
from core.lib.pubsub import Hub, Subscription
from core.protocol.runner_api import SessionChange
from core.services.overview import AgentSummary, Overview
from core.spawner import Isolation
from ui.layout.services import Services


class FakeAuth:
    """The sign-in of a person, or of nobody."""

    def __init__(self, *, signed_in: bool = True, methods: tuple[str, ...] = ("local",)) -> None:
        self.sign_in_methods, self._signed_in = methods, signed_in
        self.user = User(
            id="local-owner", issuer="local", subject="owner", name="김하늘", created_at=now(), seen_at=now()
        )

    def current(self) -> User:
        if not self._signed_in:
            raise NotSignedIn
        return self.user

    async def prefer(self, user: User, *, locale: str = "", theme: str = "") -> None:
        self.user = msgspec.structs.replace(user, locale=locale or self.user.locale, theme=theme or self.user.theme)


class Announced:
    """Announcements for pages that only show them."""

    def __init__(self) -> None:
        self.text = ""
        self.watchers: list[Callable[[str], None]] = []

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        self.watchers.append(watcher)
        watcher(self.text)
        return lambda: self.watchers.remove(watcher)

    def announce(self, text: str) -> None:
        self.text = text
        for watcher in self.watchers:
            watcher(text)


class NoRuns:
    """Nothing has run, and the inbox has nothing to say about it."""

    async def alerts(self, *, user: UserId) -> list[Any]:
        return []


class NobodyLooks:
    """Hears of visible pages and forgets them."""

    async def saw(self, user: UserId, page: str) -> None: ...

    async def left(self, user: UserId, page: str) -> None: ...


class NoTerminals:
    """The administrator does not allow terminals."""

    allowed = False


def rest_of_services() -> dict[str, Any]:
    """The services that pages over fakes do not use; /settings and /admin are tested over the real ones (tests/e2e)."""
    given = {"settings", "agents", "conversations", "auth", "isolation"}
    unused = {field.name: None for field in fields(Services) if field.name not in given}
    return {
        **unused,
        "announcements": Announced(),
        "runs": NoRuns(),
        "presence": NobodyLooks(),
        "terminals": NoTerminals(),
    }


class FakePlatform:
    """Both use-case objects in one: `Services(agents=it, conversations=it)`."""

    def __init__(self) -> None:
        self.shelf: dict[str, AgentSummary] = {}
        self.requests: list[Request] = []
        self.said: list[tuple[str, str, str]] = []
        self.warmed: list[str] = []
        self.hub: Hub[SessionChange] = Hub()
        self.answered: dict[str, dict[str, Any]] = {}
        self.seq = 0
        self.slow_s = 0.0
        self.broken = False
        self.refusing = False

    def put(
        self, name: str, state: S, line: str, *, ago: timedelta, cost_usd: float = 0.0, asks: str = "", **fields: Any
    ) -> AgentSummary:
        """An agent on the shelf; everybody watching hears of it."""
        at = now() - ago
        agent = Agent(
            **{"id": new_agent_id(), "name": name, "draft": False, "created_at": at, "updated_at": at, **fields}
        )
        session = new_session_id()
        card = AgentSummary(
            agent=agent,
            state=state,
            line=line,
            at=at,
            session=session,
            cost_usd=cost_usd,
            asking=int(bool(asks)),
            sessions=1,
        )
        self.shelf[agent.id] = card
        if asks:
            id, kind = f"r-{agent.id}", "permission"
            self.requests.append(Request(id=id, agent=agent.id, session=session, kind=kind, summary=asks, asked_at=at))
        self.tell(card)
        return card

    def ask(self, card: AgentSummary, kind: str, summary: str) -> None:
        """Add a request of this agent."""
        id, at = f"q-{len(self.requests)}", now()
        asked = Request(id=id, agent=card.agent.id, session=card.session, kind=kind, summary=summary, asked_at=at)
        self.requests.append(asked)
        self.tell(card)

    def named(self, name: str) -> AgentSummary:
        return next(card for card in self.shelf.values() if card.agent.name == name)

    def move(self, agent: str, state: S, line: str) -> None:
        """Change the agent's state."""
        card = self.shelf[agent]
        self.shelf[agent] = _with(card, state=state, line=line, at=now(), reason="")
        self.tell(self.shelf[agent])

    def fail(self, agent: str, reason: str) -> None:
        """Its last turn ends so."""
        self.shelf[agent] = _with(self.shelf[agent], state=S.FAILED, reason=reason, at=now())
        self.tell(self.shelf[agent])

    def tell(self, card: AgentSummary) -> None:
        self.seq += 1
        if not card.line:  # a runner never says that there is nothing to say
            self.hub.publish("local-owner", RECORDS)
        self.hub.publish(
            "local-owner",
            SessionChange(
                session=card.session,
                agent=card.agent.id,
                state=card.state,
                line=card.line,
                reason=card.reason,
                asking=sum(one.session == card.session for one in self.requests),
                last_seq=self.seq,
                stored_seq=self.seq,
            ),
        )

    async def cards(self, *, user: UserId) -> list[AgentSummary]:
        return (await self.overview(user=user)).summaries()

    async def overview(self, *, user: UserId) -> Overview:
        await asyncio.sleep(self.slow_s)
        if self.broken:
            raise ValueError("a record of another shape than this page knows")
        cards = self.shelf.values()
        return Overview(
            agents=[card.agent for card in cards],
            sessions=[_session(card) for card in cards],
            requests=self.requests,
            costs={card.agent.id: card.cost_usd for card in cards},
            whole=True,
        )

    async def overview_of_requests(self, *, user: UserId) -> Overview:
        return Overview(agents=(), sessions=(), requests=self.requests)

    async def catch_up(self, overview: Overview, session: str, *, user: UserId) -> None:
        card = next(card for card in self.shelf.values() if card.session == session)
        requests = [one for one in self.requests if one.session == session]
        overview.replace(_session(card), requests, agent=card.agent, costs={card.agent.id: card.cost_usd})

    async def index(self, *, user: UserId, sessions: int) -> tuple[list[Agent], list[Session]]:
        cards = await self.cards(user=user)
        at = now()
        found = [
            Session(id=card.session, agent=card.agent.id, title=card.line, created_at=at, updated_at=card.at)
            for card in cards
        ]
        return [card.agent for card in cards], found[:sessions]

    async def get(self, agent: str, *, user: UserId) -> Agent:
        if agent not in self.shelf:
            raise NotFound(agent)
        return self.shelf[agent].agent

    async def create(self, *, user: UserId, locale: str) -> tuple[Agent, Session]:
        card = self.put("", S.ASLEEP, "", ago=timedelta(), draft=True)
        at, agent = now(), card.agent.id
        return card.agent, Session(
            id=card.session, agent=agent, kind="builder", locale=locale, created_at=at, updated_at=at
        )

    async def change(self, agent: str, *, user: UserId, **fields: Any) -> Agent:
        changed = msgspec.structs.replace(await self.get(agent, user=user), **fields)
        self.shelf[agent] = _with(self.shelf[agent], agent=changed)
        return changed

    async def delete(self, agent: str, *, user: UserId) -> None:
        if self.refusing:
            raise RunnerUnavailable("the box is away")
        await self.get(agent, user=user)
        del self.shelf[agent]
        self.requests = [request for request in self.requests if request.agent != agent]

    async def sessions(self, agent: str, *, user: UserId) -> list[Session]:
        card = self.shelf[agent]
        return [Session(id=card.session, agent=agent, created_at=card.at, updated_at=card.at)]

    async def session(self, session: str, *, user: UserId) -> Session:
        card = next(card for card in self.shelf.values() if card.session == session)
        return Session(id=session, agent=card.agent.id, created_at=card.at, updated_at=card.at, last_seq=3)

    async def older(self, session: str, *, user: UserId, before: int) -> list[AnyEvent]:
        """A turn that failed, of whoever's card says why."""
        card = next(card for card in self.shelf.values() if card.session == session)
        if not card.reason:
            return []
        events = (
            UserSaid(message_id="m1", text="do it"),
            StateChanged(state=S.BUSY, turn="m1"),
            TurnFinished(outcome="error", reason=card.reason),
        )
        return [numbered(event, seq=seq, at=card.at) for seq, event in enumerate(events, 1)]

    async def retry(self, session: str, said: UserSaid, *, user: UserId, after: int) -> int:
        self.said.append((session, said.text, f"{said.message_id}~{after}"))
        return after + 1

    async def inbox(self, *, user: UserId) -> list[Request]:
        return sorted(self.requests, key=lambda request: request.asked_at, reverse=True)

    async def asked(self, request: Request, *, user: UserId) -> Asked:
        if request.kind == "question":
            questions = (Question(text=request.summary, options=(("매일", ""), ("매주", ""))),)
            return Asked(request_id=request.id, kind="question", questions=questions, at=request.asked_at)
        given = {"command": request.summary}
        return Asked(
            request_id=request.id, kind="permission", tool="Bash", input=given, rule="Bash(curl:*)", at=request.asked_at
        )

    async def answer(self, session: str, request_id: str, *, user: UserId, decision: str, **said: Any) -> None:
        if decision == "allow_always":
            parse_rules(str(said.get("rule", "")))
        found = next((one for one in self.requests if one.id == request_id), None)
        if found is None or request_id in self.answered:
            raise Conflict("answered", code="already_answered")
        self.answered[request_id] = {"session": session, "decision": decision, **said}
        self.requests.remove(found)
        self.move(found.agent, S.BUSY, "")

    async def say(
        self, session: str, *, user: UserId, text: str, message_id: str, steer: bool = False, attachments: Any = ()
    ) -> int:
        if self.refusing:
            raise RunnerUnavailable("the box is away")
        self.said.append((session, text, message_id))
        return 1

    async def warm(self, session: str, *, user: UserId) -> None:
        self.warmed.append(session)

    @asynccontextmanager
    async def changes(self, *, user: UserId) -> AsyncIterator[Subscription[SessionChange]]:
        with self.hub.listen(user) as listener:
            yield listener


def _session(card: AgentSummary) -> Session:
    """The one that the card is about."""
    return Session(
        id=card.session,
        agent=card.agent.id,
        title=card.line,
        state=card.state,
        last_line=card.line,
        last_reason=card.reason,
        created_at=card.at,
        updated_at=card.at,
    )


def _with(card: AgentSummary, **fields: Any) -> AgentSummary:
    old = {name: getattr(card, name) for name in card.__dataclass_fields__}
    return AgentSummary(**{**old, **fields})


SIX: tuple[tuple[str, S, str, float, str, float], ...] = (  # name, state, line, minutes ago, icon, cost
    ("의존성 점검", S.ASLEEP, "패키지 3개를 올리는 풀 리퀘스트 #491을 열었어요.", 1800, "box", 0.15),
    ("논문 읽기", S.ASLEEP, "검색 증강 생성 논문 3편을 요약해 위키에 올렸어요.", 1560, "book", 0.91),
    ("배포 지킴이", S.IDLE, "v2.14.1 배포를 확인했어요. 오류율이 평소와 같아요.", 42, "rocket", 2.05),
    ("환율 알림이", S.FAILED, "환율 사이트가 3번 응답하지 않아 알림을 못 보냈어요.", 30, "won", 0.37),
    ("회의록 정리", S.BUSY, "제품팀 주간 회의를 옮겨 적고 있어요. 말한 사람 4명을 구분했어요.", 12, "mic", 4.10),
)


def six(platform: FakePlatform) -> None:
    """The mockup's six agents, every state among them; an archived one and a draft."""
    for name, state, line, minutes, icon, cost in SIX:
        platform.put(name, state, line, ago=timedelta(minutes=minutes), icon=icon, cost_usd=cost)
    asks, ago = 'curl -sS "$SLACK_WEBHOOK_URL" --json @out/summary.json', timedelta(minutes=2)
    platform.put("이슈 요약이", S.ASKING, "", ago=ago, icon="issue", cost_usd=1.84, asks=asks)
    platform.put("옛 알림이", S.ASLEEP, "지난달까지 쓰던 알림이에요.", ago=timedelta(days=40), archived=True)
    platform.put("", S.IDLE, "안녕하세요! 어떤 자동화 작업을 도와드릴까요?", ago=timedelta(hours=3), draft=True)


def bubblewrap() -> Isolation:
    return Isolation(name="bubblewrap")


def nothing() -> Isolation:
    return Isolation(
        name="none",
        missing=("sudo apt-get install -y bubblewrap",),
        code="not_installed",
        command="sudo apt-get install bubblewrap",
    )
