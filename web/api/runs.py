"""Runs of agents: start one, look at them, cancel, do again."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query

from core.domain.errors import BadInput
from core.domain.events import seq_of
from core.domain.records import UserId
from core.domain.runs import DRAFT, Run, TriggerKind
from core.domain.states import RunState
from core.store import Store
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller, IdempotencyKey
from web.api.sessions import EVENTS, MAX_SEQ, EventPage

MAX_LIMIT = 1000
Id = Annotated[str, Query(max_length=100, pattern="^[0-9a-z]*$")]


class RunTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """The trigger of the run: `id` is the schedule's, or the person's."""

    kind: TriggerKind
    id: str


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A run. Times are in UTC, money is in US dollars: a lower bound if there are `unpriced_calls`.

    `place` counts from 1 while the run waits in the queue.
    """

    id: str
    agent: str
    version: int | str
    session: str
    trigger: RunTrigger
    due_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    asked_at: datetime | None
    waited_s: float
    state: RunState
    reason: str
    detail: str
    result: str
    input: dict[str, Any] | str
    cost_usd: float
    unpriced_calls: int
    tokens: int
    files: tuple[str, ...]
    attempt: int
    retry_of: str
    place: int = 0


class RunPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Runs, newest first. `next` is the `after` of the next page, absent at the end."""

    runs: list[RunAnswer]
    next: str = ""


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """The input of a new run. `version` is "draft" to try an agent that is not published."""

    input: dict[str, Any] | str = ""
    version: int | str = 0


def answer(run: Run, *, place: int = 0) -> RunAnswer:
    """A run as the API shows it."""
    names = set(RunAnswer.__struct_fields__) - {"trigger", "place"}
    same = {name: getattr(run, name) for name in names}
    return RunAnswer(trigger=RunTrigger(kind=run.trigger_kind, id=run.trigger), place=place, **same)


def router(services: Services, store: Store) -> ApiRouter:
    """Routes under `/runs`, and the one that starts a run."""
    api = ApiRouter("runs")
    _acts(api, services)
    _lists(api, services, store)
    return api


def _acts(api: ApiRouter, services: Services) -> None:
    async def shown(run: Run) -> RunAnswer:
        return answer(run, place=await services.runs.place(run))

    @api.endpoint("POST", "/agents/{agent}/runs", status=202, problems=(404, 409))
    async def start_run(agent: str, body: NewRun, user: Caller, key: IdempotencyKey = "") -> RunAnswer:
        """Start a run of an agent; it is queued, and begins when there is room."""
        if isinstance(body.version, str) and body.version != DRAFT:
            raise BadInput('`version` is a number or "draft"')
        started = await services.runs.start(
            agent, user=user.user_id, input=body.input, version=body.version, kind=TriggerKind.API, key=key
        )
        return await shown(started)

    @api.endpoint("GET", "/runs/{run}", problems=(404,))
    async def get_run(run: str, user: Caller) -> RunAnswer:
        """Read one run."""
        return await shown(await services.runs.get(run, user=user.user_id))

    @api.endpoint("POST", "/runs/{run}/cancel", problems=(404, 409))
    async def cancel_run(run: str, user: Caller) -> RunAnswer:
        """End a run that has not ended; its work is stopped."""
        return answer(await services.runs.cancel(run, user=user.user_id))

    @api.endpoint("POST", "/runs/{run}/retry", status=202, problems=(404, 409))
    async def retry_run(run: str, user: Caller, key: IdempotencyKey = "") -> RunAnswer:
        """Start a run with the same input, as a new attempt. Two requests for one attempt are one."""
        return await shown(await services.runs.retry(run, user=user.user_id, key=key))


def _lists(api: ApiRouter, services: Services, store: Store) -> None:
    @api.endpoint("GET", "/runs", problems=(404,))
    async def list_runs(
        user: Caller,
        agent: Id = "",
        state: RunState | None = None,
        trigger: Id = "",
        after: Annotated[Id, Query(description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
    ) -> RunPage:
        """List the caller's runs, newest first."""
        found = await services.runs.page(
            user=user.user_id, agent=agent, state=state, trigger=trigger, after=after, limit=limit + 1
        )
        more = found[limit - 1].id if len(found) > limit else ""
        return RunPage(runs=[answer(run) for run in found[:limit]], next=more)

    @api.endpoint("GET", "/runs/{run}/events", problems=(404,))
    async def run_events(run: str, user: Caller, after: Annotated[int, Query(ge=0, le=MAX_SEQ)] = 0) -> EventPage:
        """Read up to 1,000 stored events of the run's session with numbers above `after`."""
        return await _events(services, store, run, user=user.user_id, after=after)


async def _events(services: Services, store: Store, run: str, *, user: UserId, after: int) -> EventPage:
    session = (await services.runs.get(run, user=user)).session
    found = await store.events(session, owner=user, after=after, limit=EVENTS) if session else []
    return EventPage(events=found, last_seq=seq_of(found[-1]) if found else after)
