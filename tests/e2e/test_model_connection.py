"""The owner pastes a key, hears what it is worth, uses it, and the next turn is the real model's."""

from pathlib import Path

import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge
from tests.model_server import ModelServer
from tests.product import Product

KEY = "sk-ant-api03-not-a-key-of-the-owner-0123456789"


@pytest_asyncio.fixture(loop_scope="session")
async def practising(start: Start, model: ModelServer) -> Product:
    return await start(ANTHROPIC_BASE_URL=model.url)


async def open_settings(me: Screen) -> None:
    await me.page.goto(f"{me.product.url}/settings/model")
    await me.page.wait_for_function("window.did_handshake === true")


async def test_a_pasted_key_is_tried_used_and_seen_nowhere(practising: Product, visit: Visit) -> None:
    me = await visit(practising, locale="en-US")
    await me.sign_in()
    await open_settings(me)
    await expect(me.get("model-provider")).to_have_text("The practice model is in use")
    await judge(me, "model connection")
    await me.get("model-key").fill("too short")
    await me.get("try-key").click()
    await expect(me.page.get_by_role("alert")).to_contain_text("does not look like")
    await me.get("model-key").fill(KEY)
    await me.get("try-key").click()
    await expect(me.get("probe")).to_have_attribute("data-state", "good")
    await expect(me.get("model-key")).to_have_value("")
    await judge(me, "a verdict")
    await me.get("use-model").click()
    await expect(me.get("model-provider")).to_have_text("Connected with an Anthropic API key")
    await expect(me.get("model-connection")).to_contain_text(KEY[-4:])
    assert KEY not in await me.page.content()
    await me.page.wait_for_timeout(2500)  # the gateway looks every two seconds
    await me.page.goto(f"{practising.url}/dashboard")
    await me.new_agent()
    await me.say("SAY(((the real model speaks)))")
    await expect(me.answers.last).to_contain_text("the real model speaks")
    assert KEY not in await me.page.content() + practising.log()
    kept = [path for path in Path(practising.data_dir).rglob("*") if path.is_file() and not path.is_symlink()]
    assert [str(path) for path in kept if KEY.encode() in path.read_bytes()] == []
