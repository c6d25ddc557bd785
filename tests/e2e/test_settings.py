"""/settings: who I am here, my devices, what is always allowed, taking everything along, leaving for good."""

import asyncio
import io
import json
import os
import re
import sqlite3
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.e2e.company import company, enter, open_page
from tests.e2e.conftest import Start, Visit
from tests.e2e.test_pages import judge, speaks
from tests.model_server import ModelServer
from tests.people import ALICE, BOB, CHARLIE
from tests.product import Product

SOON_MS = 30_000  # that it happens; within 2 s is what tests/auth/test_revocation.py is about
LOGIN_PAGE = re.compile("/login")  # with any query: a page that is redirected may reload itself
GONE_S = 60.0
TERM = "lophonequartz"  # part of a word: the full-text index stores a term without what it shares with the one before


@pytest_asyncio.fixture(loop_scope="session")
async def shared(start: Start, model: ModelServer) -> AsyncIterator[Product]:
    async with company(start, model_url=model.url) as product:
        yield product


async def test_it_says_who_i_am_and_remembers_how_i_like_it(shared: Product, visit: Visit) -> None:
    alice = await enter(visit, shared, ALICE)
    await alice.get("user-menu").first.click()
    await alice.get("to-settings").click()
    await alice.page.wait_for_url("**/settings")
    await expect(alice.page.locator("main, .page").first).to_contain_text(ALICE["email"])
    await expect(alice.get("to-admin")).to_have_count(0)
    main = alice.page.locator(".settings")
    await main.get_by_test_id("theme-dark").click()
    await expect(alice.page.locator("html")).to_have_attribute("data-theme", "dark")
    await main.get_by_test_id("locale-ko").click()
    await expect(alice.page.get_by_role("heading", level=1)).to_have_text("설정")
    again = await enter(visit, shared, ALICE)  # another browser: the choice is the account's
    await open_page(again, "/settings")
    await expect(again.page.get_by_role("heading", level=1)).to_have_text("설정")
    await expect(again.page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_a_device_that_is_signed_out_loses_its_page_at_once_and_this_one_stays(
    shared: Product, visit: Visit
) -> None:
    here, there = await enter(visit, shared, ALICE), await enter(visit, shared, ALICE)
    await open_page(here, "/settings")
    await expect(here.get("device")).to_have_count(2)
    await expect(here.get("device").first).to_contain_text("Chrome · Linux")
    await expect(here.get("device").first).to_contain_text("127.0.0.1")
    await expect(here.get("device").first.get_by_test_id("this-device")).to_be_visible()
    await here.get("out-one").click()
    await expect(there.page).to_have_url(LOGIN_PAGE, timeout=SOON_MS)
    await expect(here.get("device")).to_have_count(1)
    await here.get("out-all").click()
    await expect(here.page).to_have_url(LOGIN_PAGE, timeout=SOON_MS)


async def test_a_rule_that_is_taken_back_makes_the_agent_ask_again(shared: Product, visit: Visit) -> None:
    alice = await enter(visit, shared, ALICE)
    await alice.new_agent()
    address = alice.page.url
    command = "TOOL(((bash -c 'echo x >> one.txt')))"
    await alice.say(command)
    await alice.get("allow-always").click()
    await alice.get("allow-always").click()
    await alice.until_turns(1)
    await alice.say(command)
    await alice.until_turns(2)
    await open_page(alice, "/settings")
    await expect(alice.get("rule")).to_have_count(1)
    await alice.get("rule-remove").click()
    await expect(alice.get("no-rules")).to_be_visible()
    await alice.page.goto(address)
    await alice.say(command)
    await expect(alice.permission).to_be_visible()
    await alice.get("deny").click()
    await alice.until_turns(3)


async def test_the_archive_has_my_files_conversations_and_profile(shared: Product, visit: Visit) -> None:
    alice, bob = await enter(visit, shared, ALICE), await enter(visit, shared, BOB)
    for screen, canary in ((alice, "of-alice"), (bob, "of-bob")):
        await screen.new_agent()
        await screen.say(f"TOOL(((bash -c 'echo {canary} > {canary}.txt; ln -s /etc/hostname link')))")
        await screen.get("allow").click()
        await screen.until_turns(1)
    agent, session = alice.agent, alice.session
    await open_page(alice, "/settings")
    async with alice.page.expect_download() as downloading:
        await alice.get("export").click()
    download = await downloading.value
    assert re.fullmatch(r"oh-my-agent-\d{4}-\d\d-\d\d\.zip", download.suggested_filename)
    whole = Path(await download.path()).read_bytes()
    archive = zipfile.ZipFile(io.BytesIO(whole))
    assert archive.testzip() is None
    assert archive.read(f"agents/{agent}/of-alice.txt") == b"of-alice\n"
    assert {"profile.json", f"sessions/{session}.jsonl"} <= set(archive.namelist())
    assert not any(name.endswith("link") for name in archive.namelist())
    events = [json.loads(line) for line in archive.read(f"sessions/{session}.jsonl").splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert json.loads(archive.read("profile.json"))["user"]["email"] == ALICE["email"]
    assert not any(b"of-bob" in archive.read(name) for name in archive.namelist())


async def test_a_deleted_account_is_out_at_once_and_gone_from_everywhere_within_a_minute(
    shared: Product, visit: Visit
) -> None:
    alice, bob = await enter(visit, shared, ALICE), await enter(visit, shared, BOB)
    elsewhere = await enter(visit, shared, ALICE)
    for screen, canary in ((alice, "canary-of-alice"), (bob, "canary-of-bob")):
        await screen.new_agent()
        await screen.say(f"TOOL(((bash -c 'echo {canary} > {canary}.txt')))")
        await screen.get("allow").click()
        await screen.until_turns(1)
    await alice.say(f"N=4000 GAP=0.05 canary-of-alice xy{TERM}")  # a turn under way when the account goes
    await alice.until_word("w3")
    session, agent = alice.session, alice.agent
    page = await alice.page.context.new_page()
    await page.goto(shared.url + "/settings")
    await page.wait_for_function("window.did_handshake === true")
    await page.get_by_test_id("delete-account-open").click()
    await expect(page.get_by_test_id("delete-account")).to_be_in_viewport()
    await expect(page.locator(".sure")).to_contain_text("1 agent")
    await page.get_by_test_id("delete-phrase").fill("delete")
    await page.get_by_test_id("delete-account").click()
    await expect(page.locator(".sure [role=alert]")).to_contain_text("Nothing was deleted")
    assert found_in(shared.data_dir, "canary-of-alice"), "the search finds what is there"
    assert "message_index_data" in tables_with(shared.data_dir / "oma.db", TERM), "the full-text index has it"
    await page.get_by_test_id("delete-phrase").fill("Delete  everything")
    began = time.monotonic()
    await page.get_by_test_id("delete-account").click()
    for tab in (page, alice.page, elsewhere.page):
        await expect(tab).to_have_url(LOGIN_PAGE, timeout=SOON_MS)
    words = (ALICE["email"], ALICE["name"], session, "canary-of-alice", TERM)
    while left := {word: where for word in words if (where := found_in(shared.data_dir, word))}:
        assert time.monotonic() - began < GONE_S, left
        await asyncio.sleep(0.5)
    assert tables_with(shared.data_dir / "oma.db", "alice") <= {"audit"}
    assert tables_with(shared.data_dir / "oma.db", agent) == {"audit"}, "who made what stays told, by ids"
    assert len(shared.processes("runner")) == 1
    assert found_in(shared.data_dir, "canary-of-bob")
    await bob.say("hello")
    again = await enter(visit, shared, ALICE)
    await expect(again.get("agent-card")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("locale", "phone"), [("ko-KR", False), ("en-US", True)], ids=["desk", "phone"])
async def test_it_is_accessible_and_speaks_one_language(
    lent: Product, visit: Visit, locale: str, phone: bool, dark: bool
) -> None:
    screen = await visit(lent, locale=locale, phone=phone, dark=dark)
    await screen.sign_in()
    await open_page(screen, "/settings")
    await screen.get("delete-account-open").click()
    await judge(screen, "settings")
    await speaks(screen, locale.startswith("ko"))


async def test_charlie_sees_nothing_of_alice(shared: Product, visit: Visit) -> None:
    alice, charlie = await enter(visit, shared, ALICE), await enter(visit, shared, CHARLIE)
    await alice.new_agent()
    await open_page(charlie, "/settings")
    await expect(charlie.get("device")).to_have_count(1)
    await expect(charlie.page.locator("body")).not_to_contain_text(ALICE["email"])
    await charlie.page.request.post(shared.url + "/settings/export", headers={"Origin": shared.url})
    answer = await charlie.page.request.post(shared.url + "/settings/export", headers={"Origin": shared.url})
    archive = zipfile.ZipFile(io.BytesIO(await answer.body()))
    assert archive.namelist() == ["profile.json"]
    assert ALICE["email"].encode() not in archive.read("profile.json")
    stranger = await visit(shared)
    await stranger.page.goto(shared.url + "/settings")
    await stranger.page.wait_for_url("**/login**")
    refused = await stranger.page.request.post(shared.url + "/settings/export", headers={"Origin": shared.url})
    assert refused.status == 401


def found_in(folder: Path, word: str) -> list[str]:
    """Every file under `folder` that holds it, in its name or in its bytes."""
    found = []
    walk = os.walk(folder)  # which bears that a folder vanishes while it is read
    for path in (Path(at, name) for at, folders, files in walk for name in (*folders, *files)):
        try:
            if word in path.name or (path.is_file() and word.encode() in path.read_bytes()):
                found.append(str(path.relative_to(folder)))
        except OSError:
            continue  # it vanished just now
    return found


def tables_with(database: Path, word: str) -> set[str]:
    """The tables of the store in which it occurs in any field."""
    with sqlite3.connect(database) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {t for t in tables for row in db.execute(f"SELECT * FROM {t}") if any(word in str(v) for v in row)}
    db.close()
    return found
