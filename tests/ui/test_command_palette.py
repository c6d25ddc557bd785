"""Ctrl/⌘ K: from any page to any agent, session or place."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from core.domain.records import Agent, Session, now
from tests.ui.conftest import Open, Serve, ready
from tests.ui.test_page_frame import judge
from ui.layout.command_palette import rows
from ui.layout.i18n import words
from ui.workspace.session_list import rows as listed

AT = now() - timedelta(hours=1)


def test_rows_are_agents_then_places_then_talks_and_what_is_archived_comes_last() -> None:
    agents = [
        Agent(id="a", name="Notes", description="Writes.", draft=False, created_at=AT, updated_at=AT),
        Agent(id="b", name="Old", archived=True, created_at=AT, updated_at=AT),
        Agent(id="c", created_at=AT, updated_at=AT),
        Agent(id="d", created_at=AT, updated_at=AT),  # nothing was done with it: it is in no list
    ]
    sessions = [
        Session(id="s", agent="b", title="A talk", created_at=AT, updated_at=AT),
        Session(id="u", agent="c", title="Begun", created_at=AT, updated_at=AT),
        Session(id="v", agent="d", created_at=AT, updated_at=AT),
        Session(id="t", agent="gone", title="Of a deleted agent", created_at=AT, updated_at=AT),
    ]
    shown = rows(agents, sessions, words=words("en"))
    acts = [row.get("act") or row["href"] for row in shown if row.get("act") or row["href"].endswith("/run")]
    themes, locales = ["theme-system", "theme-light", "theme-dark"], ["locale-ko", "locale-en"]
    assert acts == ["new", "/agents/a/run", *themes, *locales, "keys"], "neither drafts nor archived agents are run"
    found = [(row["text"], row["note"], row["href"]) for row in shown if (row.get("act") or row["href"]) not in acts]
    assert found == [
        ("Notes", "Writes.", "/workspace/a"),
        ("Untitled agent", "Draft", "/workspace/c"),
        ("Inbox", "", "/inbox"),
        ("Runs", "", "/runs"),
        ("Settings", "", "/settings"),
        ("A talk", "Old", "/workspace/b?session=s"),
        ("Begun", "Untitled agent", "/workspace/c?session=u"),
        ("Old", "Archived", "/workspace/b"),
    ]


def test_the_session_in_which_an_agent_was_made_is_not_called_like_the_agent() -> None:
    agent = Agent(id="a", name="Notes", created_at=AT, updated_at=AT)
    made = Session(id="s", agent="a", kind="builder", title="Notes", created_at=AT, updated_at=AT)
    chat = Session(id="t", agent="a", title="Notes", created_at=AT, updated_at=AT)
    named = [row["title"] for row in listed([made, chat], agent=agent, words=words("en"))]
    assert named == ["Building the agent", "Notes"]
    found = [row["text"] for row in rows([agent], [made, chat], words=words("en"))]
    assert found[-2:] == ["Building the agent", "Notes"]


async def test_a_few_letters_and_enter_lead_to_an_agent(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await expect(page.get_by_role("option").first).to_be_visible()
    await page.keyboard.type("논문 읽")
    await expect(page.get_by_role("option")).to_have_count(3)  # the agent, to run it, and what was said
    await expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/workspace/\w{12}$"))


async def test_arrows_choose_and_go_round(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await page.get_by_test_id("search").click()
    options = page.get_by_role("option")
    await expect(options.first).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    await expect(page.get_by_role("combobox")).to_have_attribute("aria-activedescendant", "palette-1")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    await expect(options.last).to_have_attribute("aria-selected", "true")


async def test_escape_leaves_it_where_it_was_and_what_is_not_there_is_said(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await page.get_by_test_id("search").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.type("zzz")
    await expect(page.get_by_text("찾는 것이 없어요")).to_be_visible()
    await judge(page)
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("palette")).to_be_hidden()
    await expect(page.get_by_test_id("search")).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("combobox")).to_have_value("")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_test_id("palette")).to_be_hidden()


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
async def test_it_breaks_no_rule_of_accessibility(serve: Serve, open_page: Open, phone: bool) -> None:
    page = await open_page(await serve() + "/dashboard", phone=phone)
    await look(page)
    await judge(page)


async def test_it_acts_and_a_question_mark_shows_the_keys_unless_somebody_types(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await page.get_by_test_id("search").click()
    await page.get_by_role("combobox").fill("어둡")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.locator("body").click(position={"x": 1, "y": 1})
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("keys")).to_be_visible()
    await judge(page)
    await page.keyboard.press("Escape")
    await page.get_by_test_id("search").click()
    await page.keyboard.type("?")
    await expect(page.get_by_role("combobox")).to_have_value("?")
    await expect(page.get_by_test_id("keys")).to_be_hidden()


async def look(page: Page) -> None:
    await ready(page)
    await page.get_by_test_id("search").click()
    await expect(page.get_by_role("option").first).to_be_visible()
