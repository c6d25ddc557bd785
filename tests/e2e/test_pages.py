"""Every page: accessible by axe's judgement, in both languages and themes, and on a phone."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.screen import Screen
from tests.product import Product

HANGUL = re.compile(r"[가-힣]")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("locale", "phone"), [("ko-KR", False), ("en-US", True)], ids=["desk", "phone"])
async def test_no_page_breaks_a_rule_of_accessibility(
    product: Product, visit: Visit, locale: str, phone: bool, dark: bool
) -> None:
    screen = await visit(product, locale=locale, phone=phone, dark=dark)
    await screen.page.goto(product.url + "/login")
    await expect(screen.get("sign-in").first).to_be_visible()
    await judge(screen, "login")
    await screen.sign_in()
    await expect(screen.get("new-agent").first).to_be_visible()
    await judge(screen, "empty dashboard")
    await screen.new_agent()
    await judge(screen, "empty workspace")
    await screen.say("TOOL(((bash -c 'echo x > one.txt'))) SAY(((# Title\n\n- `one`\n- two\n\n```py\nprint(1)\n```)))")
    await expect(screen.permission).to_be_visible()
    await judge(screen, "permission card")
    await screen.get("allow").click()
    await screen.until_turns(1)
    await judge(screen, "workspace", but="heading-order")  # the order of headings in an answer is the model's
    await screen.page.goto(product.url + "/dashboard")
    await expect(screen.get("agent-card")).to_be_visible()
    await judge(screen, "dashboard")
    await screen.page.goto(product.url + "/inbox")
    await expect(screen.get("inbox").first).to_be_visible()
    await judge(screen, "inbox")


async def test_each_language_is_spoken_throughout(lent: Product, visit: Visit) -> None:
    for locale, is_right in (("ko-KR", True), ("en-US", False)):
        screen = await visit(lent, locale=locale)
        await screen.page.goto(lent.url + "/login")
        await speaks(screen, is_right)
        await screen.page.goto(lent.url + "/nothing/here")
        await speaks(screen, is_right)
        screen.allow(r"404")


async def test_the_signed_in_pages_speak_english_to_an_english_browser(lent: Product, visit: Visit) -> None:
    screen = await visit(lent, locale="en-US")
    await screen.sign_in()
    for path in ("/dashboard", "/inbox"):
        await screen.page.goto(lent.url + path)
        await speaks(screen, False)


async def test_a_page_that_is_not_there_says_so_and_how_to_go_on(guest: Screen) -> None:
    guest.allow(r"404")
    answer = await guest.page.goto(guest.product.url + "/workspace/nothere22222")
    assert answer and answer.status == 404
    await expect(guest.page.get_by_role("link").first).to_be_visible()


async def test_the_composer_is_usable_by_keyboard_alone(lent: Product, visit: Visit) -> None:
    screen = await visit(lent)
    await screen.sign_in()
    await screen.new_agent()
    await expect(screen.get("composer")).to_be_focused()
    await screen.page.keyboard.type("by hand")
    await screen.page.keyboard.press("Shift+Enter")
    await screen.page.keyboard.type("second line")
    await screen.page.keyboard.press("Enter")
    await expect(screen.answers.last).to_contain_text("second line")


async def judge(screen: Screen, name: str, *, but: str = "") -> None:
    """axe-core finds nothing (`but` one rule), and nothing sticks out sideways."""
    # what is still fading in has not the colours it will have
    await screen.page.evaluate(
        "Promise.all(document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity)"
        ".map((one) => one.finished.catch(() => 0)))"
    )
    rules = {but: {"enabled": False}} if but else {}
    results = await Axe().run(screen.page, options={"rules": rules, "resultTypes": ["violations"]})
    found = [
        f"{rule['id']}: {[node['html'][:160] for node in rule['nodes'][:3]]}" for rule in results.response["violations"]
    ]
    assert not found, f"{name}: {found}"
    wide = await screen.page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{name} is {wide} px too wide"


async def speaks(screen: Screen, korean: bool) -> None:
    await screen.page.wait_for_load_state("networkidle")
    body = await screen.page.inner_text("body")
    body = body.replace("한국어", "")  # a language's name is written in itself
    assert bool(HANGUL.search(body)) is korean, body[:500]
