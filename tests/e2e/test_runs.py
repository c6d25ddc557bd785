"""An agent works by itself, as a person sees it: run it, answer it, read why it ended, give it a schedule."""

import pytest
import pytest_asyncio
from playwright.async_api import expect

from core.domain.agent_inputs import AgentInput, InputKind
from core.domain.records import Agent, UserId
from core.store.sqlite import SqliteStore
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


@pytest.mark.parametrize(("locale", "phone"), [("ko-KR", False), ("en-US", True)])
async def test_a_person_schedules_runs_answers_and_reads(
    shared: Product, visit: Visit, locale: str, phone: bool
) -> None:
    """One walk in each language: schedule, next five, limits, run by a form, answer in the inbox, result, usage."""
    me = await visit(shared, locale=locale, phone=phone)
    await enter(me)
    agent = me.page.url.split("/")[-2]
    await schedule(me, "평일 오전 9시" if locale == "ko-KR" else "weekdays at 9 am")
    await limit(me)
    async with await SqliteStore.open(shared.data_dir / "oma.db") as store:
        inputs = (AgentInput(name="work", required=True), AgentInput(name="n", kind=InputKind.NUMBER, default="3"))
        await store.change(Agent, agent, owner=UserId("local-owner"), inputs=inputs, draft=False, name="walker")
    await run_by_form(me, agent)
    await answer_and_read(me, agent)


async def schedule(me: Screen, words: str) -> None:
    """Make a schedule while looking at its next times, change it, pause it with a reason, and resume it."""
    await me.get("schedule-new").click()
    box, times = me.get("schedule-when"), me.get("next-times").locator("li")
    await box.fill(words)
    await expect(me.get("next-times")).to_contain_text("0 9 * * 1-5")
    await expect(times).to_have_count(5)
    await box.fill("now and then")
    await expect(times).to_have_count(0)
    await me.get("kind-once").click()
    await me.get("schedule-at").fill("2039-05-01T09:30")
    await expect(times).to_have_count(1)
    await me.get("kind-monthly").click()
    await expect(me.get("next-times")).to_contain_text("0 9 1 * *")
    await judge(me, "a schedule")
    await me.get("schedule-save").click()
    row = me.get("trigger-row")
    await expect(row).to_have_attribute("data-enabled", "true")
    await row.get_by_test_id("trigger-edit").click()
    form = row.get_by_test_id("schedule-form")
    await form.get_by_test_id("pause-after").fill("2")
    await form.get_by_test_id("overlap-queue").check()
    await form.get_by_test_id("schedule-when").fill(words)
    await expect(form.get_by_test_id("next-times")).to_contain_text("0 9 * * 1-5")
    await form.get_by_test_id("schedule-save").click()
    await expect(form).to_have_count(0)
    await me.get("trigger-pause").click()
    await me.get("pause-why").fill("holidays")
    await me.get("pause-sure").click()
    await expect(row).to_have_attribute("data-enabled", "false")
    await expect(row).to_contain_text("holidays")
    await me.get("trigger-resume").click()
    await expect(row).to_have_attribute("data-enabled", "true")


async def limit(me: Screen) -> None:
    """Set a limit of the agent; one that is no number is refused beside the form."""
    await me.get("limit-run_usd").fill("a lot")
    await me.get("limit-save").click()
    await expect(me.get("limit-error")).not_to_be_empty()
    await me.get("limit-run_usd").fill("2.5")
    await me.get("limit-save").click()
    await expect(me.get("limit-error")).to_be_empty()
    await me.page.reload()
    await me.page.wait_for_function("window.did_handshake === true")
    await expect(me.get("limit-run_usd")).to_have_value("2.5")


async def run_by_form(me: Screen, agent: str) -> None:
    """Start a run from the card, by the form of the agent's inputs."""
    await me.page.goto(f"{me.product.url}/dashboard")
    card = me.page.locator(f"[data-agent='{agent}']")
    await expect(card.get_by_test_id("next-run")).to_be_visible()
    await card.get_by_test_id("card-menu").click()
    await card.get_by_test_id("card-run").click()
    await me.page.wait_for_url("**/run")
    await me.page.wait_for_function("window.did_handshake === true")
    await judge(me, "a run's form")
    await me.get("run-now").click()
    await expect(me.get("run-input").locator(".bad").first).not_to_be_empty()
    await me.get("input-work").fill("TOOL(((curl -sS -m 5 http://127.0.0.1:9/; echo done by itself)))")
    await me.get("run-now").click()
    await me.page.wait_for_url("**/runs/*")
    await me.page.wait_for_function("window.did_handshake === true")


async def answer_and_read(me: Screen, agent: str) -> None:
    """Answer the run's request in the inbox, and read its result, the reason's page, the list, and the usage."""
    state, page = me.page.locator(".rh .rs"), me.page.url
    await expect(state).to_have_attribute("data-state", "waiting")
    await expect(me.get("run-input-shown")).to_contain_text("n: 3")
    await me.page.goto(f"{me.product.url}/inbox")
    await me.get("allow").first.click()
    await me.page.goto(page)
    await expect(state).to_have_attribute("data-state", "succeeded")
    await expect(me.get("transcript")).to_contain_text("done by itself")
    await judge(me, "a run")
    await me.get("why").get_by_role("link").click()
    await expect(me.page.locator("h1")).to_have_text("ok")
    await judge(me, "a reason")
    await me.page.goto(f"{me.product.url}/runs?agent={agent}&trigger=person")
    row = me.page.locator("[data-testid=run-row][data-state=succeeded][data-trigger=person]")
    await expect(row).to_have_count(1)
    await judge(me, "runs")
    await me.page.goto(f"{me.product.url}/runs?agent={agent}&trigger=api")
    await expect(me.get("run-row")).to_have_count(0)
    await me.page.goto(f"{me.product.url}/usage")
    await expect(me.page.locator(f"[data-testid=usage-row][data-key='{agent}']")).to_contain_text("US$")
    await judge(me, "usage")
    await me.page.goto(f"{me.product.url}/usage?whose=all&period=week")
    await expect(me.get("quota-row")).to_have_count(1)
    await judge(me, "usage of all")
    await me.page.goto(f"{me.product.url}/dashboard")
    await expect(me.page.locator(f"[data-agent='{agent}']").get_by_test_id("last-run")).to_be_visible()


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
