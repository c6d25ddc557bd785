"""P15, P16 and P18: from a schedule's due time to the model, ten thousand schedules, a hundred thousand runs."""

import asyncio
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bench.figures import Figure, figure, overhead
from bench.page import bench_page
from bench.raw_cli import raw_cli
from bench.setup import Stage
from core.domain.records import SYSTEM, Agent, UserId, now
from core.domain.runs import Run, TriggerKind
from core.domain.schedules import DueSlot, Schedule, Trigger, next_after
from core.domain.states import ENDED, RunState
from core.services.background_loops import BackgroundLoops
from core.services.run_worker import RunWorker
from core.services.scheduler import Scheduler
from core.store.query import table_name
from core.store.rows import Row
from core.store.sqlite import SqliteStore
from core.store.sqlite_rows import SqliteRows

OWNER = UserId("local-owner")
DUE_ROUNDS, AHEAD_S, RUN_S = 12, 2, 30.0
SCHEDULES, AT_ONCE, USERS, REST_S = 10_000, 1_000, 50, 20.0
RUNS, DAYS, LOADS, GROUP = 100_000, 100, 6, 5_000


async def due_to_model(stage: Stage) -> dict[str, Figure]:
    """P15: the due time of a schedule → its run's first request at the model, beside a spawned raw CLI's."""
    began, raw, lag = [], [], []
    url, headers = stage.product.url, {"Origin": stage.product.url}
    async with await SqliteStore.open(stage.product.data_dir / "oma.db") as store:
        agent = stage.page.screen.agent
        await store.change(Agent, agent, owner=OWNER, draft=False)
        for number in range(DUE_ROUNDS):
            text = f"scheduled {number}"
            due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=AHEAD_S)
            answer = await stage.page.page.request.post(
                f"{url}/api/v1/agents/{agent}/triggers", headers=headers, data={"at": due.isoformat(), "input": text}
            )
            assert answer.ok, await answer.text()
            run = await _ended(store, (await answer.json())["id"])
            assert run.started_at and run.state is RunState.SUCCEEDED, run
            due_at = due.timestamp() - time.time() + time.monotonic()
            began.append(((await stage.model.noted(text))["at"] - due_at) * 1000)
            lag.append((run.started_at - due).total_seconds() * 1000)
            spawned_at, text = time.monotonic(), f"spawned by hand {number}"
            async with raw_cli(stage.recipe, "--session-id", str(uuid.uuid4())) as cli:
                await cli.ask(text)
            raw.append(((await stage.model.noted(text))["at"] - spawned_at) * 1000)
    return {
        "P15_due_to_first_request": overhead(began, raw, budget="p50 ≤ 300"),
        "P15_due_to_start": figure(lag, budget="p95 ≤ 1000"),
    }


async def _ended(store: SqliteStore, trigger: str) -> Run:
    async with asyncio.timeout(RUN_S):
        while True:
            found = await store.find(Run, owner=OWNER, where={"trigger": trigger})
            if found and found[0].state in ENDED:
                return found[0]
            await asyncio.sleep(0.05)


class Idle:
    """Stands for the sessions: nothing is due, so nothing is ever said."""

    async def say(self, *_: Any, **__: Any) -> int:
        raise AssertionError("nothing is due")

    async def interrupt(self, *_: Any, **__: Any) -> None:
        raise AssertionError("nothing is due")


async def schedules(_: Stage) -> dict[str, Figure]:
    """P16: what the loops of one web cost while nothing is due, and how long a thousand slots of one minute take."""
    with tempfile.TemporaryDirectory(prefix="oma-bench-schedules-") as folder:
        async with await SqliteStore.open(Path(folder, "oma.db")) as store:
            await _fill_schedules(store)
            share = await _at_rest(store)
            seconds = await _thousand(store)
    return {
        "P16_at_rest": figure([share], unit="% of a core", digits=3, schedules=SCHEDULES, budget="≤ 1"),
        "P16_thousand_due_written": figure([seconds], unit="s", digits=2, budget="≤ 60"),
    }


