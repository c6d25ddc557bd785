"""Tests of the page that stands for one that cannot be shown."""

from playwright.async_api import expect

from tests.ui.conftest import Open, Serve


async def test_a_page_that_is_not_there_looks_like_ours_and_shows_a_way_on(serve: Serve, open_page: Open) -> None:
    base = await serve()
    page = await open_page(base + "/nothing/here", locale="en-US")
    await expect(page.get_by_role("heading")).to_have_text("This page is not here")
    await page.get_by_role("link", name="Go to your agents").click()
    await page.wait_for_url(base + "/dashboard")


async def test_all_that_is_not_there_is_answered_alike_to_the_byte(serve: Serve, open_page: Open) -> None:
    base = await serve()
    page = await open_page(base + "/dashboard")
    headers = {"Accept": "text/html"}
    answers = [
        await page.request.get(base + path, headers=headers)
        for path in ("/workspace/aaaaaaaaaaaa", "/x", "/workspace/b")
    ]
    assert {answer.status for answer in answers} == {404}
    assert len({await answer.text() for answer in answers}) == 1
    assert "no-store" in answers[0].headers["cache-control"]


async def test_machines_get_a_short_answer(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    answer = await page.request.get("/".join(page.url.split("/")[:3]) + "/theme/nothing.css")
    assert answer.status == 404 and len(await answer.body()) < 100
