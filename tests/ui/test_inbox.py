"""The inbox: what waits is answered where it stands, and the pleasure of nothing waiting."""

import re

from playwright.async_api import Page, expect

from tests.ui.conftest import Open, Serve, ask


async def heard(page: Page) -> list[dict[str, str]]:
    """The decisions that reached the platform."""
    return list((await ask(page, "heard"))["answered"].values())


async def test_a_request_says_who_asks_what_exactly_since_when_and_leads_there(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox")
    request = page.get_by_test_id("request")
    await expect(request).to_have_count(1)
    command = 'curl -sS "$SLACK_WEBHOOK_URL" --json @out/summary.json'
    for part in ("이슈 요약이", "이 명령을 실행할까요?", command, "2분"):
        await expect(request).to_contain_text(part)
    await request.get_by_role("link", name="세션 열기").click()
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session=[0-9a-f-]{36}$"))


async def test_a_request_is_allowed_where_it_stands_and_the_list_says_so(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox")
    await page.get_by_test_id("allow").click()
    await expect(page.get_by_test_id("all-clear")).to_contain_text("기다리는 요청이 없어요")
    await expect(page.get_by_test_id("toast")).to_contain_text("답을 전했어요")
    assert [one["decision"] for one in await heard(page)] == ["allow"]


async def test_a_rule_is_edited_and_a_no_takes_a_word_with_it(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox", locale="en-US")
    await ask(page, "ask?name=배포 지킴이&summary=git push --force")
    second, first = page.get_by_test_id("request").filter(has_text="curl"), page.get_by_test_id("request").first
    await expect(first).to_contain_text("git push --force")
    await first.get_by_test_id("deny-with").click()
    await first.get_by_test_id("deny-message").fill("not on a Friday")
    await first.get_by_test_id("deny-message").press("Enter")
    await expect(page.get_by_test_id("request")).to_have_count(1)
    await second.get_by_test_id("allow-always").click()
    await second.get_by_test_id("rule").fill("Bash(curl -sS:*)")
    await second.get_by_test_id("rule").press("Enter")
    await expect(page.get_by_test_id("all-clear")).to_be_visible()
    denied, always = await heard(page)
    assert (denied["decision"], denied["message"]) == ("deny", "not on a Friday")
    assert (always["decision"], always["rule"]) == ("allow_always", "Bash(curl -sS:*)")


async def test_a_question_is_answered_in_the_list(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve("--empty") + "/inbox")
    await ask(page, "put?name=환율 알림이")
    await ask(page, "ask?name=환율 알림이&kind=question&summary=얼마나 자주 알릴까요?")
    await page.get_by_label("매주").check()
    await page.get_by_test_id("answer").click()
    await expect(page.get_by_test_id("all-clear")).to_be_visible()
    [said] = await heard(page)
    assert (said["decision"], said["replies"]) == ("answer", {"얼마나 자주 알릴까요?": {"choices": ["매주"]}})


async def test_keys_answer_only_the_card_that_has_the_focus_and_go_on_to_the_next(
    serve: Serve, open_page: Open
) -> None:
    page = await open_page(await serve() + "/inbox")
    await ask(page, "ask?name=배포 지킴이&summary=git push")
    await expect(page.get_by_test_id("request")).to_have_count(2)
    await page.wait_for_timeout(400)  # the card hears no key in its first moments
    await page.keyboard.press("1")
    assert await heard(page) == []
    await page.get_by_test_id("permission").first.focus()
    await page.keyboard.press("1")
    await expect(page.get_by_test_id("request")).to_have_count(1)
    await expect(page.get_by_test_id("permission")).to_be_focused()
    await page.keyboard.press("3")
    await expect(page.get_by_test_id("all-clear")).to_be_visible()
    assert [one["decision"] for one in await heard(page)] == ["allow", "deny"]


async def test_what_is_half_written_stays_when_another_request_comes(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox")
    await page.get_by_test_id("deny-with").click()
    await page.get_by_test_id("deny-message").fill("아직")
    await ask(page, "ask?name=배포 지킴이&summary=git push")
    await expect(page.get_by_test_id("request").first).to_contain_text("git push")
    await expect(page.get_by_test_id("deny-message")).to_have_value("아직")
    await expect(page.get_by_test_id("deny-message")).to_be_focused()


async def test_who_comes_second_hears_that_it_was_answered(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox", locale="en-US")
    await ask(page, "beat")
    await page.get_by_test_id("deny").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("This was already answered somewhere else.")
    await expect(page.get_by_test_id("allow")).to_be_disabled()
    await ask(page, "answer")
    await expect(page.get_by_test_id("all-clear")).to_be_visible()


async def test_a_request_answered_elsewhere_goes_and_leaves_an_all_clear(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/inbox")
    await expect(page.get_by_test_id("request")).to_have_count(1)
    await ask(page, "answer")
    await expect(page.get_by_test_id("all-clear")).to_contain_text("기다리는 요청이 없어요")
    await expect(page).to_have_title("받은 요청 · Oh My Agent")
