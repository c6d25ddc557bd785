"""P3, P3b and P4: the first words when something has to wake up or start first."""

import asyncio
import time
import uuid

from bench.figures import Figure, figure
from bench.page import BenchPage, bench_page, new_agent
from bench.raw_cli import raw_cli
from bench.setup import Stage

ROUNDS = 8
SLEEPS = 16  # the CLI's own start takes 450 or 650 ms, with little between
STARTS = 3  # of a whole box or product: slow, and steady enough
TYPING_S = 1.5  # what a person needs to type a first message; the CLI is started while they do
SLEEP_S = 10.0
SETTLE_S = 1.0  # after a death, for all to have noticed and the kernel to have cleaned up


async def asleep(stage: Stage) -> dict[str, Figure]:
    """P3: the session sleeps; resumed when its page opens, when a message is sent, and with the runner gone too."""
    when_opened, when_sent, runner_down, raw, raw_waiting = [], [], [], [], []
    session = await raw_session(stage)
    for number in range(SLEEPS):
        await put_to_sleep(stage)
        await stage.page.goto(stage.page.page.url)
        await asyncio.sleep(TYPING_S)
        when_opened.append(await first_text(stage.page, f"after opening {number}"))
        await put_to_sleep(stage)
        when_sent.append(await first_text(stage.page, f"from sleep {number}"))
        raw.append(await raw_resume(stage, session, number))
        raw_waiting.append(await raw_first(stage, f"waiting {number}", "--resume", session))
    for number in range(STARTS):
        await stage.product.kill("runner")
        await asyncio.sleep(SETTLE_S)
        runner_down.append(await first_text(stage.page, f"without a runner {number}"))
    return {
        "P3_resumed_when_page_opens": figure(
            when_opened, raw=figure(raw_waiting), budget="p50 ≤ 270", typing_s=TYPING_S
        ),
        "P3_resumed_at_send": figure(
            when_sent,
            raw=figure(raw),
            ratio=round(figure(when_sent)["p50"] / figure(raw)["p50"], 2),
            budget="ratio ≤ 1.1",
        ),
        "P3_runner_down": figure(runner_down, budget="p50 ≤ 2000"),
    }


async def put_to_sleep(stage: Stage) -> None:
    """End the CLI while nothing is going on, and wait until the page says so."""
    await stage.product.kill("cli")
    await stage.page.page.wait_for_selector(
        "[data-testid=session-state][data-state=asleep]", timeout=SLEEP_S * 1000, state="attached"
    )
    await asyncio.sleep(SETTLE_S)  # what sleeps has slept for a while: its end is not part of its waking


async def first_text(page: BenchPage, text: str) -> float:
    """Send a message; return the milliseconds from Enter to the first text in the DOM."""
    one = await page.say(text, words=4)
    await asyncio.sleep(0.3)
    return (one.first_text_at - one.sent_at) * 1000


async def raw_session(stage: Stage) -> str:
    """Make a conversation for the raw CLI to resume, as long as the product's is: reading it takes time."""
    session, events = str(uuid.uuid4()), await stage.page.screen.events()
    async with raw_cli(stage.recipe, "--session-id", session) as cli:
        for number in range(sum(event["type"] == "turn_finished" for event in events)):
            await cli.ask(f"something to resume {number}")
    return session


async def raw_resume(stage: Stage, session: str, number: int) -> float:
    """Spawn with --resume and write the message at once; return the milliseconds to the first text."""
    began = time.monotonic()
    async with raw_cli(stage.recipe, "--resume", session) as cli:
        answer = await cli.ask(f"resumed {number}")
    return (answer.first_text_at - began) * 1000


async def raw_first(stage: Stage, text: str, *words: str) -> float:
    """Return the milliseconds of the first message of a CLI that has been ready for as long as typing takes."""
    async with raw_cli(stage.recipe, *words) as cli:
        await cli.initialize()
        await asyncio.sleep(TYPING_S)
        answer = await cli.ask(text)
    return (answer.first_text_at - answer.written_at) * 1000


async def new_session(stage: Stage) -> dict[str, Figure]:
    """P3b: a new session of an agent, written to after the time that typing takes."""
    samples, raw, spawned = [], [], []
    agent = stage.page.screen.agent
    for number in range(ROUNDS):
        await open_session(stage, agent)
        await asyncio.sleep(TYPING_S)
        samples.append(await first_text(stage.page, f"a new session {number}"))
        began = time.monotonic()
        async with raw_cli(stage.recipe, "--session-id", str(uuid.uuid4())) as cli:
            spawned.append((await cli.ask(f"spawned {number}")).first_text_at - began)
        raw.append(await raw_first(stage, f"waiting {number}", "--session-id", str(uuid.uuid4())))
    return {
        "P3b_new_session": figure(
            samples,
            budget="p50 ≤ 300",
            typing_s=TYPING_S,
            raw_started_beforehand=figure(raw),
            raw_spawn=figure([s * 1000 for s in spawned]),
        )
    }


async def open_session(stage: Stage, agent: str) -> None:
    """Make a session by the API and go to its page."""
    url = stage.product.url
    answer = await stage.page.page.request.post(f"{url}/api/v1/agents/{agent}/sessions", headers={"Origin": url})
    assert answer.ok, f"{answer.status} {await answer.text()}"
    session = (await answer.json())["id"]
    await stage.page.goto(f"{url}/workspace/{agent}?session={session}")


async def new_user(stage: Stage) -> dict[str, Figure]:
    """P4: a user nobody has seen before, nothing of theirs running: the first message typed at once."""
    from_enter, from_click = [], []
    for number in range(STARTS):
        async with stage.fresh(f"new-user-{number}") as product, bench_page(stage.browser, product) as page:
            clicked = time.monotonic()
            await new_agent(page)
            one = await page.say("my first message", words=5)
            from_enter.append((one.first_text_at - one.sent_at) * 1000)
            from_click.append((one.first_text_at - clicked) * 1000)
    return {"P4_new_user": figure(from_enter, budget="p50 ≤ 2500", from_click_on_new_agent=figure(from_click))}
