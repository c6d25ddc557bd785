"""/admin: everybody and what may be done about them, the layers of the box, the audit log, a word to all."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.e2e.company import company, enter, open_page
from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge, speaks
from tests.e2e.test_strangers import fetch, same
from tests.people import ALICE, BOB, CHARLIE, ROOT
from tests.product import Product

SOON_MS = 30_000  # that it happens; within 2 s is what tests/auth/test_revocation.py is about
LOGIN_PAGE = re.compile("/login")  # with any query: a page that is redirected may reload itself


@asynccontextmanager
async def lasting(folder: Path) -> AsyncIterator[Product]:
    """A company for several walks."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Product:
            return await stack.enter_async_context(Product(folder, **settings))

        async with company(start) as product:
            yield product


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """The product for walks that leave everybody as they were."""
    async with lasting(tmp_path_factory.mktemp("shared")) as product:
        yield product


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """Only Root and Charlie have ever been here."""
    async with lasting(tmp_path_factory.mktemp("small")) as product:
        yield product


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(start: Start) -> AsyncIterator[Product]:
    async with company(start) as product:
        yield product


def row(screen: Screen, name: str) -> Locator:
    return screen.get("user").filter(has_text=name)


async def decide(screen: Screen, name: str, act: str) -> None:
    """Press, read what will happen, press again."""
    await row(screen, name).get_by_test_id(act).click()
    await expect(row(screen, name).locator(".ask:visible")).to_contain_text(name)
    await row(screen, name).get_by_test_id(f"{act}-sure").click()


async def test_a_disabled_user_is_out_within_two_seconds_and_can_be_let_in_again(shared: Product, visit: Visit) -> None:
    root, alice = await enter(visit, shared, ROOT), await enter(visit, shared, ALICE)
    await open_page(alice, "/inbox")
    await root.get("user-menu").first.click()
    await root.get("to-admin").click()
    await root.page.wait_for_url("**/admin")
    await decide(root, ALICE["name"], "disable")
    await expect(alice.page).to_have_url(LOGIN_PAGE, timeout=SOON_MS)
    await expect(row(root, ALICE["name"]).get_by_test_id("is-disabled")).to_be_visible()
    alice.allow("403")
    await alice.page.locator("a[data-testid=sign-in]").click()
    await alice.page.get_by_text(ALICE["name"]).click()
    await alice.page.wait_for_url("**/login?error=disabled")
    await decide(root, ALICE["name"], "enable")
    await expect(row(root, ALICE["name"]).get_by_test_id("is-disabled")).to_have_count(0)
    await alice.page.locator("a[data-testid=sign-in]").click()
    await alice.page.get_by_text(ALICE["name"]).click()
    await alice.page.wait_for_url("**/dashboard")


async def test_a_role_that_is_given_or_taken_counts_on_open_pages_within_two_seconds(
    shared: Product, visit: Visit
) -> None:
    root, bob = await enter(visit, shared, ROOT), await enter(visit, shared, BOB)
    await open_page(bob, "/dashboard")
    await expect(bob.get("to-admin")).to_have_count(0)
    await open_page(root, "/admin")
    await decide(root, BOB["name"], "raise")
    await expect(bob.get("to-admin").first).to_be_attached(timeout=SOON_MS)
    await open_page(bob, "/admin")
    await expect(row(bob, ROOT["name"])).to_contain_text("Admin by the settings")
    await expect(row(bob, ROOT["name"]).get_by_test_id("lower")).to_have_count(0)
    await expect(row(bob, BOB["name"]).get_by_test_id("disable")).to_have_count(0)
    await decide(root, BOB["name"], "lower")
    await expect(bob.get("user")).to_have_count(0, timeout=SOON_MS)
    await expect(bob.page.locator("body")).not_to_contain_text(ROOT["email"])


async def test_an_announcement_comes_and_goes_on_every_open_page(shared: Product, visit: Visit) -> None:
    root, alice = await enter(visit, shared, ROOT), await enter(visit, shared, ALICE)
    banner = alice.page.locator("[data-testid=banner][data-kind=announcement]")
    await open_page(alice, "/inbox")
    await expect(banner).to_be_hidden()
    await open_page(root, "/admin")
    await root.get("announcement").fill("<b>Tonight</b> at 22:00 we update.")
    await root.get("announce").click()
    await expect(banner).to_have_text("<b>Tonight</b> at 22:00 we update.")
    await open_page(alice, "/dashboard")
    await expect(banner).to_be_visible()
    await root.get("announce-end").click()
    await expect(banner).to_be_hidden()


async def test_what_was_done_is_told_with_who_and_from_where_and_comes_out_as_lines(
    fresh: Product, visit: Visit
) -> None:
    root, alice = await enter(visit, fresh, ROOT), await enter(visit, fresh, ALICE)
    await alice.new_agent()
    await open_page(root, "/admin")
    await expect(root.get("isolation")).to_have_attribute("data-name", "bubblewrap")
    made = root.get("act").and_(root.page.locator("[data-what=agent_created]"))
    await expect(made).to_contain_text("127.0.0.1")  # the act came over a socket
    await expect(made).to_contain_text(f"{ALICE['name']} · {alice.agent}")  # her name; what she calls it is hers
    answer = await root.page.request.get(fresh.url + "/admin/audit.jsonl")
    assert answer.headers["content-disposition"].startswith("attachment")
    acts = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert [act["what"] for act in acts[-3:]] == ["agent_created", "sign_in", "sign_in"]
    assert all("HeadlessChrome" in act["device"] and act["address"] == "127.0.0.1" for act in acts)
    assert ALICE["email"] not in json.dumps(acts, ensure_ascii=False)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("locale", "phone"), [("ko-KR", False), ("en-US", True)], ids=["desk", "phone"])
async def test_it_is_accessible(small: Product, visit: Visit, locale: str, phone: bool, dark: bool) -> None:
    await enter(visit, small, CHARLIE, locale=locale)
    root = await enter(visit, small, ROOT, locale=locale, phone=phone, dark=dark)
    await open_page(root, "/admin")
    await row(root, CHARLIE["name"]).get_by_test_id("disable").click()
    await judge(root, "admin")
    if not locale.startswith("ko"):
        await speaks(root, False)


async def test_charlie_meets_the_same_404_as_everywhere(shared: Product, visit: Visit) -> None:
    charlie = await enter(visit, shared, CHARLIE)
    for path in ("/admin", "/admin/audit.jsonl"):
        for accept in ("text/html", "*/*"):
            there = await charlie.page.request.get(shared.url + path, headers={"Accept": accept})
            nowhere = await charlie.page.request.get(shared.url + "/adminx", headers={"Accept": accept})
            assert (there.status, await there.body()) == (nowhere.status, await nowhere.body())
            assert there.status == 404
            assert sorted(there.headers) == sorted(nowhere.headers)
    status, body = await fetch(charlie, "GET", "/admin", None)
    assert (status, same(body, ())) == (404, same((await fetch(charlie, "GET", "/nothing", None))[1], ()))
    stranger = await visit(shared)
    await stranger.page.goto(shared.url + "/admin")
    await stranger.page.wait_for_url("**/login?next=%2Fadmin")
