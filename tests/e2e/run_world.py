"""A signed-in person at the API of a product, with the product's own Store beside it to hold the answers against."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from core.domain.events import AnyEvent, TurnFinished, UserSaid
from core.domain.records import Agent, UserId
from core.domain.runs import Run
from core.domain.states import ENDED, RunState
from core.domain.usage import session_key
from core.store.sqlite import SqliteStore
from tests.product import Product
from tests.timeouts import PATIENCE_S

ME = UserId("local-owner")


class Person:
    """Requests with the cookie of a login; `sign_in` begins a new one."""

    def __init__(self, product: Product, store: SqliteStore) -> None:
        self.product, self.store = product, store
        self._http: httpx2.AsyncClient | None = None

    async def sign_in(self) -> None:
        """Sign in by the link that the web printed last."""
        await self.leave()
        headers = {"Origin": self.product.url}
        self._http = httpx2.AsyncClient(base_url=self.product.url, headers=headers, timeout=PATIENCE_S)
        answer = await self._http.get(self.product.link.removeprefix(self.product.url))
        assert answer.status_code == 303, answer.text[:300]

    async def leave(self) -> None:
        if self._http:
            await self._http.aclose()

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Raises: AssertionError: the answer is an error."""
        assert self._http
        more = {} if body is None else {"json": body}
        answer = await self._http.request(method, f"/api/v1{path}", **more)  # type: ignore[arg-type]
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    async def agent(self) -> str:
        """Make an agent and publish it."""
        made: str = (await self.ask("POST", "/agents"))["agent"]["id"]
        await self.store.change(Agent, made, owner=ME, draft=False, name="worker")
        return made

    async def once(self, agent: str, *, after_s: float, words: str) -> str:
        """A schedule for one time, so many seconds from now; its id."""
        at = (datetime.now(UTC) + timedelta(seconds=after_s)).isoformat()
        made: str = (await self.ask("POST", f"/agents/{agent}/triggers", {"at": at, "input": words}))["id"]
        return made

    async def start(self, agent: str, words: str) -> str:
        """Start a run now; its id."""
        made: str = (await self.ask("POST", f"/agents/{agent}/runs", {"input": words}))["id"]
        return made

    async def ended(self, run: str, *, within_s: float = PATIENCE_S) -> Run:
        """Wait for a run's end. Raises: AssertionError: it has none in that time."""
        end = time.monotonic() + within_s
        while (found := await self.store.get(Run, run, owner=ME)).state not in ENDED:
            assert time.monotonic() < end, f"after {within_s} s it is still {found.state}: {found}"
            await asyncio.sleep(0.1)
        return found

    async def runs_of(self, trigger: str) -> list[Run]:
        """All rows of a schedule."""
        return await self.store.find(Run, owner=ME, where={"trigger": trigger}, limit=1000)

    async def hold(self, run: Run) -> None:
        """Hold an ended run against its session's log. Raises: AssertionError: the row says what is not so, the work
        was begun twice, or a cost counts twice.
        """
        events = await self.store.events(run.session, owner=ME, limit=10_000) if run.session else []
        said = [one for one in events if isinstance(one, UserSaid)]
        assert len(said) <= 1, f"{run.id} was told its work {len(said)} times"
        ends = [one for one in events if isinstance(one, TurnFinished)]
        assert len(ends) <= 1, f"{run.id} ended {len(ends)} times"
        well = bool(ends) and ends[0].outcome == "ok"
        assert (run.state is RunState.SUCCEEDED) == well, f"{run.state} {run.reason}, but its turn: {ends}"
        charged = sum(one.cost_usd for one in ends)
        spent = (await self.store.usage(session_key(run.session), owner=ME)).get("cost_usd", 0.0)
        assert abs(run.cost_usd - charged) < 1e-9 and charged <= spent + 1e-9, (run.cost_usd, charged, spent)
        assert numbers(events) == list(range(1, len(events) + 1))


def numbers(events: list[AnyEvent]) -> list[int]:
    """The numbers of events."""
    return [int(one.seq or 0) for one in events]


@asynccontextmanager
async def person(product: Product) -> AsyncIterator[Person]:
    """Somebody signed in, and the product's Store opened beside it."""
    async with await SqliteStore.open(product.data_dir / "oma.db") as store:
        me = Person(product, store)
        await me.sign_in()
        try:
            yield me
        finally:
            await me.leave()
