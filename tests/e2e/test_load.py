"""P10 of docs/performance.md: two hundred open pages of twenty people, one session of each streaming the whole time.

A part of `make proofs`. OMA_PROOF_MINUTES shortens it for a look by hand.
"""

import asyncio
import contextlib
import os
import random
import re
import secrets
import statistics
import time
import uuid
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import psutil
import pytest

from auth.accounts import upsert_user
from auth.claims import Identity
from auth.logins import Logins
from core.store.sqlite import SqliteStore
from tests.auth.socket_world import Page, Peer, peer
from tests.e2e.conftest import Start
from tests.model_server import ModelServer
from tests.tls import TLS

PEOPLE, PAGES_EACH = 20, 10
MINUTES = float(os.environ.get("OMA_PROOF_MINUTES", "10"))
GAP_S = 0.1  # between words
ANSWER_S, MEMORY_MIB = 0.2, 400
SECRET = secrets.token_hex(32)


class Person:
    """A signed-in person: requests with their cookie, and one session with a long answer."""

    def __init__(self, base: str, cookie: str) -> None:
        self.base = base
        self.http = httpx2.AsyncClient(
            verify=TLS, base_url=base, timeout=60, cookies={"oma": cookie}, headers={"Origin": base}
        )
        self.path = ""

    async def begin(self, words: int) -> None:
        made = (await self.http.post("/api/v1/agents")).json()
        agent, session = made["agent"]["id"], made["session"]["id"]
        self.path = f"/workspace/{agent}?session={session}"
        said = {"text": f"N={words} GAP={GAP_S}", "message_id": str(uuid.uuid4())}
        answer = await self.http.post(f"/api/v1/sessions/{session}/messages", json=said)
        assert answer.status_code == 202, answer.text

    async def page(self) -> Page:
        answer = await self.http.get(self.path)
        assert answer.status_code == 200
        found = re.search(r"'client_id': '([^']+)'", answer.text)
        assert found
        server = type("Base", (), {"base": self.base})()
        return Page(server=server, cookies=dict(self.http.cookies), client_id=found[1], button=0, listener="", user="")


async def listen(peer_: Peer, until: float) -> int:
    """Read what the page is sent until the time has come; the number of messages."""
    heard = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, until - time.monotonic())):
            while await peer_.next():
                heard += 1
            raise AssertionError("the server closed a page's socket")
    return heard


@pytest.mark.proof
async def test_two_hundred_pages_and_twenty_streams_are_served_in_time_and_memory(
    start: Start, model: ModelServer
) -> None:
    async with AsyncExitStack() as stack:
        product = await start(model_url=model.url, OMA_SESSION_SECRET=SECRET)
        people = await signed_in(product.url, product.data_dir / "oma.db")
        words = round((MINUTES * 60 + 120) / GAP_S)
        for person in people:
            stack.push_async_callback(person.http.aclose)
            await person.begin(words)
        pages = [await person.page() for person in people for _ in range(PAGES_EACH)]
        peers = [await stack.enter_async_context(peer(page)) for page in pages]
        assert all([await one.joined() for one in peers])
        until = time.monotonic() + MINUTES * 60
        listening = [asyncio.create_task(listen(one, until)) for one in peers]
        web = psutil.Process(product.web_pid)
        took, memory = await look_on(people, web, until)
        heard = await asyncio.gather(*listening)
    p95 = sorted(took)[round(len(took) * 0.95) - 1]
    print(
        f"P10: {len(took)} pages asked for, p50 {statistics.median(took):.3f} s, p95 {p95:.3f} s, web {memory:.0f} MiB"
    )
    assert min(heard) > MINUTES * 60, "every page gets more than a message a second"
    assert p95 < ANSWER_S
    assert memory < MEMORY_MIB


async def signed_in(base: str, database: Path) -> list[Person]:
    """People with logins, made by another process on the same store."""
    async with await SqliteStore.open(database) as store:
        logins = Logins(store, [SECRET])
        found = []
        for number in range(PEOPLE):
            who = Identity(issuer="https://idp.test", subject=f"p{number}", name=f"p{number}")
            found.append(Person(base, await logins.start(await upsert_user(store, who, admin=False))))
    return found


async def look_on(people: list[Person], web: psutil.Process, until: float) -> tuple[list[float], float]:
    """Ask for somebody's dashboard once a second: the seconds each answer took, and the web's largest RSS in MiB."""
    took, memory = [], 0.0
    while time.monotonic() < until:
        began = time.monotonic()
        answer = await random.choice(people).http.get("/dashboard")
        took.append(time.monotonic() - began)
        assert answer.status_code == 200
        memory = max(memory, web.memory_info().rss / 2**20)
        await asyncio.sleep(max(0.0, 1 - took[-1]))
    return took, memory
