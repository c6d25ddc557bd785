"""Walks of the builder's requests: a secret, a schedule, a publication. Only the person's consent carries them out."""

import json
from typing import Any

from playwright.async_api import expect

from tests.e2e.conftest import Visit
from tests.e2e.screen import Event, Screen, kinds
from tests.e2e.test_pages import judge
from tests.e2e.test_secrets import HASH, VALUE, assert_nowhere, frames_of, written
from tests.model_server import ModelServer
from tests.product import Product

SECRET = {"name": "SLACK_TOKEN", "why": "To post the summary. You find it at api.slack.com."}
SCHEDULE = {"when": "every weekday at 9:00 am", "timezone": "Asia/Seoul", "input": "Summarise the new issues."}


def use(tool: str, arguments: dict[str, Any]) -> str:
    """A message that makes the scripted model call this tool; directives inside the arguments stay arguments."""
    given = json.dumps(arguments, ensure_ascii=False).replace("(", "\\u0028").replace(")", "\\u0029")
    return f"USE(((mcp__oma__{tool})))((({given})))"


async def triggers(me: Screen) -> list[Any]:
    answer = await me.page.request.get(f"{me.product.url}/api/v1/agents/{me.agent}/triggers")
    return list((await answer.json())["triggers"])


def returned(events: list[Event]) -> str:
    """Return the last result that the model got from a tool."""
    return str(kinds(events, "tool_returned")[-1]["content"])


async def test_a_secret_goes_from_the_form_to_the_vault_and_to_nobody_else(
    product: Product, visit: Visit, model: ModelServer
) -> None:
    me = await visit(product)
    heard = frames_of(me)
    await me.sign_in()
    await me.new_agent()
    await me.say(use("request_secret", SECRET | {"name": "PATH"}))
    assert "means something to the system" in returned(await me.until_turns(1)), "nobody is asked for what can be none"
    await me.say(use("request_secret", SECRET))
    form = me.get("secret-form")
    await expect(form).to_contain_text("Enter SLACK_TOKEN")
    await expect(form).to_contain_text("api.slack.com")
    await judge(me, "the form of a secret")
    product.allow("runner", "recover")
    await product.kill("runner")
    await expect(form).to_have_attribute("data-state", "parked", timeout=30_000)
    await form.get_by_test_id("allow").click()
    await expect(form.get_by_role("alert")).to_have_text("Enter the value.")
    await form.get_by_test_id("secret-value").fill("abc")
    await form.get_by_test_id("allow").click()
    await expect(form.get_by_role("alert")).to_contain_text("characters")
    await me.page.goto(product.url + "/inbox")
    await expect(form).to_contain_text("Enter SLACK_TOKEN")
    await form.get_by_test_id("secret-value").fill(VALUE)
    await form.get_by_test_id("allow").click()
    await expect(me.get("all-clear")).to_be_visible()
    await me.page.go_back()
    assert "SLACK_TOKEN is there" in returned(await me.until_turns(3, within_s=60))
    await me.say(use("request_secret", SECRET))
    assert "SLACK_TOKEN is there" in returned(await me.until_turns(4)), "what is there is not asked for again"
    await me.say("TOOL(((printf %s $SLACK_TOKEN | sha256sum)))")
    await me.get("allow").click()
    assert HASH in returned(await me.until_turns(5))
    assert_nowhere(await me.page.content(), *heard, *written(product), product.log())
    assert_nowhere(*(json.dumps(turn.body) for turn in model.turns))


async def test_a_schedule_and_a_publication_are_made_by_a_yes_and_by_nothing_else(
    product: Product, visit: Visit
) -> None:
    me = await visit(product)
    await me.sign_in()
    await me.new_agent()
    await me.say(use("publish_agent", {"note": "First."}))
    assert "no name yet" in returned(await me.until_turns(1))
    await me.say(use("draft_agent", {"name": "Issue digest", "description": "Reads issues.", "icon": "issue"}))
    await me.until_turns(2)
    await me.say(use("propose_schedule", SCHEDULE | {"when": "whenever it rains"}))
    assert "not understood" in returned(await me.until_turns(3))
    proposal = me.get("schedule-proposal")
    await me.say(use("propose_schedule", SCHEDULE))
    for part in ("weekdays at 9 am", "Asia/Seoul", "9:00", "Summarise the new issues."):
        await expect(proposal).to_contain_text(part)
    await judge(me, "the proposal of a schedule")
    await proposal.get_by_test_id("deny-with").click()
    await proposal.get_by_test_id("deny-message").fill("an hour later please")
    await proposal.get_by_test_id("deny-message").press("Enter")
    assert "an hour later please" in returned(await me.until_turns(4)) and not await triggers(me)
    await me.say(use("propose_schedule", SCHEDULE | {"when": "every weekday at 10:00 am"}))
    await expect(proposal).to_contain_text("weekdays at 10 am")
    await proposal.get_by_test_id("allow").click()
    assert "The schedule is made" in returned(await me.until_turns(5))
    (trigger,) = await triggers(me)
    assert (trigger["cron"], trigger["timezone"], trigger["input"]) == (
        "0 10 * * 1-5",
        "Asia/Seoul",
        "Summarise the new issues.",
    )
    await me.say(use("propose_schedule", SCHEDULE | {"when": "every weekday at 10:00 am"}))
    await me.until_turns(6)
    assert len(await triggers(me)) == 1, "the same schedule is neither asked for nor made again"
    await me.say(use("publish_agent", {"note": "First version."}))
    form = me.get("publish-form")
    for part in ("First version.", "Not tested yet"):
        await expect(form).to_contain_text(part)
    await me.page.reload()
    await expect(form).to_contain_text("Not tested yet")
    await judge(me, "the question whether to publish")
    await form.get_by_test_id("deny").click()
    await me.until_turns(7)
    await me.say(use("publish_agent", {"note": "First version."}))
    await form.get_by_test_id("allow").click()
    assert "It is published" in returned(await me.until_turns(8))
    await me.say(use("read_run", {}))
    assert "has not run yet" in returned(await me.until_turns(9))


