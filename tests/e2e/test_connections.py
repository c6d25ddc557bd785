"""Walks of an agent's connections: where it may connect, where it did, and how its owner changes that, with a fake
internet.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.core.gateway.egress.proxy import server
from tests.core.gateway.egress.test_real_box import CANARY, page
from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge, speaks
from tests.model_server import ModelServer
from tests.product import Product

INTERNET = Path(__file__).parent / "internet"
BOTH = "for h in shop other; do curl -sS -m 10 http://$h.example/; echo; done"


@pytest_asyncio.fixture(loop_scope="session")
async def shared(start: Start, model: ModelServer) -> AsyncIterator[Product]:
    async with server(page) as port:
        world = f"shop.example=93.184.215.14:{port},other.example=93.184.215.15:{port}"
        yield await start(model_url=model.url, PYTHONPATH=str(INTERNET), TEST_INTERNET=world)


async def enter(screen: Screen) -> str:
    """Signed in, at a new agent's page of connections; the address of its workspace."""
    await screen.sign_in()
    await screen.new_agent()
    workspace = screen.page.url
    await screen.get("agent-menu").click()
    await screen.get("to-connections").click()
    await listens(screen)
    return workspace


async def listens(screen: Screen) -> None:
    await screen.page.wait_for_url("**/connections")
    await screen.page.wait_for_function("window.did_handshake === true")


async def add(screen: Screen, host: str) -> None:
    await screen.get("new-host").fill(host)
    await screen.get("new-host").press("Enter")


def row(screen: Screen, host: str, decision: str) -> Locator:
    return screen.page.locator(f"[data-testid=connection][data-host='{host}'][data-decision={decision}]")


async def test_a_user_sees_what_was_refused_allows_it_with_one_press_and_it_works(
    shared: Product, visit: Visit
) -> None:
    me = await visit(shared)
    workspace = await enter(me)
    await expect(me.get("log-empty")).to_be_visible()
    await expect(me.get("reach-public")).to_have_attribute("aria-pressed", "true")
    await me.get("reach-listed").click()
    await expect(me.get("block-all")).to_be_visible()  # an empty list is not in force before somebody says so
    await expect(me.get("reach-note")).to_contain_text("any public host can still be reached")
    await me.page.reload()
    await expect(me.get("reach-public")).to_have_attribute("aria-pressed", "true")
    await me.get("reach-listed").click()
    await me.get("block-all").click()
    await expect(me.get("empty-list")).to_be_visible()
    await add(me, "https://shop.example/a/page")
    await expect(me.get("allowed-host")).to_have_text(["shop.exampleRemove"])
    await expect(me.get("new-host")).to_have_value("")
    agent = await me.another_tab()
    await agent.page.goto(workspace)
    await agent.say(f"TOOL((({BOTH})))")
    await agent.get("allow").click()
    said = str((await agent.until_turns(1))[-4:])
    assert said.count(CANARY) >= 1
    # the page that has been open all the time
    await expect(row(me, "shop.example", "connected")).to_contain_text("received")
    await expect(row(me, "other.example", "refused")).to_contain_text("not on the list")
    await expect(row(me, "shop.example", "connected").get_by_test_id("allow-host")).to_have_count(0)
    await row(me, "other.example", "refused").get_by_test_id("allow-host").click()
    await expect(me.get("allowed-host")).to_have_count(2)
    await expect(me.get("allow-host")).to_have_count(0)
    await agent.say(f"TOOL((({BOTH})))")
    await agent.get("allow").click()
    await agent.until_turns(2)
    await expect(row(me, "other.example", "connected")).to_have_count(1)
    await me.get("allowed-host").first.get_by_test_id("remove-host").click()
    await expect(me.get("allowed-host")).to_have_count(1)


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light desk", "dark phone"])
async def test_what_cannot_be_allowed_is_said_at_the_field_and_the_page_is_accessible(
    shared: Product, visit: Visit, dark: bool, phone: bool
) -> None:
    me = await visit(shared, locale="ko-KR" if dark else "en-US", dark=dark, phone=phone)
    await enter(me)
    await judge(me, "connections of a new agent")
    await me.get("reach-listed").focus()
    await me.page.keyboard.press("Enter")
    for host, part in (
        ("localhost", "내부 네트워크" if dark else "networks cannot be allowed"),
        ("10.0.0.1", "내부 네트워크" if dark else "networks cannot be allowed"),
        ("*com", "example.com"),
        ("<b>x</b>", "example.com"),
    ):
        await add(me, host)
        await expect(me.get("host-error")).to_contain_text(part)
        await expect(me.get("new-host")).to_have_value(host)
    await expect(me.get("allowed-host")).to_have_count(0)
    await add(me, "*.example.com")
    await expect(me.get("allowed-host")).to_have_count(1)
    await expect(me.get("host-error")).to_be_empty()
    await expect(me.get("toast")).to_be_visible()
    await judge(me, "connections")
    await speaks(me, dark)
    await me.page.reload()
    await expect(me.get("allowed-host")).to_have_count(1)
    await me.get("reach-public").click()
    await expect(me.get("new-host")).to_be_hidden()
    await me.get("reach-listed").click()
    await expect(me.get("allowed-host")).to_have_count(1)  # the list was kept
    await me.page.goto(shared.url + "/settings")
    await expect(me.get("reach").first).to_contain_text("1")
