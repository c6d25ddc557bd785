"""Tests of the frame of every page: language, theme, banners, sign-out, accessibility, weight."""

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page, expect

from tests.ui.conftest import Open, Serve, ask, ready

COLD_BYTES, CACHED_BYTES = 250_000, 20_000  # P8


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
async def test_no_page_breaks_a_rule_of_accessibility_or_is_too_wide(
    serve: Serve, open_page: Open, phone: bool, dark: bool
) -> None:
    full, empty, strange = await serve("--no-sandbox"), await serve("--empty"), await serve("--stranger")
    page = await open_page(full + "/dashboard", phone=phone, dark=dark)
    await judge(page)
    await page.get_by_test_id("card-menu").first.click()
    await judge(page)
    await page.locator(".menu[open] .bad").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await judge(page)
    for url in (empty + "/dashboard", full + "/inbox", empty + "/inbox", strange + "/login?error=link_used"):
        await page.goto(url)
        await ready(page)
        await judge(page)
    await page.goto(full + "/dashboard")
    await ready(page)
    await page.get_by_test_id("user-menu").click()
    await judge(page)
    await page.goto(full + "/nothing/here")
    await judge(page)


async def judge(page: Page) -> None:
    """axe-core finds nothing, and nothing sticks out sideways."""
    # what is still fading in has not the colours it will have
    await page.evaluate(
        "Promise.all(document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity)"
        ".map((one) => one.finished.catch(() => 0)))"
    )
    results = await Axe().run(page)
    found = [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in results.response["violations"]]
    assert not found, f"{page.url}: {found}"
    wide = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"


async def test_on_a_phone_everything_to_press_is_large_enough(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard", phone=True)
    await page.get_by_test_id("user-menu").click()
    small = await page.evaluate(
        """() => [...document.querySelectorAll("button, summary, a, input")].filter((one) => {
            const tall = (box) => Math.max(box.height, parseFloat(getComputedStyle(one, "::after").height) || 0);
            const box = one.getBoundingClientRect();
            return one.checkVisibility() && !one.matches(".skip") && (tall(box) < 42 || box.width < 42);
        }).map((one) => one.outerHTML.slice(0, 120))"""
    )
    assert small == []


async def test_the_first_visit_is_light_and_the_next_ones_lighter(serve: Serve, open_page: Open) -> None:
    base = await serve()
    page = await open_page("about:blank")
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Network.enable")
    carried: list[int] = []
    devtools.on("Network.loadingFinished", lambda event: carried.append(event["encodedDataLength"]))
    for budget in (COLD_BYTES, CACHED_BYTES):
        carried.clear()
        await page.goto(base + "/dashboard")
        await ready(page)
        await expect(page.get_by_test_id("agent-card")).to_have_count(7)
        assert 0 < sum(carried) <= budget


async def test_nothing_of_quasar_is_loaded(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    loaded = await page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert not [name for name in loaded if "quasar" in name or "/lang/" in name or "font" in name]
    assert len(await page.query_selector_all("[class*='q-btn'], [class*='q-card'], [class*='q-field']")) == 0


async def test_the_theme_is_there_before_the_first_paint_and_is_remembered(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard", dark=True)
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.get_by_test_id("user-menu").click()
    await page.get_by_test_id("theme-light").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "light")
    await page.reload(wait_until="commit")
    await page.wait_for_selector("body", state="attached")
    assert await page.evaluate("document.documentElement.dataset.theme") == "light"
    await ready(page)


async def test_the_language_is_changed_from_the_menu_and_kept_in_the_profile(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    assert await page.evaluate("document.documentElement.lang") == "ko"
    await page.get_by_test_id("user-menu").click()
    await page.get_by_test_id("locale-en").click()
    await expect(page.get_by_role("button", name="New agent")).to_be_visible()
    await ready(page)
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert (await ask(page, "heard"))["user"] == "en"


async def test_the_keyboard_reaches_the_content_first_and_escape_closes_a_menu(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="본문으로 바로 가기")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="모두 7")).to_be_focused()
    await page.get_by_test_id("user-menu").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_test_id("sign-out")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("sign-out")).to_be_hidden()
    await expect(page.get_by_test_id("user-menu")).to_be_focused()


async def test_banners_say_what_is_not_in_earnest_and_how_to_mend_it(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve("--no-sandbox") + "/dashboard")
    practice, open_box = page.locator("[data-kind=practice]"), page.locator("[data-kind=no-sandbox]")
    await practice.get_by_text("진짜 모델 연결하기").click()
    await expect(practice).to_contain_text("ANTHROPIC_API_KEY")
    await page.keyboard.press("Escape")
    await expect(practice.locator("pre")).to_be_hidden()
    await open_box.get_by_text("격리 켜기").click()
    await expect(open_box.locator("pre")).to_have_text("sudo apt-get install bubblewrap")


@pytest.mark.parametrize("path", ["/dashboard", "/inbox"])
async def test_on_a_phone_one_line_stands_for_all_banners_and_opens_them(
    serve: Serve, open_page: Open, path: str
) -> None:
    page = await open_page(await serve("--no-sandbox") + path, phone=True)
    shown = page.get_by_test_id("banner").filter(visible=True)
    await expect(shown).to_have_count(1)
    await expect(shown).to_contain_text("격리가 꺼져 있어요")  # the gravest
    more = page.get_by_role("button", name="안내 1개 더 보기")
    await expect(more).to_have_text("+1")
    assert await height(page) <= 49
    await more.focus()
    await page.keyboard.press("Enter")
    await expect(shown).to_have_count(2)
    await expect(more).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("Enter")
    await expect(shown).to_have_count(1)


async def test_an_announcement_joins_the_line_and_leaves_it(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve("--no-sandbox") + "/dashboard", phone=True)
    await ask(page, "announce?text=오늘 밤 10시에 새 버전으로 바꿔요. 미리 저장하지 않아도 괜찮아요.")
    await expect(page.get_by_test_id("more-banners")).to_have_text("+2")
    assert await height(page) <= 49
    await page.get_by_test_id("more-banners").click()
    await expect(page.get_by_text("미리 저장하지 않아도")).to_be_visible()
    await judge(page)
    await ask(page, "announce?text=")
    await expect(page.get_by_test_id("more-banners")).to_have_text("+1")
    await expect(page.get_by_test_id("banner").filter(visible=True)).to_have_count(2)


async def height(page: Page) -> float:
    """Return the height of all banners together."""
    box = await page.locator(".banners").bounding_box()
    assert box
    return box["height"]


async def test_with_a_real_model_in_a_box_there_is_no_banner(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve("--real") + "/dashboard")
    # one stands there unseen: it waits for what an administrator may announce
    await expect(page.get_by_test_id("banner").filter(visible=True)).to_have_count(0)


async def test_a_lost_connection_is_said_in_our_words(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard", locale="en-US")
    await expect(page.locator("#popup")).to_be_hidden()
    await page.evaluate("window.socket.disconnect()")
    await expect(page.locator("#popup")).to_be_visible()
    await expect(page.locator("#popup")).to_contain_text("What you typed is kept.")
