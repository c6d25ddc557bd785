"""From one sentence to an agent that works by itself: with a secret, a schedule and passing tests, and published."""

import time
from typing import Any

from playwright.async_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge
from tests.e2e.test_secrets import VALUE, assert_nowhere, written
from tests.product import Product

WISH = "매일 아침 9시에 내 저장소의 새 이슈를 요약해 줘"
ANSWER = "담당자별로 묶어 줘"
WALK_S = 120.0


async def allow_always(me: Screen) -> None:
    """Let the agent run its script whenever it works, also when nobody is there."""
    await me.get("allow-always").click()
    await me.get("rule").press("Enter")


async def of_agent(me: Screen, what: str) -> Any:
    answer = await me.page.request.get(f"{me.product.url}/api/v1/agents/{me.agent}/{what}")
    return await answer.json()


async def test_one_sentence_becomes_a_tested_scheduled_published_agent(practice: Product, visit: Visit) -> None:
    me = await visit(practice, locale="ko-KR")
    await me.sign_in()
    began = time.monotonic()
    await me.new_agent()
    await me.say(WISH)
    await expect(me.answers.last).to_contain_text("저장소의 이슈를 볼까요?")
    await me.until_turns(1)
    await me.say(ANSWER)
    await expect(me.permission).to_contain_text("python3 main.py")
    await allow_always(me)
    form = me.get("secret-form")
    await expect(form).to_contain_text("GITHUB_TOKEN을 넣어 주세요")
    await judge(me, "the form of a secret")
    await form.get_by_test_id("secret-value").fill(VALUE)
    await form.get_by_test_id("allow").click()
    proposal = me.get("schedule-proposal")
    await expect(proposal).to_contain_text("매일 오전 9시", timeout=60_000)
    await expect(me.get("verdict")).to_have_count(2)
    for verdict in await me.get("verdict").all():
        await expect(verdict).to_have_attribute("data-state", "passed")
    await judge(me, "green verdicts and the proposal of a schedule", but="heading-order")
    await proposal.get_by_test_id("allow").click()
    await expect(me.get("publish-form")).to_contain_text("2개 가운데 2개 통과")
    await me.get("publish-form").get_by_test_id("allow").click()
    await expect(me.answers.last).to_contain_text("게시했어요")
    await me.until_turns(2)
    took_s = time.monotonic() - began
    (trigger,) = (await of_agent(me, "triggers"))["triggers"]
    assert (trigger["cron"], trigger["timezone"]) == ("0 9 * * *", "Asia/Seoul")
    (version,) = (await of_agent(me, "versions"))["versions"]
    assert version["number"] == 1
    newest = (await of_agent(me, "tests"))["test_runs"][0]
    assert [result["state"] for result in newest["results"]] == ["passed", "passed"]
    assert_nowhere(await me.page.content(), *written(practice), practice.log())
    assert took_s < WALK_S, f"the walk took {took_s:.0f} s"
