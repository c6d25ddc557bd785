"""The inbox: what waits, and the pleasure of nothing waiting."""

import re

from playwright.async_api import expect

from tests.ui.conftest import Open, Serve, ask


async def test_a_request_says_who_asks_what_since_when_and_leads_there(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox")
    request = page.get_by_test_id("request")
    await expect(request).to_have_count(1)
    for part in ("이슈 요약이", "실행해도 되는지 물어요", "curl -sS", "2분째 기다려요"):
        await expect(request).to_contain_text(part)
    await request.click()
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session=[0-9a-f-]{36}$"))


async def test_a_request_answered_elsewhere_goes_and_leaves_an_all_clear(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox")
    await expect(page.get_by_test_id("request")).to_have_count(1)
    await ask(page, "answer")
    await expect(page.get_by_test_id("all-clear")).to_contain_text("모두 답했어요")
    await expect(page).to_have_title("받은 요청 · Oh My Agent")
