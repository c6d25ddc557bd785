"""An agent works by itself, as a person sees it: run it, answer it, read why it ended, give it a schedule."""

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge
from tests.model_server import ModelServer
from tests.product import Product


@pytest_asyncio.fixture(loop_scope="session")
async def shared(start: Start, model: ModelServer) -> Product:
    return await start(model_url=model.url)


async def enter(me: Screen) -> None:
    """Signed in, at the page of a new agent's runs and schedules."""
    await me.sign_in()
    await me.new_agent()
    await me.get("agent-menu").click()
    await me.get("to-operate").click()
    await me.page.wait_for_url("**/operate")
    await me.page.wait_for_function("window.did_handshake === true")


async def begin(me: Screen, words: str) -> None:
    await me.get("run-input").fill(words)
    await me.get("run-now").click()
    await me.page.wait_for_url("**/runs/*")
    await me.page.wait_for_function("window.did_handshake === true")


async def test_a_run_that_asks_waits_in_the_inbox_and_ends_well_once_it_is_answered(
    shared: Product, visit: Visit
) -> None:
    me = await visit(shared)
    await enter(me)
    await begin(me, "TOOL(((curl -sS -m 5 http://127.0.0.1:9/; echo done by itself)))")
    state = me.page.locator(".rh .rs")
    await expect(state).to_have_attribute("data-state", "waiting")
    await judge(me, "a run")
    inbox = await me.another_tab()
    await inbox.page.goto(f"{shared.url}/inbox")
    await inbox.get("allow").click()
    await expect(state).to_have_attribute("data-state", "succeeded")
    await expect(me.get("transcript")).to_contain_text("done by itself")
    await me.page.goto(f"{shared.url}/runs")
    row = me.page.locator("[data-testid=run-row][data-state=succeeded][data-trigger=person]")
    await expect(row).to_have_count(1)
    await expect(me.get("timeline")).to_be_visible()
    await judge(me, "runs")


async def test_a_run_is_cancelled_and_done_again(shared: Product, visit: Visit) -> None:
    me = await visit(shared)
    await enter(me)
    await begin(me, "TOOL(((curl -sS -m 5 http://127.0.0.1:9/; sleep 300)))")
    await expect(me.page.locator(".rh .rs")).to_have_attribute("data-state", "waiting")
    await me.get("cancel-run").click()
    await expect(me.page.locator(".rh .rs")).to_have_attribute("data-state", "cancelled")
    cancelled = me.page.url
    await me.get("retry").click()
    await me.page.wait_for_function(f"location.href !== '{cancelled}'")
    await expect(me.page.locator(".rh .rs")).to_have_attribute("data-state", "waiting")


@pytest.mark.parametrize(("locale", "phone"), [("ko-KR", True), ("en-US", False)])
async def test_a_schedule_shows_its_next_times_while_one_types_and_is_paused_and_resumed(
    shared: Product, visit: Visit, locale: str, phone: bool
) -> None:
    me = await visit(shared, locale=locale, phone=phone)
    await enter(me)
    await me.get("schedule-new").click()
    box, times = me.get("schedule-when"), me.get("next-times").locator("li")
    await box.fill("평일 오전 9시" if locale == "ko-KR" else "weekdays at 9 am")
    await expect(me.get("next-times")).to_contain_text("0 9 * * 1-5")
    await expect(times).to_have_count(5)
    await box.fill("now and then")
    await expect(times).to_have_count(0)
    await box.fill("30 18 1 * *")
    await expect(times).to_have_count(5)
    await judge(me, "a schedule")
    await me.get("schedule-save").click()
    row = me.get("trigger-row")
    await expect(row).to_have_attribute("data-enabled", "true")
    await me.get("trigger-pause").click()
    await expect(row).to_have_attribute("data-enabled", "false")
    await me.get("trigger-resume").click()
    await expect(row).to_have_attribute("data-enabled", "true")
    await me.get("trigger-delete").click()
    await expect(row).to_have_count(0)


async def test_an_agent_whose_policy_is_to_deny_goes_on_without_asking_anybody(shared: Product, visit: Visit) -> None:
    me = await visit(shared)
    await enter(me)
    await me.get("otherwise-deny").check()
    await expect(me.page.get_by_text("Saved. It applies")).to_be_visible()
    await me.page.reload()
    await me.page.wait_for_function("window.did_handshake === true")
    await expect(me.get("otherwise-deny")).to_be_checked()
    await begin(me, "TOOL(((curl -sS -m 5 http://127.0.0.1:9/; echo done by itself)))")
    await expect(me.page.locator(".rh .rs")).to_have_attribute("data-state", "succeeded")
    await expect(me.get("transcript")).to_contain_text("the agent's policy does not allow this")
    await me.page.goto(f"{shared.url}/inbox")
    await expect(me.get("request")).to_have_count(0)