CASES = [
    {
        "name": "reads",
        "title": "Reads its script",
        "input": "TOOL(((cat main.py)))",
        "expect": "It shows the script.",
        "checks": [
            {"kind": "contains", "text": "42"},
            {"kind": "lacks", "text": "traceback"},
            {"kind": "matches", "text": "print.[0-9]+"},
            {"kind": "exit_code"},
            {"kind": "file_exists", "path": "main.py"},
        ],
    },
    {
        "name": "writes",
        "input": "WRITE(((out.txt)))(((made)))",
        "checks": [{"kind": "contains", "path": "out.txt", "text": "made"}],
    },
    {
        "name": "judged",
        "input": "hello",
        "checks": [{"kind": "judged", "text": "SAY(((PASS\nIt greets back.)))"}],
    },
    {
        "name": "broken",
        "title": "Says goodbye",
        "input": "SAY(((hello))) TOOL(((curl https://example.com)))",
        "expect": "It says goodbye.",
        "never": "It calls anybody.",
        "checks": [
            {"kind": "contains", "text": "goodbye"},
            {"kind": "lacks", "text": "hello"},
            {"kind": "file_exists", "path": "report.txt"},
            {"kind": "judged", "text": "SAY(((FAIL\nThere is no goodbye.)))"},
        ],
    },
]


async def test_cases_run_in_a_copy_and_a_broken_agent_is_red_for_the_right_reason(
    product: Product, visit: Visit
) -> None:
    me = await visit(product)
    await me.sign_in()
    await me.new_agent()
    await me.say("WRITE(((main.py)))(((print(42))))")
    await me.until_turns(1)
    await me.say(use("try_agent", {"cases": [CASES[0] | {"input": ""}]}))
    assert "has no input" in returned(await me.until_turns(2))
    await me.say(use("try_agent", {"cases": CASES}))
    report = json.loads(returned(await me.until_turns(3, within_s=90)))
    assert (report["passed"], report["of"]) == (3, 4), report
    results = {one["case"]["name"]: one for one in report["results"]}
    red = [(one["kind"], one["evidence"]) for one in results["broken"]["checks"] if not one["passed"]]
    assert [kind for kind, _ in red] == ["contains", "lacks", "file_exists", "judged"]
    assert "hello" in red[0][1] and red[3][1].startswith("There is no goodbye.")
    assert results["writes"]["files"] == [["out.txt", 4]]
    listed = await me.page.request.get(f"{product.url}/api/v1/agents/{me.agent}/files/")
    names = [entry["name"] for entry in (await listed.json())["entries"]]
    assert "out.txt" not in names and {"main.py", "tests"} <= set(names)
    verdicts = me.get("verdict")
    await expect(verdicts).to_have_count(4)
    await expect(verdicts.first).to_have_attribute("data-state", "failed")
    for part in ("Says goodbye", "It says goodbye.", "The answer has to have “goodbye”", "The model’s judgement"):
        await expect(verdicts.first).to_contain_text(part)
    await judge(me, "the verdicts")
    await me.page.goto(f"{product.url}/agents/{me.agent}")
    section = me.get("draft-field").and_(me.page.locator("[data-field=tests]"))
    await expect(section).to_contain_text("3 of 4 passed")
    await section.locator("summary").first.click()
    await expect(section.get_by_test_id("verdict")).to_have_count(4)
    await section.get_by_test_id("try").click()
    await expect(section.get_by_test_id("try")).to_be_disabled()
    await expect(section.get_by_test_id("tests-by-version").locator("th[scope=col]")).to_have_count(3, timeout=60_000)
    await judge(me, "the tests of an agent")
    await me.get("publish").click()
    await expect(me.get("publish-risk")).to_contain_text("Says goodbye")
    await expect(me.get("publish-now")).to_have_text("Publish although tests fail")
    await me.get("to-workspace").click()
    await me.page.wait_for_url("**/workspace/**session=**")
    await expect(me.get("verdict").first).to_be_visible()
    agents = product.data_dir.rglob("agents/*")
    assert len([path for path in agents if path.is_dir() and path.name != "tests"]) == 1, "no copy is left"
