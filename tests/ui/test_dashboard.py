"""The dashboard, as somebody at the browser meets it."""

import json
import re
from collections.abc import Callable
from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.ui.conftest import Open, Serve, ask, ready


def card(page: Page, name: str) -> Locator:
    return page.get_by_test_id("agent-card").filter(has=page.get_by_role("heading", name=name))


async def press(page: Page, name: str, act: str) -> None:
    """Open a card's menu and press one of its acts."""
    await card(page, name).get_by_test_id("card-menu").click()
    await card(page, name).get_by_role("button", name=act).click()


async def test_every_agent_says_in_word_and_shape_what_it_is_doing(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    for name, state, word in (
        ("이슈 요약이", "asking", "확인 필요"),
        ("회의록 정리", "busy", "작업 중"),
        ("환율 알림이", "failed", "실패"),
        ("배포 지킴이", "idle", "대기"),
        ("논문 읽기", "asleep", "잠듦"),
    ):
        await expect(card(page, name)).to_have_attribute("data-state", state)
        await expect(card(page, name).locator(".state")).to_have_text(word)
    await expect(page.get_by_test_id("agent-card")).to_have_count(7)


async def test_who_has_only_just_been_asked_is_not_told_of_a_minute(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await ask(page, "ask?name=배포 지킴이&kind=question&summary=어느 저장소인가요?")
    await expect(card(page, "배포 지킴이")).to_contain_text("방금 물어봤어요")
    await expect(card(page, "이슈 요약이")).to_contain_text("째 기다려요")


async def test_a_click_anywhere_on_a_card_opens_its_workspace(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await card(page, "논문 읽기").click(position={"x": 200, "y": 130})
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session=[0-9a-f-]{36}$"))


async def test_who_deletes_nothing_after_all_goes_on_at_the_card(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await press(page, "논문 읽기", "삭제하기")
    await expect(page.get_by_role("button", name="취소")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(card(page, "논문 읽기").get_by_role("link")).to_be_focused()


async def test_the_key_for_a_new_agent_is_the_same_on_a_korean_keyboard(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    key = "new KeyboardEvent('keydown', {key: 'ㅜ', code: 'KeyN', bubbles: true})"
    await page.evaluate(f"document.body.dispatchEvent({key})")
    await page.wait_for_url("**/workspace/**")


async def test_a_change_of_state_shows_without_reload_and_keeps_the_focus(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await card(page, "논문 읽기").get_by_role("link").focus()
    await ask(page, "move?name=배포 지킴이&state=busy&line=오류율을 살피고 있어요.")
    await expect(card(page, "배포 지킴이")).to_have_attribute("data-state", "busy")
    await expect(card(page, "배포 지킴이")).to_contain_text("오류율을 살피고 있어요.")
    await expect(page.get_by_role("button", name="작업 중 2")).to_be_visible()
    await expect(card(page, "논문 읽기").get_by_role("link")).to_be_focused()


async def test_an_agent_that_works_for_the_first_time_does_not_say_that_it_did_nothing(
    serve: Serve, open_page: Open
) -> None:
    page = await open_page(await serve() + "/dashboard")
    for state, line in (("idle", "아직 한 일이 없어요."), ("busy", "첫 일을 하고 있어요.")):
        await ask(page, f"move?name=배포 지킴이&state={state}&line=")
        await expect(card(page, "배포 지킴이")).to_contain_text(line)


async def test_an_answered_request_leaves_the_count_the_title_and_the_card(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await expect(page).to_have_title("(1) 에이전트 · Oh My Agent")
    await expect(page.get_by_role("link", name="받은 요청 1건")).to_be_visible()
    await ask(page, "answer")
    await expect(page).to_have_title("에이전트 · Oh My Agent")
    await expect(page.get_by_role("link", name="받은 요청", exact=True)).to_be_visible()
    await expect(card(page, "이슈 요약이")).to_have_attribute("data-state", "busy")


async def test_the_filter_shows_what_it_says_and_survives_a_reload(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await page.get_by_role("button", name="실패 1").click()
    await expect(page.get_by_test_id("agent-card")).to_have_count(1)
    await page.reload()
    await ready(page)
    await expect(page.get_by_test_id("agent-card")).to_have_count(1)
    await expect(page.get_by_role("button", name="실패 1")).to_have_attribute("aria-pressed", "true")


async def test_a_name_is_changed_in_place_and_escape_leaves_it(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await press(page, "논문 읽기", "이름 바꾸기")
    await page.get_by_test_id("rename").fill("다른 이름")
    await page.get_by_test_id("rename").press("Escape")
    await expect(card(page, "논문 읽기")).to_be_visible()
    await press(page, "논문 읽기", "이름 바꾸기")
    await page.get_by_test_id("rename").fill("  논문 요약 ")
    await page.get_by_test_id("rename").press("Enter")
    await expect(card(page, "논문 요약")).to_be_visible()
    assert "논문 요약" in (await ask(page, "heard"))["agents"]


async def test_archiving_can_be_undone(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await press(page, "논문 읽기", "보관하기")
    await expect(card(page, "논문 읽기")).to_have_count(0)
    await page.get_by_test_id("toast").get_by_role("button", name="되돌리기").click()
    await expect(card(page, "논문 읽기")).to_be_visible()


async def test_deleting_says_what_will_be_gone_and_only_then_deletes(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await press(page, "논문 읽기", "삭제하기")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("논문 읽기 에이전트를 삭제할까요?")
    await expect(dialog).to_contain_text("세션 1개")
    await dialog.get_by_role("button", name="취소").click()
    assert "논문 읽기" in (await ask(page, "heard"))["agents"]
    await press(page, "논문 읽기", "삭제하기")
    await page.get_by_test_id("delete").click()
    await expect(card(page, "논문 읽기")).to_have_count(0)
    assert "논문 읽기" not in (await ask(page, "heard"))["agents"]


async def test_what_is_refused_is_said_in_a_sentence_and_nothing_is_lost(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await ask(page, "refuse?refusing=true")
    await press(page, "논문 읽기", "삭제하기")
    await page.get_by_test_id("delete").click()
    await expect(page.get_by_test_id("toast")).to_contain_text("상자를 켜지 못했어요")
    await expect(card(page, "논문 읽기")).to_be_visible()


async def test_a_failed_agent_is_tried_again_from_its_card(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await card(page, "환율 알림이").get_by_role("button", name="다시 시도").click()
    await ask(page, "move?name=환율 알림이&state=starting&line=다시 켜고 있어요.")
    await expect(card(page, "환율 알림이")).to_have_attribute("data-state", "starting")
    assert len((await ask(page, "heard"))["warmed"]) == 1


async def test_a_failed_turn_says_why_and_is_said_again_from_its_card(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await ask(page, "fail?name=논문 읽기&reason=cli_died")
    await expect(card(page, "논문 읽기")).to_contain_text("에이전트 프로세스가 갑자기 끝났어요")
    await card(page, "논문 읽기").get_by_role("button", name="다시 시도").click()
    await until(page, lambda heard: [(text, id) for _, text, id in heard["said"]] == [("do it", "m1~3")])
    await ask(page, "fail?name=논문 읽기&reason=too_long")  # the same again would fail again
    await expect(card(page, "논문 읽기")).to_contain_text("새 세션에서 이어 가 주세요")
    await expect(card(page, "논문 읽기").get_by_role("button", name="다시 시도")).to_have_count(0)


async def test_a_card_without_anything_to_do_says_how_many_sessions_it_has(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await expect(card(page, "논문 읽기")).to_contain_text("세션 1개")
    await expect(card(page, "이슈 요약이")).not_to_contain_text("세션 1개")


async def until(page: Page, seen: Callable[[Any], bool]) -> None:
    """Wait until the fake has received it."""
    for _ in range(100):
        if seen(await ask(page, "heard")):
            return
        await page.wait_for_timeout(100)
    raise AssertionError(await ask(page, "heard"))


async def test_n_makes_an_agent_but_not_while_a_name_is_typed(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await press(page, "논문 읽기", "이름 바꾸기")
    await page.get_by_test_id("rename").press("n")
    await page.get_by_test_id("rename").press("Escape")
    await expect(page).to_have_url(re.compile("/dashboard$"))
    await page.keyboard.press("n")
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session="))


async def test_cards_that_take_long_come_as_skeletons_first(serve: Serve, open_page: Open) -> None:
    base = await serve()
    page = await open_page(base + "/login")
    await ask(page, "slow?seconds=1")
    await page.goto(base + "/dashboard")
    await expect(page.locator(".skeleton").first).to_be_visible()
    await expect(page.get_by_test_id("agent-card")).to_have_count(7)
    await expect(page.locator(".skeleton")).to_have_count(0)


async def test_somebody_new_is_asked_what_to_automate_and_the_words_are_the_first_message(
    serve: Serve, open_page: Open
) -> None:
    page = await open_page(await serve("--empty") + "/dashboard")
    await expect(page.get_by_test_id("composer")).to_be_focused()
    await page.keyboard.type("이슈를 요약해 줘")
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session="))
    [[session, text, id]] = (await ask(page, "heard"))["said"]
    assert text == "이슈를 요약해 줘" and page.url.endswith(session)
    # in the outbox of the next page, so that it stands there before the Store has it
    kept = await page.evaluate("(key) => localStorage.getItem(key)", f"oma:out:local-owner:{session}")
    assert [one["id"] for one in json.loads(kept)] == [id]


async def test_new_agent_without_words_makes_one_too(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve("--empty") + "/dashboard")
    await page.get_by_test_id("new-agent").click()
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session="))
    assert (await ask(page, "heard"))["said"] == []


async def test_words_that_could_not_be_sent_stay_and_are_sent_once_in_the_end(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve("--empty") + "/dashboard")
    await ask(page, "refuse?refusing=true")
    await page.locator("[data-starter=mail]").click()
    await page.get_by_test_id("new-agent").click()
    await expect(page.get_by_test_id("toast")).to_be_visible()
    await expect(page.get_by_test_id("composer")).to_have_value(re.compile("고객 문의"))
    await ask(page, "refuse?refusing=false")
    await page.get_by_test_id("new-agent").click()
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session="))
    heard = await ask(page, "heard")
    assert len(heard["said"]) == 1 and len(heard["agents"]) == 1


async def test_words_typed_at_the_beginning_survive_a_reload_until_they_are_sent(serve: Serve, open_page: Open) -> None:
    base = await serve("--empty")
    page = await open_page(base + "/dashboard")
    await page.get_by_test_id("composer").press_sequentially("아직")
    await page.reload()
    await ready(page)
    await expect(page.get_by_test_id("composer")).to_have_value("아직")
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session="))
    assert await page.evaluate("Object.keys(localStorage).filter((key) => key.endsWith(':start'))") == []


async def test_new_agent_goes_to_the_draft_in_which_nothing_was_said_yet(serve: Serve, open_page: Open) -> None:
    base = await serve()
    page = await open_page(base + "/dashboard")
    await page.get_by_test_id("new-agent").click()
    await page.wait_for_url(re.compile(r"/workspace/\w{12}\?session="))
    first = page.url
    await page.goto(base + "/dashboard")
    await ready(page)
    await expect(page.get_by_test_id("agent-card")).to_have_count(7)  # nothing was done with it: it is not in the list
    await page.get_by_test_id("new-agent").click()
    await page.wait_for_url(first)


async def test_an_agent_without_a_name_is_spoken_of_in_a_sentence_of_its_own(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await press(page, "이름 없는 에이전트", "보관하기")
    await expect(page.get_by_test_id("toast")).to_contain_text("이름 없는 에이전트를 보관했어요.")


async def test_what_only_starts_is_not_counted_as_working(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await ask(page, "move?name=논문 읽기&state=starting&line=")
    await expect(card(page, "논문 읽기")).to_have_attribute("data-state", "starting")
    await expect(page.get_by_role("button", name="작업 중 1")).to_be_visible()


async def test_what_cannot_be_shown_is_said_and_is_not_the_last_news(serve: Serve, open_page: Open) -> None:
    page = await open_page(await serve() + "/dashboard")
    await ask(page, "break?broken=true")
    await expect(page.get_by_test_id("toast")).to_be_visible()
    await ask(page, "break?broken=false")
    await ask(page, "move?name=배포 지킴이&state=busy&line=다시 보여요.")
    await expect(card(page, "배포 지킴이")).to_contain_text("다시 보여요.")
