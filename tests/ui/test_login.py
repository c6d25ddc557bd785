"""The sign-in page: quiet, without a socket, and honest about who may come in."""

from playwright.async_api import expect

from tests.ui.conftest import Open, Serve, ready


async def test_with_a_provider_the_button_leads_there_and_knows_the_way_back(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve("--oidc", "--stranger") + "/login?next=%2Finbox")
    button = page.get_by_role("link", name="Google로 계속하기")
    await expect(button).to_have_attribute("href", "/auth/login?next=%2Finbox")
    await expect(button).to_have_attribute("data-testid", "sign-in")
    await expect(page.get_by_text("acme.co.kr 계정으로 로그인할 수 있어요.")).to_be_visible()


async def test_on_ones_own_machine_the_button_asks_for_a_link_in_the_terminal(serve: Serve, open_page: Open) -> None:
    base = await serve("--stranger")
    page = await open_page(base + "/login")
    async with page.expect_request(base + "/auth/local/link") as asked:
        await page.get_by_test_id("sign-in").click()
    assert (await asked.value).method == "POST"
    await page.goto(base + "/login?link=printed")
    await expect(page.get_by_role("status")).to_contain_text("터미널에 링크를 띄웠어요")


async def test_a_refused_sign_in_says_why_and_repeats_nothing_of_the_address(serve: Serve, open_page: Open) -> None:
    base = await serve("--stranger")
    page = await open_page(base + "/login?error=not_allowed", locale="en-US")
    await expect(page.get_by_role("alert")).to_contain_text("This account may not sign in here.")
    await page.goto(base + "/login?error=%3Cb%3Eevil%3C%2Fb%3E&next=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    await expect(page.get_by_role("alert")).to_have_text("That did not work. Try signing in again.")
    assert "evil" not in await page.content()


async def test_the_language_can_be_changed_before_signing_in(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve("--stranger") + "/login")
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("button", name="Print a sign-in link in the terminal")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "en"


async def test_a_stranger_gets_no_socket_and_is_sent_to_sign_in(serve: Serve, open_page: Open) -> None:
    base = await serve("--stranger")
    page = await open_page(base + "/login")
    assert await page.evaluate("window.socket === undefined")
    await page.goto(base + "/inbox")
    assert page.url == base + "/login?next=/inbox"


async def test_who_is_signed_in_already_goes_on_to_the_dashboard(serve: Serve, open_page: Open) -> None:
    base = await serve()
    page = await open_page(base + "/login")
    await ready(page)
    assert page.url == base + "/dashboard"
