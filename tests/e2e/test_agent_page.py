"""One agent's page, walked by a person: changed by form and chat at once, published, compared, brought back."""

import asyncio
import re

from playwright.async_api import Locator, expect

from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import PHONE, Screen
from tests.e2e.test_pages import judge
from tests.model_server import ModelServer
from tests.timeouts import PATIENCE_S

THEIRS = "The chat has written this."
SECTIONS = ("instructions", "permissions", "about", "model", "inputs", "secrets", "hosts", "schedule", "versions")


def section(screen: Screen, key: str) -> Locator:
    return screen.page.locator(f"[data-testid=draft-field][data-field={key}]")


async def open_agent(screen: Screen, agent: str) -> None:
    await screen.page.goto(f"{screen.product.url}/agents/{agent}")
    await screen.page.wait_for_function("window.did_handshake === true")
    await expect(screen.get("draft-panel")).to_be_visible()


async def unfold(screen: Screen, key: str) -> None:
    if await section(screen, key).locator("details").first.get_attribute("open") is None:
        await section(screen, key).locator("summary").first.click()


async def test_an_agent_is_changed_by_form_and_chat_published_compared_and_brought_back(
    start: Start, visit: Visit, model: ModelServer
) -> None:
    product = await start(model_url=model.url)
    chat = await visit(product)
    await chat.sign_in()
    await chat.new_agent()
    agent = chat.agent
    await chat.say(f"WRITE(((CLAUDE.md)))((({'# Digest'}\nRead the issues.))) done")
    await chat.until_state("idle")
    form = await chat.another_tab()
    await open_agent(form, agent)
    for key in SECTIONS:
        await expect(section(form, key)).to_have_count(1)
    await expect(section(form, "instructions")).to_contain_text("Read the issues.")
    await expect(form.get("publish")).to_be_visible()

    # by form, seen at once on the other page
    other = await form.another_tab()
    await other.page.wait_for_function("window.did_handshake === true")
    await form.get("edit-about").click()
    await form.get("f-about-name").fill("Issue digest")
    await form.get("f-about-description").fill("Reads the issues of the night")
    await form.page.get_by_role("radio", name="issue").check(force=True)
    await form.get("save-about").click()
    await expect(form.page.locator("h1")).to_have_text("Issue digest")
    await expect(other.page.locator("h1")).to_have_text("Issue digest")
    await expect(section(other, "about")).to_have_class(re.compile(r"\bglow\b"))
    await expect(section(form, "about")).not_to_have_class(re.compile(r"\bglow\b"))

    # the same section at once: both are shown, and one is chosen
    await form.get("edit-model").click()
    await other.get("edit-model").click()
    await form.get("f-model-effort").select_option("low")
    await other.get("f-model-effort").select_option("high")
    await form.get("save-model").click()
    await expect(section(form, "model").locator("dl")).to_be_visible()
    await other.get("save-model").click()
    await expect(other.get("conflict-theirs")).to_have_text("low")
    await expect(other.get("conflict-mine")).to_have_text("high")
    await judge(other, "a conflict")
    await other.get("use-mine").click()
    await expect(section(form, "model").locator("dl")).to_contain_text("High")

    # the chat writes the instructions while somebody edits them
    await form.get("edit-instructions").click()
    await form.get("f-instructions-instructions").fill("Mine.")
    await chat.say(f"WRITE(((CLAUDE.md)))((({THEIRS}))) done")
    await chat.until_state("idle")
    await expect(section(other, "instructions")).to_contain_text(THEIRS)
    await form.get("save-instructions").click()
    await expect(form.get("conflict-theirs")).to_have_text(THEIRS)
    await form.get("use-mine").click()
    await expect(section(other, "instructions").get_by_test_id("instructions")).to_have_text("Mine.")

    # published, changed, compared, brought back
    await form.get("publish").click()
    await form.get("publish-note").fill("the first one")
    await judge(form, "the sheet that publishes")
    await form.get("publish-now").click()
    await expect(form.get("published-version")).to_contain_text("v1")
    await expect(form.get("draft-differs")).to_be_hidden()
    await form.get("edit-instructions").click()
    await form.get("f-instructions-instructions").fill("Broken.")
    await form.get("save-instructions").click()
    await expect(form.get("draft-differs")).to_be_visible()
    await unfold(form, "versions")
    row = form.page.locator("[data-testid=version-row][data-version='1']")
    await expect(row).to_contain_text("the first one")
    await row.get_by_test_id("version-compare").click()
    await expect(form.get("version-diff")).to_contain_text("CLAUDE.md")
    await row.get_by_test_id("version-restore").click()
    await expect(section(form, "instructions").get_by_test_id("instructions")).to_have_text("Mine.")
    await expect(section(other, "instructions").get_by_test_id("instructions")).to_have_text("Mine.")
    await expect(form.get("draft-differs")).to_be_hidden()

    # a host, an input; every section open, on a desktop and a phone
    await form.get("edit-inputs").click()
    await form.get("input-add").click()
    await form.get("input-name").fill("repo")
    await form.get("save-inputs").click()
    await expect(section(form, "inputs")).to_contain_text("repo")
    for key in SECTIONS:
        await unfold(form, key)
    await form.get("edit-hosts").click()
    await judge(form, "every section open")
    await form.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await judge(form, "every section open on a phone")

    # the same sections beside the conversation
    await chat.page.evaluate("document.cookie = 'oma_panel=agent; path=/'")
    await chat.reload()
    beside = chat.page.locator("[role=tabpanel][data-tab=agent]")
    await expect(beside.get_by_test_id("draft-panel")).to_be_visible()
    await expect(beside.locator("[data-field=about]")).to_contain_text("Reads the issues of the night")
    await judge(chat, "the agent beside the conversation")


async def test_an_agents_page_can_be_read_while_its_box_sleeps(start: Start, visit: Visit, model: ModelServer) -> None:
    product = await start(model_url=model.url, OMA_IDLE_RUNNER_S="1")
    me = await visit(product, locale="ko-KR", dark=True)
    await me.sign_in()
    await me.new_agent()
    agent = me.agent
    await me.say("WRITE(((CLAUDE.md)))(((Sleep well.))) done")
    await me.until_state("idle")
    await open_agent(me, agent)
    await expect(section(me, "instructions")).to_contain_text("Sleep well.")
    async with asyncio.timeout(PATIENCE_S):
        while product.processes("runner"):
            await asyncio.sleep(0.2)
    await open_agent(me, agent)
    await expect(section(me, "instructions")).to_contain_text("Sleep well.")
    assert not product.processes("runner"), "to look at the page woke the box"
    await judge(me, "an agent asleep")
