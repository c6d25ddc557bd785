"""Search in full text: from the palette to the very message, in every look."""

import re

from playwright.async_api import expect

from tests.e2e.conftest import Visit
from tests.product import Product


async def test_a_message_is_found_by_part_of_a_word_and_shown(product: Product, visit: Visit) -> None:
    screen = await visit(product, locale="ko-KR")
    await screen.sign_in()
    await screen.new_agent()
    agent, session = screen.agent, screen.session
    await screen.say("SAY(((다음 분기 보고서는 금요일까지예요)))")
    await screen.until_turns(1)
    await screen.page.goto(product.url + "/dashboard")
    await screen.page.wait_for_function("window.did_handshake === true")
    await screen.page.keyboard.press("Control+k")
    await screen.page.keyboard.type("보고")
    row = screen.get("palette").get_by_role("option").filter(has_text="금요일까지")
    await expect(row.and_(screen.page.locator("[data-href*='&at=']")).last).to_be_visible()
    await row.last.click()
    await screen.page.wait_for_url(re.compile(rf"/workspace/{agent}\?session={session}&at=\d+"))
    await expect(screen.page.locator("[data-found]")).to_contain_text("보고서")
