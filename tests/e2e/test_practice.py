"""The main job as a stranger does it: no key, no network, a link in the terminal, and an agent at the end."""

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.screen import Screen, kinds, texts
from tests.product import Product

GREETING = (
    "안녕하세요! AI 에이전트 플랫폼에서 어떤 자동화 작업을 도와드릴까요? "
    "원하시는 에이전트의 목적이나 자동화하고 싶은 작업을 간단히 말씀해 주세요."
)
WISH = {
    "ko-KR": "매일 아침 할 일을 정리해 주는 에이전트를 만들어 주세요",
    "en-US": "Make an agent that tidies my to-do list",
}
FREE = {"ko-KR": "이번 달 무료", "en-US": "Free this month"}
ANSWER = {"ko-KR": "짧게, 목록으로", "en-US": "Short, as a list"}


async def test_hello_is_answered_with_the_greeting_by_the_real_cli(practice: Product, visit: Visit) -> None:
    screen = await visit(practice, locale="ko-KR")
    await screen.sign_in()
    await screen.new_agent()
    await screen.say("안녕?")
    events = await screen.until_turns(1)
    assert texts(events) == [GREETING]
    await expect(screen.answers.last).to_have_text(GREETING)
    assert practice.processes("cli"), "it was not the CLI that answered"


@pytest.mark.parametrize(
    ("locale", "phone"), [("ko-KR", False), ("en-US", False), ("ko-KR", True)], ids=["korean", "english", "phone"]
)
async def test_a_wish_becomes_an_agent_on_the_dashboard(
    practice: Product, visit: Visit, locale: str, phone: bool
) -> None:
    screen = await visit(practice, locale=locale, phone=phone)
    await screen.sign_in()
    await expect(screen.get("agent-card")).to_have_count(0)
    await expect(screen.page.locator("[data-testid=banner][data-kind=practice]")).to_be_visible()
    await screen.new_agent()
    await screen.say(WISH[locale])
    await answer_the_builder(screen, ANSWER[locale])
    await expect(screen.permission.first).to_be_visible()
    await screen.until_state("asking")
    await allow_all(screen)
    events = await screen.events()
    names = [event["name"] for event in kinds(events, "tool_called")]
    assert "Write" in names and "Bash" in names
    folder = next(practice.data_dir.glob(f"homes/*/agents/{screen.agent}"))
    assert (folder / "CLAUDE.md").read_text().strip()
    assert await screen.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    await screen.page.goto(practice.url + "/dashboard")
    card = screen.get("agent-card")
    await expect(card).to_have_count(1)
    await expect(card).to_be_visible()
    if not phone:
        await expect(screen.page.get_by_text(FREE[locale])).to_be_visible()
    await card.get_by_role("link").first.click()
    await screen.page.wait_for_url(f"**/workspace/{screen.agent}**")
    await expect(screen.get("message").first).to_contain_text(WISH[locale])


async def answer_the_builder(screen: Screen, words: str) -> None:
    """The builder asks one thing before it starts: as a question card or in plain words."""
    asked = screen.get("question").or_(screen.get("session-state").and_(screen.page.locator("[data-state=idle]")))
    await screen.answers.first.wait_for()
    await expect(asked.first).to_be_visible()
    await screen.say(words)


async def allow_all(screen: Screen) -> None:
    """Press allow until the turn is over."""
    done = screen.get("session-state").and_(screen.page.locator("[data-state=idle]"))
    for _ in range(10):
        await expect(screen.permission.or_(done).first).to_be_visible()
        if not await screen.permission.count():
            return
        await screen.permission.first.get_by_test_id("allow").click()
        await screen.page.wait_for_timeout(300)
    raise AssertionError("it asks and asks")
