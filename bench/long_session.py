"""P9: opening a session of 5,000 events, against opening one of 50."""

import uuid
from urllib.parse import urlsplit

from bench.figures import Figure, figure
from bench.page import bench_page
from bench.setup import Stage
from core.domain.events import AnyEvent, SessionOpened, Text, ToolCalled, ToolReturned, TurnFinished, UserSaid, numbered
from core.domain.records import Session, UserId, now
from core.store.sqlite import SqliteStore

SHORT, LONG = 50, 5_000
LOADS = 6
OWNER = UserId("local-owner")


async def opening(stage: Stage) -> dict[str, Figure]:
    """Milliseconds until the composer can be used, with the browser's cache filled."""
    agent = urlsplit(stage.page.page.url).path.rsplit("/", 1)[-1]
    samples: dict[int, list[float]] = {SHORT: [], LONG: []}
    async with await SqliteStore.open(stage.product.data_dir / "oma.db") as store:
        names = {count: await _fill(store, agent, count) for count in samples}
    async with bench_page(stage.browser, stage.product, like=stage.page.screen) as page:
        for _ in range(LOADS):
            for count, name in names.items():
                await page.page.goto(stage.product.url + "/dashboard")
                await page.page.goto(f"{stage.product.url}/workspace/{agent}?session={name}")
                samples[count].append(await page.usable())
                assert await page.page.locator("[data-testid=transcript] .item").count() > 10
    short, long = figure(samples[SHORT]), figure(samples[LONG], budget="≤ 1.5 × one of 50 events")
    return {"P9_open_50_events": short, "P9_open_5000_events": long}


async def _fill(store: SqliteStore, agent: str, count: int) -> str:
    """A session with so many events; its name."""
    name = str(uuid.uuid4())
    at = now()
    session = Session(id=name, agent=agent, title=f"{count} events", created_at=at, updated_at=at, last_seq=count)
    await store.put(session, owner=OWNER)
    events: list[AnyEvent] = [SessionOpened(agent=agent)]
    while len(events) < count:
        turn = f"m{len(events)}"
        events += [
            UserSaid(message_id=turn, text="What changed today?"),
            ToolCalled(id=turn, name="Bash", input={"command": "git log --since=today"}),
            ToolReturned(id=turn, ok=True, content="\x1b[33m0a1b2c3\x1b[0m Sort the inbox\n" * 8),
            Text(message=turn, block=0, text="One commit, **0a1b2c3**, which sorts the inbox.\n\n- `inbox.py`\n"),
            TurnFinished(outcome="ok", duration_s=2.0),
        ]
    stored = [numbered(event, seq=seq, at=at) for seq, event in enumerate(events[:count], start=1)]
    for first in range(0, count, 500):
        await store.append(name, stored[first : first + 500], owner=OWNER)
    return name
