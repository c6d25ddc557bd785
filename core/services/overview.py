"""The data that a user's pages show about agents: read from the Store once, then updated by the runners' news."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from core.domain.records import Agent, Request, Session, now
from core.domain.runs import LastRun
from core.domain.schedules import Trigger
from core.domain.states import OPEN_TURN, SessionState
from core.protocol.gateway_api import JUDGE
from core.protocol.runner_api import SessionChange

NEVER = sys.maxsize


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSummary:
    """An agent as the dashboard shows it. `session` is its newest session or empty; `reason` tells why that
    one failed.
    """

    agent: Agent
    state: SessionState
    line: str
    at: datetime
    session: str
    cost_usd: float  # this month
    asking: int
    sessions: int = 0
    reason: str = ""
    triggers: tuple[Trigger, ...] = ()
    last_run: LastRun | None = None


class Overview:
    """The agents, sessions, open requests and costs of this month of one user, as far as one page needs them.

    It covers all agents (`whole`), one or none; the open requests are always those of all agents. `apply` takes the
    runners' news without reading the Store; `Agents.catch_up` reads what the news does not contain.
    """

    def __init__(
        self,
        *,
        agents: Iterable[Agent],
        sessions: Iterable[Session],
        requests: Iterable[Request],
        costs: Mapping[str, float] | None = None,
        triggers: Iterable[Trigger] = (),
        last_runs: Iterable[LastRun] = (),
        whole: bool = False,
    ) -> None:
        self._agents = {one.id: one for one in agents}
        self._sessions = {one.id: one for one in sessions}
        self._requests = {one.id: one for one in requests}
        self._costs = dict(costs or {})
        self._triggers: defaultdict[str, list[Trigger]] = defaultdict(list)
        for trigger in triggers:
            self._triggers[trigger.agent].append(trigger)
        self._last_runs = {one.id: one for one in last_runs}
        self._asking = Counter(one.session for one in self._requests.values())  # session → open requests
        self.whole = whole
        self._due: dict[str, int] = {}  # session → read its record once the Store has this event

    @property
    def asking(self) -> int:
        """The number of requests that wait for the user."""
        return sum(self._asking.values())

    @property
    def requests(self) -> list[Request]:
        """The open requests, newest first."""
        return sorted(self._requests.values(), key=lambda one: one.asked_at, reverse=True)

    def blank(self) -> tuple[Agent, Session] | None:
        """Return a draft without any message, and its session, so that it is used before a new one is created; else
        None.
        """
        found = (agent for agent in self._agents.values() if self.is_blank(agent))
        return next(((agent, own[0]) for agent in found if (own := self.sessions_of(agent.id))), None)

    def is_blank(self, agent: Agent) -> bool:
        """True if nothing was done with this agent yet, so that lists can leave it out."""
        unnamed = agent.draft and not (agent.name or agent.archived)
        return unnamed and all(map(untouched, self._sessions_by_agent[agent.id]))

    def agent(self, id: str) -> Agent | None:
        return self._agents.get(id)

    def covers(self, agent: str) -> bool:
        """True if this overview includes the agent."""
        return self.whole or agent in self._agents

    def session(self, id: str) -> Session | None:
        return self._sessions.get(id)

    def sessions_of(self, agent: str) -> list[Session]:
        """Return the agent's sessions, newest first."""
        return sorted(self._sessions_by_agent[agent], key=lambda one: one.updated_at, reverse=True)

    @property
    def _sessions_by_agent(self) -> defaultdict[str, list[Session]]:
        sessions: defaultdict[str, list[Session]] = defaultdict(list)
        for one in self._sessions.values():
            if one.kind != JUDGE:  # nobody talks in it, and it goes when its verdict is there
                sessions[one.agent].append(one)
        return sessions

    def summaries(self, *, blank: bool = True) -> list[AgentSummary]:
        """Return all agents, including archived ones, newest activity first. `blank=False` leaves blank ones out."""
        sessions = self._sessions_by_agent
        shown = [
            agent
            for agent in self._agents.values()
            if blank or agent.name or not agent.draft or not self.is_blank(agent)
        ]
        cards = [self._summary(agent, sessions[agent.id]) for agent in shown]
        return sorted(cards, key=lambda card: card.at, reverse=True)

    def apply(self, change: SessionChange) -> bool:
        """Apply a piece of news. Returns True if the session has to be read from the Store now, for `replace`.

        That is so if the Store has something that the news does not contain: a title, a cost, a request.
        """
        id, told = change.session, change.asking is not None and change.stored_seq is not None
        asked = self._asking[id]
        if change.asking is not None:
            self._asking[id] = change.asking
            if not change.asking:
                self._drop_requests(id)
        if not self.covers(change.agent):
            return not told
        known = self._sessions.get(id)
        if known is None or not told:
            return True
        self._sessions[id] = fresh = _moved(known, change)
        ended = fresh.last_outcome and not known.last_outcome
        moved = change.asking and change.last_seq > known.last_seq  # its requests may be parked now
        if ended or moved or change.asking != asked or not fresh.title or fresh.kind == "builder":
            self._due[id] = change.last_seq
        if (change.stored_seq or 0) >= self._due.get(id, NEVER):
            del self._due[id]
            return True
        return False

    def replace(
        self,
        session: Session,
        requests: Iterable[Request],
        *,
        agent: Agent | None,
        costs: Mapping[str, float],
        last_run: LastRun | None = None,
    ) -> None:
        """Take over the Store's data about a session: its record, its open requests, its agent, this month's cost."""
        if self.covers(session.agent):
            self._sessions[session.id] = session
        self._drop_requests(session.id)
        self._requests |= {one.id: one for one in requests}
        self._asking[session.id] = sum(one.session == session.id for one in self._requests.values())
        if agent is not None:
            self._agents[agent.id] = agent
        self._costs |= costs
        if last_run is not None:
            self._last_runs[last_run.id] = last_run

    def _drop_requests(self, session: str) -> None:
        for id in [one.id for one in self._requests.values() if one.session == session]:
            del self._requests[id]

    def _summary(self, agent: Agent, sessions: list[Session]) -> AgentSummary:
        """Return a summary with the state that matters most: asking, then busy, then failed, then the newest session's.

        A failed agent is shown by its newest failed session, because a person would retry that one.
        """
        newest = max(sessions, key=lambda one: one.updated_at, default=None)
        failed = [one for one in sessions if one.shown_state is SessionState.FAILED]
        if failed and not {one.state for one in sessions} & OPEN_TURN and not sum(self._asking[x.id] for x in sessions):
            newest = max(failed, key=lambda one: one.updated_at)
        asking = sum(self._asking[one.id] for one in sessions)
        states = {one.state for one in sessions}
        state = newest.shown_state if newest else SessionState.ASLEEP
        for strong in (SessionState.BUSY, SessionState.ASKING):
            state = strong if strong in states else state
        if asking and state not in OPEN_TURN:
            state = SessionState.ASKING  # parked: no process, but a person is still needed
        return AgentSummary(
            agent=agent,
            state=state,
            line=newest.last_line if newest else "",
            at=newest.updated_at if newest else agent.updated_at,
            session=newest.id if newest else "",
            cost_usd=self._costs.get(agent.id, 0.0),
            asking=asking,
            sessions=len(sessions),
            reason=newest.last_reason if newest and state is SessionState.FAILED else "",
            triggers=tuple(self._triggers.get(agent.id, ())),
            last_run=self._last_runs.get(agent.id),
        )


def untouched(session: Session) -> bool:
    """True if the session has no message yet."""
    return not session.last_line and not session.title


def _moved(known: Session, change: SessionChange) -> Session:
    """Return the session's record with the changes that the news contains."""
    line = change.line or known.last_line
    grew = change.last_seq > known.last_seq
    done = change.state in OPEN_TURN or line != known.last_line or change.outcome != known.last_outcome
    return msgspec.structs.replace(
        known,
        state=change.state,
        last_seq=max(change.last_seq, known.last_seq),
        last_line=line,
        last_outcome=change.outcome,
        last_reason=change.reason,
        updated_at=now() if grew and done else known.updated_at,  # a mere waking does not move it up the lists
    )
