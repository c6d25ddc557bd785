"""Web and runner are killed at random moments of a build: the draft is never lost, and nothing of it is made twice."""

import asyncio
import contextlib
import random
import time
from typing import Any

import pytest
from playwright.async_api import TimeoutError, expect

from tests.e2e.conftest import Visit
from tests.e2e.screen import Screen
from tests.product import Product

WISH, ANSWER = "매일 아침 9시에 환율을 알려 줘", "달러만"
SOON_MS = 3_000
BUILD_S = 120.0
LONGEST_S = 10.0  # of a build in which everything is answered at once


async def read(me: Screen, path: str) -> Any:
    answer = await me.page.request.get(f"{me.product.url}/api/v1/{path}")
    return await answer.json()


async def answered(me: Screen) -> bool:
    """Answer the request that is open. A card is drawn anew when its runner dies: then the next look answers it."""
    for form in ("permission", "schedule-proposal", "publish-form"):
        allow = me.get(form).get_by_test_id("allow-always" if form == "permission" else "allow")
        if await allow.count():
            with contextlib.suppress(TimeoutError):
                await allow.first.click(timeout=SOON_MS)
                if form == "permission":
                    await me.get("rule").press("Enter", timeout=SOON_MS)
            return True
    return False


async def build(me: Screen, agent: str, *, until: float) -> None:
    """Answer whatever is asked, and say "go on" where nothing is, until the agent is published."""
    idle = me.get("session-state").and_(me.page.locator("[data-state=idle], [data-state=asleep], [data-state=failed]"))
    while time.monotonic() < until:
        if (await read(me, f"agents/{agent}"))["published"]:
            return
        if not await answered(me) and await idle.count():
            await me.send("다시 시험해 줘" if await me.get("verdict").count() else "계속")
        await me.page.wait_for_timeout(400)
    raise AssertionError("the build did not come to its end")


async def killed(me: Screen, victim: str) -> None:
    """Kill the web or the runner, and come back to the page."""
    if victim == "web":
        await me.product.kill_web()
        await me.product.start_web()
    else:
        await me.product.kill("runner")
    await me.come_back()
    await expect(me.get("composer")).to_be_editable()


async def survive(practice: Product, visit: Visit, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    practice.allow("runner", "gateway", "recover", "session", "turn", "ingest", "socket")
    me = await visit(practice, locale="ko-KR")
    me.allow_disconnects()
    me.allow("Failed to load resource")
    await me.sign_in()
    for number in range(1, kills + 1):
        await me.page.goto(practice.url + "/dashboard")
        await me.new_agent()
        agent = me.agent
        await me.say(WISH)
        await me.until_turns(1, within_s=BUILD_S)
        await me.say(ANSWER)
        pause_s, victim = dice.uniform(0.0, LONGEST_S), dice.choice(("web", "runner"))
        building = asyncio.create_task(build(me, agent, until=time.monotonic() + pause_s))
        await asyncio.wait([building])
        building.exception()  # it had no time to come to its end, or did
        await killed(me, victim)
        await build(me, agent, until=time.monotonic() + BUILD_S)
        triggers = (await read(me, f"agents/{agent}/triggers"))["triggers"]
        versions = (await read(me, f"agents/{agent}/versions"))["versions"]
        assert (len(triggers), len(versions)) == (1, 1), f"kill {number} of the {victim} after {pause_s:.1f} s"
        assert len((await read(me, "agents"))["agents"]) == number
        assert (await read(me, f"agents/{agent}"))["definition"]["name"] == "환율 알림이"


async def test_a_build_survives_the_death_of_web_and_runner(practice: Product, visit: Visit) -> None:
    await survive(practice, visit, kills=2, seed=7)


@pytest.mark.proof
async def test_a_build_survives_twenty_deaths_of_web_and_runner(practice: Product, visit: Visit) -> None:
    await survive(practice, visit, kills=20, seed=11)
