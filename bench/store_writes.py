"""P14: plain events a second; then fifty writers at once, each of what a turn's end writes, for fifty users and one.

The emulator's times are the emulator's. What they show is the ratio: if a document of a user were written by all their
sessions, one user's fifty would be slower than fifty users' one each.
"""

import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.figures import Figure, figure
from bench.setup import Stage
from core.domain.events import Text, numbered
from core.domain.records import Session, UserId, now
from core.store import Store
from core.store.firestore import FirestoreStore
from core.store.sqlite import SqliteStore
from tests.firestore_emulator import Emulator, emulator_jar

WRITERS = 50
ROUNDS = 6
EVENTS = 5
PLAIN_SESSIONS, PLAIN_BATCHES, PLAIN_EVENTS = 8, 25, 50  # at once; of each; in each, as a busy runner sends them


async def contention(stage: Stage) -> dict[str, Figure]:
    """Measure both stores; without an emulator the second one is an error among the figures."""
    with tempfile.TemporaryDirectory(prefix="oma-bench-store-") as folder:
        async with await SqliteStore.open(Path(folder, "oma.db")) as sqlite:
            figures = await rows("P14_sqlite", sqlite)
    if not emulator_jar():
        return figures | {"P14_firestore": {"error": "no Firestore emulator here"}}
    async with _emulated() as firestore:
        return figures | await rows("P14_firestore", firestore)


@asynccontextmanager
async def _emulated() -> AsyncIterator[Store]:
    with Emulator() as emulator:
        os.environ["FIRESTORE_EMULATOR_HOST"] = emulator.host
        try:
            async with await FirestoreStore.open(f"bench-{uuid.uuid4().hex[:8]}", emulator=True) as store:
                await _at_once(store, [(UserId(f"warm{n}"), "s") for n in range(WRITERS)])  # it compiles itself
                yield store
        finally:
            del os.environ["FIRESTORE_EMULATOR_HOST"]


async def rows(name: str, store: Store) -> dict[str, Figure]:
    events_a_second = await plain_events(store)
    alone = await _turns(store, UserId("alone"), "s", rounds=20)
    many, many_s = await _at_once(store, [(UserId(f"u{n}"), "s") for n in range(WRITERS)])
    one, one_s = await _at_once(store, [(UserId("one"), f"s{n}") for n in range(WRITERS)])
    users = figure(many, a_second=round(len(many) / many_s))
    return {
        f"{name}_events": {
            "a_second": round(events_a_second),
            "n": PLAIN_SESSIONS * PLAIN_BATCHES * PLAIN_EVENTS,
            "budget": "≥ 2000 a second with SQLite",
        },
        f"{name}_one_writer": figure(alone),
        f"{name}_50_users": users,
        f"{name}_50_sessions_of_one_user": figure(
            one,
            a_second=round(len(one) / one_s),
            lost=await lost(store),
            ratio_to_50_users=round(figure(one)["p50"] / users["p50"], 2),
            budget="≤ 1.5 × 50 users, 0 lost",
        ),
    }


async def plain_events(store: Store) -> float:
    """Return how many events a second several sessions append at once; nothing else is written."""

    async def write(session: str) -> None:
        for first in range(1, PLAIN_BATCHES * PLAIN_EVENTS, PLAIN_EVENTS):
            numbers = range(first, first + PLAIN_EVENTS)
            text = "안녕하세요 " * 40
            events = [numbered(Text(message="m", block=n, text=text), seq=n) for n in numbers]
            await store.append(session, events, owner=UserId("plain"))

    began = time.perf_counter()
    await asyncio.gather(*(write(f"p{n}") for n in range(PLAIN_SESSIONS)))
    return PLAIN_SESSIONS * PLAIN_BATCHES * PLAIN_EVENTS / (time.perf_counter() - began)


async def _at_once(store: Store, writers: list[tuple[UserId, str]]) -> tuple[list[float], float]:
    began = time.monotonic()
    samples = await asyncio.gather(*(_turns(store, owner, session) for owner, session in writers))
    return [each for some in samples for each in some], time.monotonic() - began


async def _turns(store: Store, owner: UserId, session: str, *, rounds: int = ROUNDS) -> list[float]:
    """Write turns one after the other; return the milliseconds of each (events, counters, the session's record)."""
    await store.put(Session(id=session, agent="a", created_at=now(), updated_at=now()), owner=owner)
    samples = []
    for turn in range(rounds):
        first = turn * EVENTS + 1
        events = [numbered(Text(message="m", block=n, text="안녕하세요 " * 40), seq=first + n) for n in range(EVENTS)]
        began = time.perf_counter()
        last = await store.append(session, events, owner=owner)
        await store.add_usage("2026-11", owner=owner, turns=1)
        await store.change(Session, session, owner=owner, last_seq=last, updated_at=now())
        samples.append((time.perf_counter() - began) * 1000)
    return samples


async def lost(store: Store) -> int:
    """Count turns that were not added up and events that are not there."""
    turns = (await store.usage("2026-11", owner=UserId("one")))["turns"]
    there = [len(await store.events(f"s{n}", owner=UserId("one"))) for n in range(WRITERS)]
    return round(WRITERS * ROUNDS - turns) + WRITERS * ROUNDS * EVENTS - sum(there)