async def _at_rest(store: SqliteStore) -> float:
    worker = RunWorker(store, messenger=Idle(), is_held=lambda _: False, per_user=3, platform=20)
    async with BackgroundLoops(Scheduler(store), worker):
        await asyncio.sleep(1.0)  # the first looks
        began = time.process_time()
        await asyncio.sleep(REST_S)
        return (time.process_time() - began) / REST_S * 100


async def _thousand(store: SqliteStore) -> float:
    """Let the first thousand schedules be due at once; return the seconds until each slot has its row."""
    moment = now()
    for number in range(AT_ONCE):
        await store.change(DueSlot, f"t{number}", owner=SYSTEM, due_at=moment)
    scheduler, began, moved = Scheduler(store), time.perf_counter(), 0
    while moved < AT_ONCE:
        moved += await scheduler.poll_once()
    seconds = time.perf_counter() - began
    rows = sum([await store.count(Run, owner=UserId(f"u{n}")) for n in range(USERS)])
    assert rows == AT_ONCE, rows
    return seconds


async def _fill_schedules(store: SqliteStore) -> None:
    at, rows = now(), SqliteRows(store)
    for n in range(USERS):
        await store.put(Agent(id="a", name="x", draft=False, created_at=at, updated_at=at), owner=UserId(f"u{n}"))
    slots, triggers = [], []
    for number in range(SCHEDULES):
        when = Schedule(cron=f"{number % 60} {number % 24} 1 1 *", timezone="Asia/Seoul")
        user = UserId(f"u{number % USERS}")
        trigger = Trigger(id=f"t{number}", agent="a", schedule=when, counted_from=at, created_at=at, updated_at=at)
        triggers.append((user, trigger))
        slots.append(DueSlot(id=trigger.id, user=user, agent="a", due_at=_next(when, at)))
    await rows.write_records([_row(slot) for slot in slots], owner=SYSTEM)
    for n in range(USERS):
        owner = UserId(f"u{n}")
        await rows.write_records([_row(one) for user, one in triggers if user == owner], owner=owner)


def _next(when: Schedule, at: datetime) -> datetime:
    due = next_after(when, at)
    assert due
    return due


def _row(record: Any) -> Row:
    return Row(kind=table_name(type(record)), id=record.id, body=msgspec.json.encode(record))


async def hundred_thousand(stage: Stage) -> dict[str, Figure]:
    """P18: /runs of a user with a hundred thousand runs: navigation → the rows stand there and the page is usable."""
    samples, filtered = [], []
    async with stage.fresh("many-runs") as product, bench_page(stage.browser, product) as page:
        async with await SqliteStore.open(product.data_dir / "oma.db") as store:
            await _fill_runs(store)
        for _ in range(LOADS):
            samples.append(await _usable_ms(page.page, f"{product.url}/runs"))
            filtered.append(await _usable_ms(page.page, f"{product.url}/runs?state=failed"))
    return {
        "P18_runs_page": figure(samples, rows=RUNS, budget="p50 ≤ 1000"),
        "P18_runs_page_filtered": figure(filtered, budget="p50 ≤ 1000"),
    }


async def _usable_ms(page: Any, url: str) -> float:
    began = time.perf_counter()
    await page.goto(url)
    await page.wait_for_function(
        "window.did_handshake === true && document.querySelectorAll('[data-testid=run-row]').length > 0"
    )
    return (time.perf_counter() - began) * 1000


async def _fill_runs(store: SqliteStore) -> None:
    began, rows = now(), []
    step = timedelta(days=DAYS) / RUNS
    for number in range(RUNS):
        at = began - number * step
        failed = number % 20 == 0
        run = Run(
            id=f"{number:x}", agent=f"a{number % 20}", trigger_kind=TriggerKind.SCHEDULE, trigger="t", at=at, due_at=at,
            created_at=at, started_at=at, finished_at=at, state=RunState.FAILED if failed else RunState.SUCCEEDED,
            reason="no_output" if failed else "ok", result="이슈 11건을 묶어 올렸어요.",
        )  # fmt: skip
        rows.append(_row(run))
    for n in range(20):
        await store.put(Agent(id=f"a{n}", name=f"Agent {n}", created_at=began, updated_at=began), owner=OWNER)
    for first in range(0, RUNS, GROUP):
        await SqliteRows(store).write_records(rows[first : first + GROUP], owner=OWNER)
