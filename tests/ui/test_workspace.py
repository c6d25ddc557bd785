"""The workspace in a real browser, over a conversation that the test makes happen event by event."""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from core.domain import events as e
from core.domain.states import SessionState as S
from tests.browser import FLAGS, chromium
from tests.timeouts import PATIENCE_S
from tests.ui.serve_workspace import AGENT, LONG, STORY
from tests.ui.test_transcript_reducer import PNG

ROOT = Path(__file__).resolve().parents[2]


class World:
    """The server, and what a test makes happen in it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, body: bytes = b"") -> Any:
        request = urllib.request.Request(f"{self.url}/_fake/{path}", data=body, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def session(self) -> str:
        return str(self.post("open"))

    def draft(self, agent: str, name: str = "") -> None:
        self.post(f"draft?{urllib.parse.urlencode({'agent': agent, 'name': name})}")

    def happen(self, session: str, *events: e.AnyEvent) -> None:
        self.post(f"{session}/happen", e.encode_many(list(events)))

    def calls(self, name: str) -> list[Any]:
        with urllib.request.urlopen(f"{self.url}/_fake/calls", timeout=30) as answer:
            return [call[1] for call in json.loads(answer.read()) if call[0] == name]

    def address(self, session: str) -> str:
        return f"{self.url}/workspace/{AGENT}?session={session}"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.ui.serve_workspace", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )
    assert process.stdout
    url = process.stdout.readline().strip()
    try:
        assert url.startswith("http://127.0.0.1:")
        yield World(url)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def errors() -> Iterator[list[str]]:
    """Collects errors in the page; a test that provokes one removes it."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def page(browser: Browser, errors: list[str]) -> Iterator[Page]:
    context = browser.new_context(locale="en", viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    page.set_default_timeout(30_000)
    yield page
    context.close()


def visit(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_function("window.did_handshake === true")


def composer(page: Page) -> Any:
    return page.get_by_test_id("composer")


def texts(page: Page) -> list[str]:
    return page.locator("[data-testid=message][data-role=assistant]").all_inner_texts()


def said(text: str, id: str = "m1") -> e.UserSaid:
    return e.UserSaid(message_id=id, text=text)


def busy(turn: str = "m1") -> e.StateChanged:
    return e.StateChanged(state=S.BUSY, turn=turn)


def delta(text: str, message: str = "a1") -> e.TextDelta:
    return e.TextDelta(message=message, block=0, text=text)


def asked(id: str = "r1") -> e.Asked:
    given = {"command": 'curl "$HOOK" --json @out.json', "description": "Posts the summary."}
    return e.Asked(
        request_id=id, kind="permission", tool="Bash", input=given, rule="Bash(curl:*)", folder="/home/agent/agents/a"
    )


def wait(check: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not check():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


# ---- streaming (G2)


def test_an_answer_streams_and_ends_as_the_rendering_of_the_models_text(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    source = "Here **it** is:\n\n1. one\n2. two\n\n```python\nprint('<b>')\n```\n\nand `done`."
    world.happen(session, said("go"), busy(), delta(source[:8]))
    live = page.locator("[data-testid=message][data-role=assistant][data-live]")
    expect(live).to_contain_text("Here")
    for at in range(8, len(source), 3):
        world.happen(session, delta(source[at : at + 3]))
    expect(live).to_contain_text("and")
    world.happen(session, e.Text(message="a1", block=0, text=source), e.TurnFinished(outcome="ok", duration_s=1.0))
    final = page.locator("[data-testid=message][data-role=assistant][data-seq]")
    expect(final).to_have_count(1)
    expect(final.locator("strong")).to_have_text("it")
    expect(final.locator("pre code")).to_have_text("print('<b>')\n", use_inner_text=False)
    expect(live).to_have_count(0)
    page.locator(".copy-all").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == source
    expect(page.get_by_test_id("transcript")).to_have_attribute("data-last-seq", "4")


def test_a_stream_that_is_asked_again_leaves_no_word_of_the_first_try(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), delta("wrong words"))
    expect(page.locator("[data-live]")).to_have_text("wrong words")
    world.happen(session, delta("right words", "a2"))
    expect(page.locator("[data-live]")).to_have_text("right words")
    assert texts(page) == ["right words"]


def test_a_reload_in_mid_answer_shows_what_was_there_and_goes_on(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), delta("first half, "))
    expect(page.locator("[data-live]")).to_contain_text("first half")
    page.reload()
    expect(page.locator("[data-live]")).to_contain_text("first half")
    world.happen(session, delta("second half"))
    expect(page.locator("[data-live]")).to_have_text("first half, second half")
    assert page.locator("[data-testid=message][data-role=user]").count() == 1


def test_the_text_is_in_the_page_before_the_socket_is_up(page: Page, world: World) -> None:
    page.add_init_script("window.WebSocket = class { constructor() { this.readyState = 0 } close() {} send() {} }")
    page.goto(world.address(STORY))
    expect(page.locator("[data-testid=message][data-role=user]")).to_have_count(2)
    expect(page.get_by_test_id("session-state")).to_have_attribute("data-state", "asking")
    composer(page).fill("typed before the socket")
    expect(composer(page)).to_have_value("typed before the socket")


def test_a_push_that_is_lost_is_noticed_and_made_good(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), delta("one "))
    expect(page.locator("[data-live]")).to_contain_text("one")
    page.evaluate(
        """() => {
            const whole = window.runMethod;
            window.runMethod = (id, name, args) => {
                if (name === "push") { window.runMethod = whole; window.lost = true; return; }
                return whole(id, name, args);
            };
        }"""
    )
    world.happen(session, delta("two "))
    page.wait_for_function("window.lost")
    world.happen(session, delta("three"))
    expect(page.locator("[data-live]")).to_have_text("one two three")


def test_two_tabs_show_the_same_and_are_rendered_once(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    other = page.context.new_page()
    visit(other, world.address(session))
    world.happen(session, said("go"), busy(), delta("for both"))
    for one in (page, other):
        expect(one.locator("[data-live]")).to_have_text("for both")
    with urllib.request.urlopen(f"{world.url}/_fake/{session}/followers", timeout=30) as answer:
        assert answer.read() == b"1"


def test_a_runner_that_comes_back_tells_the_unfinished_text_anew(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), delta("lost with the runner"))
    expect(page.locator("[data-live]")).to_be_visible()
    world.post(f"{session}/reconnect?lose=true")
    expect(page.locator("[data-live]")).to_have_count(0)


def test_what_works_turns_and_nothing_else(page: Page, world: World) -> None:
    """A ring that turns costs the browser style and layout at each word, and a hidden one all day."""
    # Not in the list at the side: other tests' sessions may be at work there.
    session, turning = world.session(), "document.querySelector('.mid').getAnimations({subtree: true}).length"
    visit(page, world.address(session))
    wait(lambda: page.evaluate(turning) == 0)  # what slides in has arrived
    world.happen(session, said("go"), busy())
    expect(page.get_by_test_id("session-state")).to_have_attribute("data-state", "busy")
    wait(lambda: page.evaluate(turning) > 0)
    world.happen(session, delta("words "))
    expect(page.locator("[data-live]")).to_be_visible()
    wait(lambda: page.evaluate(turning) == 0)


# ---- history


def test_a_long_session_opens_at_its_end_and_gives_what_was_before(page: Page, world: World) -> None:
    visit(page, world.address(LONG))
    expect(page.locator("[data-role=user]").last).to_be_in_viewport()
    assert page.locator("[data-role=user]").count() == 100
    first = page.locator("[data-role=user]").first
    expect(first).to_contain_text("question 401")
    page.get_by_role("button", name="Show earlier messages").click()
    expect(page.locator("[data-role=user]").first).to_contain_text("question 335")
    assert page.evaluate(
        "new Set([...document.querySelectorAll('[data-role=user]')].map(x => x.dataset.seq)).size"
    ) == (page.locator("[data-role=user]").count())


def test_a_message_of_long_ago_is_shown_by_its_number(page: Page, world: World) -> None:
    visit(page, world.address(LONG) + "&at=100")
    expect(page.locator("[data-found]")).to_be_in_viewport()
    assert page.locator("[data-found]").get_attribute("data-seq") == "100"


def test_a_reader_who_has_scrolled_up_is_left_where_they_are(page: Page, world: World) -> None:
    session = world.session()
    world.happen(session, *(e.Text(message=f"x{n}", block=0, text=f"paragraph {n}") for n in range(60)))
    visit(page, world.address(session))
    box = page.get_by_test_id("transcript")
    expect(page.get_by_text("paragraph 59")).to_be_in_viewport()
    box.evaluate("box => box.scrollTop = 100")
    pill = page.get_by_role("button", name="New messages")
    world.happen(session, said("go"), busy(), delta("new words"))
    expect(pill).to_be_visible()
    assert box.evaluate("box => box.scrollTop") == 100
    pill.click()
    expect(page.locator("[data-live]")).to_be_in_viewport()
    expect(pill).to_be_hidden()


def left_below(page: Page) -> float:
    """Pixels between what is seen and the end."""
    box = page.get_by_test_id("transcript")
    return float(box.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight"))


@pytest.mark.parametrize("phone", [False, True])
def test_a_reader_at_the_end_stays_there_when_a_card_comes_and_goes(page: Page, world: World, phone: bool) -> None:
    if phone:
        page.set_viewport_size({"width": 390, "height": 844})
    session, request = world.session(), f"follow-{phone}"
    world.happen(session, *(e.Text(message=f"x{n}", block=0, text=f"paragraph {n}") for n in range(60)))
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), e.Text(message="y", block=0, text="just before"), asked(request))
    expect(page.get_by_test_id("permission")).to_be_visible()
    wait(lambda: left_below(page) < 100)
    page.wait_for_timeout(300)  # a late event of our own scrolling is what used to end the following
    assert left_below(page) < 100
    page.get_by_test_id("allow").click()
    expect(page.get_by_test_id("allow")).to_have_count(0)
    world.happen(session, *(e.Text(message=f"z{n}", block=0, text=f"after {n}") for n in range(20)))
    expect(page.get_by_text("after 19").first).to_be_in_viewport()
    wait(lambda: left_below(page) < 100)


def test_one_turn_of_the_wheel_while_text_comes_ends_the_following(page: Page, world: World) -> None:
    session = world.session()
    world.happen(session, *(e.Text(message=f"x{n}", block=0, text=f"paragraph {n}") for n in range(60)))
    visit(page, world.address(session))
    wait(lambda: left_below(page) < 5)
    world.happen(session, said("go"), busy(), delta("word "))
    page.get_by_test_id("transcript").hover()
    page.mouse.wheel(0, -400)
    wait(lambda: left_below(page) > 300)
    for _ in range(10):
        world.happen(session, delta("more words that go on for a while\n\n"))
    expect(page.get_by_role("button", name="New messages")).to_be_visible()
    assert left_below(page) > 300


# ---- drafts


def test_a_draft_gets_its_name_live_and_is_published_from_its_workspace(page: Page, world: World) -> None:
    agent = "bbbbbbbbbbbb"
    world.draft(agent)
    session = str(world.post(f"open?agent={agent}"))
    visit(page, f"{world.url}/workspace/{agent}?session={session}")
    expect(page.get_by_test_id("publish")).to_have_count(0)
    world.draft(agent, "Issue digest")
    expect(page.locator(".mid .head")).to_contain_text("Issue digest")
    expect(page.locator(".side")).to_contain_text("Issue digest")
    expect(page.locator(".mid .head .chip")).to_have_text("Draft")
    page.get_by_test_id("publish").press("Enter")
    expect(page.get_by_test_id("publish")).to_have_count(0)
    expect(page.get_by_test_id("agent-menu")).to_be_focused()
    expect(page.locator(".mid .head .chip")).to_have_count(0)
    expect(page.get_by_test_id("toast")).to_be_visible()


SPENT = {"model": "claude-sonnet-4-5-20250929", "context_tokens": 62_400, "window_tokens": 200_000, "cost_usd": 0.18}


def test_the_head_says_model_context_and_cost_at_a_turns_end_in_every_tab_and_after_a_reload(
    page: Page, world: World
) -> None:
    session = world.session()
    visit(page, world.address(session))
    other = page.context.new_page()
    visit(other, world.address(session))
    expect(page.get_by_test_id("facts")).to_have_text("")  # nobody has said anything yet
    world.happen(session, said("go"), busy(), e.TurnFinished(outcome="ok", **SPENT))  # type: ignore[arg-type]
    for _ in range(2):
        for tab in (page, other):
            expect(tab.get_by_test_id("model")).to_have_text("Sonnet 4.5")
            expect(tab.get_by_test_id("context")).to_contain_text("31%")
            expect(tab.get_by_role("meter", name="Context")).to_have_attribute("aria-valuenow", "31")
            expect(tab.get_by_test_id("cost")).to_have_text("US$0.18")
        page.reload()
    low = e.TurnFinished(outcome="ok", **(SPENT | {"context_tokens": 170_000}))  # type: ignore[arg-type]
    world.happen(session, said("more", "m2"), busy("m2"), low)
    expect(page.locator(".context.high")).to_contain_text("85%")
    expect(page.get_by_test_id("cost")).to_have_text("US$0.36")


def test_on_a_phone_the_menu_has_the_facts_and_the_palette(browser: Browser, world: World) -> None:
    session = world.session()
    world.happen(session, said("go"), busy(), e.TurnFinished(outcome="ok", **SPENT))  # type: ignore[arg-type]
    context = browser.new_context(locale="en", viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    visit(page, world.address(session))
    expect(page.get_by_test_id("context")).to_be_hidden()
    page.get_by_test_id("agent-menu").tap()
    told = page.get_by_test_id("facts-told")
    for words in ("Sonnet 4.5", "62,400 of 200,000 tokens", "US$0.18"):
        expect(told).to_contain_text(words)
    page.get_by_test_id("to-palette").tap()
    expect(page.get_by_role("combobox")).to_be_focused()
    expect(page.get_by_role("option").first).to_be_visible()
    expect(told).to_be_hidden()  # the menu has closed behind it
    context.close()


def test_the_agents_name_is_a_menu_to_rename_archive_and_delete(page: Page, world: World) -> None:
    agent = "dddddddddddd"
    world.draft(agent, "Old name")
    session = str(world.post(f"open?agent={agent}"))
    visit(page, f"{world.url}/workspace/{agent}?session={session}")
    page.get_by_test_id("agent-menu").click()
    page.get_by_role("button", name="Rename").first.click()
    page.get_by_test_id("rename-agent").fill("New name")
    page.get_by_test_id("rename-agent").press("Enter")
    expect(page.get_by_test_id("agent-menu")).to_contain_text("New name")
    page.get_by_test_id("agent-menu").click()
    page.get_by_role("button", name="Archive").click()
    expect(page.locator(".mid .head .chip")).to_have_text("Archived")
    page.get_by_test_id("toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".mid .head .chip")).to_have_text("Draft")
    page.get_by_test_id("agent-menu").click()
    page.locator(".mid .head .pop").get_by_role("button", name="Delete").click()
    expect(page.get_by_test_id("confirm-delete")).to_contain_text("Delete New name?")
    page.get_by_test_id("delete").click()
    page.wait_for_url("**/dashboard")


def test_sending_is_the_thing_to_press_only_when_there_is_something_to_send(page: Page, world: World) -> None:
    visit(page, world.address(world.session()))
    send = page.get_by_test_id("send")
    expect(send).not_to_have_class(re.compile("primary"))
    composer(page).press_sequentially("a")
    expect(send).to_have_class(re.compile("primary"))
    composer(page).press("Backspace")
    expect(send).not_to_have_class(re.compile("primary"))


def test_an_untouched_session_says_what_to_do_and_new_session_stays_in_it(page: Page, world: World) -> None:
    agent = "cccccccccccc"
    world.draft(agent)
    session = str(world.post(f"open?agent={agent}"))
    visit(page, f"{world.url}/workspace/{agent}?session={session}")
    welcome = page.get_by_test_id("welcome")
    expect(welcome).to_contain_text("What should we automate?")
    page.get_by_test_id("new-session").click()
    expect(composer(page)).to_be_focused()
    assert page.locator("[data-session]").count() == 1
    welcome.get_by_role("button").first.click()
    expect(composer(page)).not_to_have_value("")
    composer(page).press("Enter")
    expect(page.locator("[data-role=user]")).to_have_count(1)
    expect(welcome).to_be_hidden()


# ---- the composer (G1)


def test_enter_sends_once_and_the_text_leaves_the_box_when_it_is_shown(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    composer(page).fill("hello there")
    composer(page).press("Enter")
    message = page.locator("[data-testid=message][data-role=user]")
    expect(message).to_have_attribute("data-seq", "1")
    expect(message).to_have_count(1)
    expect(composer(page)).to_have_value("")
    assert [call["text"] for call in world.calls("say") if call["text"] == "hello there"] == ["hello there"]


def test_enter_that_ends_a_korean_composition_does_not_send(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    before = len(world.calls("say"))
    composer(page).focus()
    cdp = page.context.new_cdp_session(page)
    cdp.send("Input.imeSetComposition", {"text": "안녕", "selectionStart": 2, "selectionEnd": 2})
    for ending in ("isComposing: true", "keyCode: 229"):  # as Chromium and Firefox say it, and as Safari does
        press = f"new KeyboardEvent('keydown', {{key: 'Enter', {ending}, bubbles: true, cancelable: true}})"
        composer(page).evaluate(f"box => box.dispatchEvent({press})")
    expect(composer(page)).to_have_value("안녕")
    cdp.send("Input.insertText", {"text": "안녕"})
    composer(page).press("Enter")
    expect(page.locator("[data-testid=message][data-role=user]")).to_contain_text("안녕")
    wait(lambda: len(world.calls("say")) == before + 1)


def test_shift_enter_makes_a_line_and_sends_nothing(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    composer(page).press_sequentially("a")
    composer(page).press("Shift+Enter")
    composer(page).press_sequentially("b")
    expect(composer(page)).to_have_value("a\nb")
    expect(page.locator("[data-role=user]")).to_have_count(0)


def test_unsent_text_survives_a_reload(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    composer(page).press_sequentially("not yet")
    page.reload()
    expect(composer(page)).to_have_value("not yet")


def test_a_message_that_nobody_took_can_be_sent_again_and_arrives_once(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.post("refuse?on=true")
    try:
        composer(page).fill("try me")
        composer(page).press("Enter")
        expect(page.locator("[data-role=user][data-state=failed]")).to_contain_text("try me")
        page.reload()
        expect(page.locator("[data-role=user][data-state=failed]")).to_contain_text("try me")
    finally:
        world.post("refuse?on=false")
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("[data-role=user][data-seq]")).to_contain_text("try me")
    expect(page.locator("[data-role=user]")).to_have_count(1)


def test_a_message_that_nobody_took_can_be_changed_and_costs_nothing_that_was_written_since(
    page: Page, world: World
) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.post("refuse?on=true")
    try:
        composer(page).fill("far too long " * 400)
        composer(page).press("Enter")
        failed = page.locator("[data-role=user][data-state=failed]")
        expect(failed).to_contain_text("…")
        assert len(failed.locator(".said").inner_text()) < 2100
        composer(page).fill("written since")
        page.get_by_role("button", name="Edit").click()
        expect(composer(page)).to_have_value("far too long " * 400 + "\n\nwritten since")
        expect(failed).to_have_count(0)
    finally:
        world.post("refuse?on=false")


def test_a_message_sent_while_the_socket_is_away_is_sent_under_the_same_id_later(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    page.evaluate("window.socket.disconnect()")
    composer(page).fill("from the tunnel")
    composer(page).press("Enter")
    expect(page.locator("[data-role=user][data-state=sending]")).to_be_visible()
    page.reload()
    expect(page.locator("[data-role=user][data-seq]")).to_contain_text("from the tunnel")
    expect(page.locator("[data-role=user]")).to_have_count(1)
    assert len({call["message_id"] for call in world.calls("say") if call["text"] == "from the tunnel"}) == 1


def test_while_it_works_enter_queues_and_control_enter_steers(page: Page, world: World) -> None:
    session = world.session()
    world.happen(session, said("work"), busy())
    visit(page, world.address(session))
    expect(page.get_by_test_id("send")).to_contain_text("Queue")
    composer(page).fill("later")
    composer(page).press("Enter")
    expect(page.get_by_text("Delivered when the current turn ends")).to_be_visible()
    composer(page).fill("now")
    composer(page).press("Control+Enter")
    wait(lambda: [call["steer"] for call in world.calls("say") if call["text"] in ("later", "now")] == [False, True])


def test_escape_stops(page: Page, world: World) -> None:
    session = world.session()
    world.happen(session, said("work"), busy())
    visit(page, world.address(session))
    composer(page).press("Escape")
    wait(lambda: session in world.calls("interrupt"))
    world.happen(session, e.TurnFinished(outcome="interrupted", reason="stopped_by_user"), e.StateChanged(state=S.IDLE))
    expect(page.get_by_test_id("stop")).to_be_hidden()
    expect(page.get_by_text("Stopped. Say something to go on.")).to_be_visible()


def test_keys_in_the_palette_neither_stop_nor_answer_anything(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("palette-keys"))
    expect(page.get_by_test_id("permission")).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("123")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("palette")).to_be_hidden()
    expect(page.get_by_test_id("permission")).to_be_focused()
    assert session not in world.calls("interrupt") and not answers(world, "palette-keys")


# ---- permissions (G5)


def answers(world: World, request: str) -> list[Any]:
    return [call for call in world.calls("answer") if call["request_id"] == request]


def test_a_digit_typed_into_text_never_approves(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    composer(page).press_sequentially("do ")
    world.happen(session, said("go"), busy(), asked("digits"))
    expect(page.get_by_test_id("permission")).to_have_attribute("data-state", "open")
    composer(page).press_sequentially("1 2 3", delay=150)
    expect(composer(page)).to_have_value("do 1 2 3")
    composer(page).fill("")
    composer(page).press_sequentially("123", delay=150)
    expect(composer(page)).to_have_value("123")
    page.locator("h1").click()
    page.keyboard.press("1")
    assert answers(world, "digits") == []


def test_keys_answer_while_the_card_has_the_focus(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("keys"))
    card = page.get_by_test_id("permission")
    expect(card).to_be_focused()
    page.wait_for_timeout(400)  # keys count only once the card has stood for a moment
    page.keyboard.press("1")
    expect(page.locator("[data-testid=permission][data-state=allowed]")).to_contain_text("Allowed once")
    assert [call["decision"] for call in answers(world, "keys")] == ["allow"]
    expect(page.get_by_test_id("allow")).to_have_count(0)


def test_a_sentence_that_begins_with_a_digit_is_no_answer(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    composer(page).focus()
    world.happen(session, said("go"), busy(), asked("sentence"))
    expect(page.get_by_test_id("permission")).to_be_focused()
    page.wait_for_timeout(400)  # keys count only once the card has stood for a moment
    page.keyboard.type("1st, wait", delay=50)
    expect(composer(page)).to_have_value("1st, wait")
    page.wait_for_timeout(600)  # as long as a digit waits for letters
    assert answers(world, "sentence") == []


def test_a_letter_typed_at_the_card_goes_into_the_text_box(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("letters"))
    expect(page.get_by_test_id("permission")).to_be_focused()
    page.keyboard.type("wait 1")
    expect(composer(page)).to_have_value("wait 1")
    assert answers(world, "letters") == []


def test_the_card_shows_the_exact_command_and_whose_words_the_reason_is(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("exact"))
    card = page.get_by_test_id("permission")
    expect(card.locator(".cmd")).to_have_text('curl "$HOOK" --json @out.json')
    expect(card).to_contain_text("Claude says Posts the summary.")
    expect(card).to_contain_text("the agent's folder")


def test_a_long_command_shows_its_end_and_its_size_and_opens_whole(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    command = "echo begin " + "a" * 66_000 + " end; rm -rf last"
    given = {"command": command}
    world.happen(
        session,
        said("go"),
        busy(),
        e.Asked(request_id="long", kind="permission", tool="Bash", input=given, no_rule="long"),
    )
    shown = page.get_by_test_id("permission").locator(".cmd")
    expect(shown).to_contain_text("echo begin")
    expect(shown).to_contain_text("end; rm -rf last")
    expect(shown).to_contain_text(f"{len(command):,} characters")
    assert len(shown.inner_text()) < 4_000
    page.get_by_test_id("show-all").click()
    expect(shown).to_have_text(command)


def test_many_written_lines_are_counted_and_open_whole(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    content = "\n".join(f"line {n} {'x' * 30}" for n in range(3_001))
    given = {"file_path": "/home/agent/elsewhere/long.txt", "content": content}
    world.happen(session, said("go"), busy(), e.ToolCalled(id="w", name="Write", input=given))
    expect(page.get_by_test_id("tool-call")).to_contain_text("+3001")
    expect(page.get_by_test_id("tool-call").locator(".detail")).to_contain_text(re.compile("2,?801 more lines"))
    world.happen(session, e.Asked(request_id="lines", kind="permission", tool="Write", tool_id="w", input=given))
    card = page.get_by_test_id("permission")
    expect(card).to_contain_text("3,001 lines")
    expect(card).to_contain_text("line 3000 ")
    page.get_by_test_id("show-all").click()
    expect(card.locator(".diff > .add")).to_have_count(3_001)


@pytest.mark.parametrize("why", ["long", "signs", "tool"])
def test_where_there_is_no_rule_the_button_says_why(page: Page, world: World, why: str) -> None:
    session = world.session()
    visit(page, world.address(session))
    given = {"command": "cat <<E > f\nx\nE"}
    world.happen(
        session,
        said("go"),
        busy(),
        e.Asked(request_id=f"no-{why}", kind="permission", tool="Bash", input=given, no_rule=why),
    )
    page.get_by_test_id("allow-always").click()
    expect(page.get_by_test_id("no-rule")).to_contain_text("no rule")
    assert page.get_by_test_id("rule").count() == 0 and answers(world, f"no-{why}") == []


def test_always_shows_the_rule_and_takes_it_as_edited(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("rule"))
    page.get_by_test_id("allow-always").click()
    rule = page.get_by_test_id("rule")
    expect(rule).to_have_value("Bash(curl:*)")
    expect(page.locator("[data-testid=permission] .primary")).to_have_attribute("data-testid", "allow-always")
    assert answers(world, "rule") == []
    rule.fill("Bash(curl --json:*)")
    page.get_by_test_id("allow-always").click()
    wait(lambda: [call.get("rule") for call in answers(world, "rule")] == ["Bash(curl --json:*)"])


def test_a_rule_that_is_none_is_refused_at_its_field(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("bad-rule"))
    page.get_by_test_id("allow-always").click()
    page.get_by_test_id("rule").fill("rm everything")
    page.get_by_test_id("allow-always").click()
    expect(page.get_by_test_id("rule-error")).to_be_visible()
    expect(page.get_by_test_id("rule")).to_be_focused()
    expect(page.get_by_test_id("permission")).to_have_attribute("data-state", "open")
    page.get_by_test_id("rule").fill("Bash(curl:*)")
    page.get_by_test_id("allow-always").click()
    wait(lambda: len(answers(world, "bad-rule")) == 1)


@pytest.mark.parametrize("everything", ["Bash", "Bash(*)", "Read, Bash(:*)"])
def test_a_rule_that_allows_everything_of_a_tool_is_asked_twice(page: Page, world: World, everything: str) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked(everything))
    page.get_by_test_id("allow-always").click()
    page.get_by_test_id("rule").fill(everything)
    page.get_by_test_id("rule").press("Enter")
    expect(page.get_by_test_id("allow-always")).to_contain_text("Allow everything")
    assert answers(world, everything) == []
    page.get_by_test_id("allow-always").click()
    wait(lambda: [call.get("rule") for call in answers(world, everything)] == [everything])


@pytest.mark.parametrize(("button", "field"), [("allow-always", "rule"), ("deny-with", "deny-message")])
def test_escape_in_a_field_of_the_card_closes_the_field_and_stops_nothing(
    page: Page, world: World, button: str, field: str
) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked(f"escape-{field}"))
    page.get_by_test_id(button).click()
    page.get_by_test_id(field).press("Escape")
    expect(page.get_by_test_id(field)).to_have_count(0)
    expect(page.get_by_test_id("permission")).to_be_focused()
    assert session not in world.calls("interrupt")
    expect(page.get_by_test_id("allow-always")).to_contain_text("Always allow…")


def test_denying_can_say_what_to_do_instead(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("deny"))
    page.get_by_test_id("deny-with").click()
    page.get_by_test_id("deny-message").fill("use the test channel")
    page.get_by_test_id("deny").click()
    expect(page.locator("[data-testid=permission][data-state=denied]")).to_contain_text("use the test channel")


def test_several_requests_come_one_after_the_other(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("one"), asked("two"))
    expect(page.get_by_test_id("permission")).to_contain_text("1/2")
    expect(page.get_by_test_id("allow")).to_have_count(1)
    page.get_by_test_id("allow").click()
    wait(lambda: len(answers(world, "one")) == 1)
    expect(page.get_by_test_id("allow")).to_be_enabled()
    page.get_by_test_id("deny").click()
    wait(lambda: [call["decision"] for call in answers(world, "two")] == ["deny"])


def test_a_request_answered_elsewhere_leaves_this_page_too(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("elsewhere"))
    expect(page.get_by_test_id("allow")).to_be_visible()
    world.happen(session, e.Answered(request_id="elsewhere", decision="allow", by="local-owner web"))
    expect(page.get_by_test_id("allow")).to_have_count(0)
    expect(page.locator("[data-testid=permission][data-state=allowed]")).to_be_visible()


def test_a_parked_request_can_still_be_answered(page: Page, world: World) -> None:
    session = world.session()
    world.happen(session, said("go"), busy(), asked("parked"), e.Parked(request_id="parked"))
    world.happen(session, e.TurnFinished(outcome="interrupted", reason="shutdown"), e.StateChanged(state=S.ASLEEP))
    visit(page, world.address(session))
    expect(page.get_by_test_id("permission")).to_have_attribute("data-state", "parked")
    page.get_by_test_id("allow").click()
    wait(lambda: len(answers(world, "parked")) == 1)


def test_a_question_is_answered_by_option_and_in_own_words(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    questions = (
        e.Question(text="Which channel?", options=(("dev", "for us"), ("all", "for everybody"))),
        e.Question(text="When?", options=(("mornings", ""),), many=True),
    )
    world.happen(session, said("go"), busy(), e.Asked(request_id="q", kind="question", questions=questions))
    card = page.get_by_test_id("question")
    card.get_by_role("radio").first.check()
    card.get_by_test_id("answer").click()
    assert answers(world, "q") == []
    card.get_by_label("When? Another answer").fill("at noon")
    card.get_by_test_id("answer").click()
    parts = {"Which channel?": {"choices": ["dev"]}, "When?": {"text": "at noon"}}
    wait(lambda: [call["replies"] for call in answers(world, "q")] == [parts])
    expect(page.locator("[data-testid=question][data-state=answered]")).to_contain_text("at noon")


def test_a_question_with_one_answer_takes_a_choice_or_own_words_and_never_both(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    questions = (
        e.Question(text="Which?", options=(("dev, or test", ""), ("all", ""))),
        e.Question(text="When?", options=(("mornings, early", ""), ("evenings", "")), many=True),
    )
    world.happen(session, said("go"), busy(), e.Asked(request_id="single", kind="question", questions=questions))
    card = page.get_by_test_id("question")
    own = card.get_by_label("Which? Another answer")
    card.get_by_role("radio").first.check()
    own.fill("prod")
    expect(card.get_by_role("radio").first).not_to_be_checked()
    card.get_by_role("radio").first.check()
    expect(own).to_have_value("")
    card.get_by_test_id("answer").click()  # the second question has no answer yet, and says so
    expect(card.locator("[role=alert]").nth(1)).to_have_text("Choose an answer or write your own.")
    assert answers(world, "single") == []
    card.get_by_role("checkbox").first.check()
    expect(card.locator("[role=alert]").nth(1)).to_be_empty()
    card.get_by_role("checkbox").nth(1).check()
    card.get_by_test_id("answer").click()
    parts = {"Which?": {"choices": ["dev, or test"]}, "When?": {"choices": ["mornings, early", "evenings"]}}
    wait(lambda: [call["replies"] for call in answers(world, "single")] == [parts])
    expect(page.locator("[data-state=answered] .said-inline")).to_have_text(
        ["dev, or test", "mornings, early", "evenings"]
    )


def test_a_question_that_goes_on_below_shows_that_it_does(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    options = tuple((f"way {n}", "what comes of it") for n in range(12))
    questions = (e.Question(text="Which?", options=options),)
    world.happen(session, said("go"), busy(), e.Asked(request_id="long", kind="question", questions=questions))
    body = page.get_by_test_id("question").locator(".body")
    expect(body).to_have_attribute("data-more", "")
    body.evaluate("(body) => body.scrollTo(0, body.scrollHeight)")
    expect(body).not_to_have_attribute("data-more", "")


def test_on_a_phone_a_permission_leaves_most_of_the_screen_to_the_conversation(page: Page, world: World) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("phone"))
    expect(page.get_by_test_id("permission")).to_be_visible()
    height = page.locator(".dock").evaluate("(dock) => dock.getBoundingClientRect().height")
    assert height / 844 < 0.40
    composer(page).tap() if page.evaluate("navigator.maxTouchPoints") else composer(page).click()
    expect(page.get_by_test_id("stop")).to_be_visible()


def test_a_phones_keyboard_does_not_cover_the_text_box(page: Page, world: World) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, world.address(world.session()))
    shrink = "Object.defineProperty(visualViewport, 'height', { configurable: true, get: () => HEIGHT });"
    resize = "visualViewport.dispatchEvent(new Event('resize'))"
    page.evaluate(shrink.replace("HEIGHT", "480") + resize)
    bottom = "document.querySelector('[data-testid=composer]').getBoundingClientRect().bottom"
    page.wait_for_function(f"{bottom} <= 480")
    page.evaluate(shrink.replace("HEIGHT", "innerHeight") + resize)
    page.wait_for_function(f"{bottom} > 700")


def test_the_list_says_of_the_open_session_what_the_header_says(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), asked("same"))
    row = page.locator(f"[data-session='{session}']")
    state = page.get_by_test_id("session-state")
    expect(row).to_have_attribute("data-state", state.get_attribute("data-state") or "")
    ended = e.TurnFinished(outcome="error", reason="cli_died")
    world.happen(session, e.Answered(request_id="same", decision="deny"), ended, e.StateChanged(state=S.IDLE))
    expect(state).to_have_attribute("data-state", "failed")
    expect(row).to_have_attribute("data-state", "failed")


def test_a_toast_covers_neither_the_last_lines_nor_the_text_box(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    page.evaluate("document.querySelector('.crumb .whose')?.setAttribute('open', '')")
    page.get_by_role("button", name="Archive").click()
    toast = page.get_by_test_id("toast")
    expect(toast).to_be_visible()
    below = toast.evaluate("(toast) => toast.getBoundingClientRect().bottom")
    assert below < 200
    toast.get_by_role("button", name="Undo").click()


def test_a_question_is_answered_with_the_keyboard_alone(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    questions = (e.Question(text="Which?", options=(("dev", ""), ("all", ""))),)
    world.happen(session, said("go"), busy(), e.Asked(request_id="keyq", kind="question", questions=questions))
    card = page.get_by_test_id("question")
    expect(card).to_be_focused()
    card.get_by_label("Which? Another answer").press("Escape")
    assert session not in world.calls("interrupt")
    expect(card).to_be_focused()
    page.wait_for_timeout(400)  # keys count only once the card has stood for a moment
    page.keyboard.press("2")
    expect(card.get_by_role("radio").nth(1)).to_be_checked()
    page.keyboard.press("Enter")
    wait(lambda: [call["replies"] for call in answers(world, "keyq")] == [{"Which?": {"choices": ["all"]}}])


def test_a_plan_is_shown_and_accepted(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    world.happen(session, said("go"), busy(), e.Asked(request_id="plan", kind="plan", plan="# Steps\n\n1. look"))
    card = page.locator("[data-testid=plan][data-state=open]")
    expect(card.locator("h3").last).to_have_text("Steps")
    card.get_by_test_id("allow").click()
    expect(page.locator("[data-testid=plan][data-state=allowed]")).to_contain_text("Plan accepted")


# ---- the page


def test_markup_that_slips_through_the_server_is_still_dead(page: Page, world: World, errors: list[str]) -> None:
    session = world.session()
    visit(page, world.address(session))
    page.evaluate(
        """() => {
            const id = parseInt(document.querySelector(".transcript-box").id.slice(1));
            const html = '<img src=x onerror="window.hit=1">'
                + '<form action="/x"><button data-testid="allow">x</button></form>'
                + '<img src="https://evil.example/x.png"><img src="data:image/svg+xml;base64,PHN2Zz4=">'
                + '<a href="javascript:window.hit=1" style="position:fixed">x</a><script>window.hit=1</scr' + 'ipt>';
            runMethod(id, "put", [{ o: "put", key: "t:evil", html }, true]);
        }"""
    )
    item = page.locator(".item.k-t").last
    expect(item).to_have_text("xx")
    assert item.locator("img, form, button, script, [style], [href^=javascript]").count() == 0
    assert page.evaluate("window.hit") is None
    errors.clear()  # the policy reports what the sanitiser has only looked at


def test_without_a_session_the_newest_is_opened_and_named_in_the_address(page: Page, world: World) -> None:
    session = world.session()
    visit(page, f"{world.url}/workspace/{AGENT}")
    page.wait_for_url(f"**/workspace/{AGENT}?session={session}")
    expect(page.locator("[data-testid=session-list] [aria-current=page]")).to_have_attribute("data-session", session)


def test_opening_a_session_wakes_it(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    wait(lambda: session in world.calls("warm"))


def test_typing_wakes_a_session_that_has_gone_to_sleep_once(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    wait(lambda: world.calls("warm").count(session) == 1)
    world.happen(session, e.StateChanged(state=S.IDLE), e.StateChanged(state=S.ASLEEP))
    expect(page.get_by_test_id("session-state")).to_have_attribute("data-state", "asleep")
    composer(page).press_sequentially("good morning")
    wait(lambda: world.calls("warm").count(session) == 2)
    composer(page).press("Enter")
    expect(page.locator("[data-role=user][data-seq]")).to_contain_text("good morning")
    assert world.calls("warm").count(session) == 2


def test_the_list_follows_the_states_of_other_sessions(page: Page, world: World) -> None:
    session, other = world.session(), world.session()
    visit(page, world.address(session))
    row = page.locator(f"[data-session='{other}']")
    expect(row).to_have_attribute("data-state", "asleep")
    world.happen(other, e.StateChanged(state=S.FAILED))
    expect(row).to_have_attribute("data-state", "failed")


@pytest.mark.parametrize("width", [641, 768, 1280])
def test_every_way_to_answer_is_inside_the_card(page: Page, world: World, width: int) -> None:
    session = world.session()
    page.set_viewport_size({"width": width, "height": 800})
    try:
        visit(page, world.address(session))
        asked = e.Asked(request_id="r1", kind="permission", tool="Bash", input={"command": "ls"}, rule="Bash(ls)")
        world.happen(session, e.UserSaid(message_id="m1", text="x"), e.StateChanged(state=S.BUSY, turn="m1"), asked)
        card = page.get_by_test_id("permission")
        expect(card).to_be_visible()
        inside = card.evaluate("""(card) => [...card.querySelectorAll("button")].every(
            (one) => one.getBoundingClientRect().right <= card.getBoundingClientRect().right)""")
        assert inside
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})


def test_names_that_change_elsewhere_change_here(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    try:
        world.post(f"rename/{session}?agent=Helper&title=Morning")
        expect(page.locator("h1")).to_have_text("Morning")
        expect(page).to_have_title("Morning · Helper · Oh My Agent")
        expect(page.locator(".crumb")).to_contain_text("Helper")
        world.post(f"rename/{session}?agent=Helper&title=Helper")
        expect(page).to_have_title("Helper · Oh My Agent")
        expect(page.locator("h1")).to_have_text("Helper")
        box = page.locator("h1").bounding_box()
        assert box and box["width"] <= 1, "the name is there twice"
    finally:
        world.post(f"rename/{session}?agent=Agent&title=Morning")


def test_a_session_is_renamed_and_deleted_in_the_list(page: Page, world: World) -> None:
    session, other = world.session(), world.session()
    visit(page, world.address(session))
    slot = page.locator(".slot", has=page.locator(f"[data-session='{other}']"))
    slot.hover()
    slot.locator("summary").click()
    slot.get_by_role("button", name="Rename").click()
    page.get_by_test_id("session-title").fill("A better name")
    page.get_by_test_id("session-title").press("Enter")
    expect(page.locator(f"[data-session='{other}']")).to_contain_text("A better name")
    slot.hover()
    slot.locator("summary").click()
    slot.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(f"[data-session='{other}']")).to_be_focused()
    slot.locator("summary").click()
    slot.get_by_role("button", name="Delete").click()
    page.get_by_test_id("delete-session").click()
    expect(page.locator(f"[data-session='{other}']")).to_have_count(0)


@pytest.mark.parametrize("path", ["zzzzzzzzzzzz", f"{AGENT}?session=00000000-0000-4000-8000-ffffffffffff"])
def test_what_is_not_there_and_what_is_not_yours_are_the_same_page(page: Page, world: World, path: str) -> None:
    answer = page.goto(f"{world.url}/workspace/{path}")
    assert answer and answer.status == 404


def test_on_a_phone_sessions_are_a_sheet_and_nothing_sticks_out(browser: Browser, world: World) -> None:
    context = browser.new_context(locale="en", viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    visit(page, world.address(STORY))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("send", "stop", "allow", "deny"):
        box = page.get_by_test_id(name).bounding_box()
        assert box and box["height"] >= 44 and box["x"] + box["width"] <= 390
    expect(page.get_by_test_id("session-list")).to_be_hidden()
    expect(page.get_by_test_id("to-dashboard")).to_be_in_viewport()
    page.get_by_test_id("open-sessions").tap()
    expect(page.get_by_test_id("new-session")).to_be_in_viewport()
    expect(page.locator(".side a").first).to_be_focused()
    expect(page.locator(".mid")).to_have_attribute("inert", "")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("session-list")).to_be_hidden()
    expect(page.get_by_test_id("open-sessions")).to_be_focused()
    context.close()


def test_the_story_reads_as_it_was(page: Page, world: World) -> None:
    visit(page, world.address(STORY))
    raw = msgspec.json.decode((ROOT / "tests/ui/story.json").read_bytes())
    assert page.get_by_test_id("tool-call").count() == sum(one["type"] == "tool_called" for one in raw)
    expect(page.locator("details.run > summary")).to_have_text("4 steps · 11sread 2 files, 1 search, ran 1 command")
    expect(page.get_by_test_id("session-list")).to_contain_text("담당자별로 묶기")


def test_asking_for_the_page_starts_nothing_and_opening_it_in_a_browser_does(page: Page, world: World) -> None:
    asked, opened = world.session(), world.session()
    with urllib.request.urlopen(world.address(asked), timeout=30) as answer:
        assert answer.status == 200
    visit(page, world.address(opened))
    wait(lambda: opened in world.calls("warm"))
    assert asked not in world.calls("warm")


def test_an_agent_without_a_session_gets_one_when_somebody_opens_it_and_never_a_second(
    page: Page, world: World
) -> None:
    world.draft("bbbbbbbbbbbb", "비어 있는 것")
    addresses = set()
    for _ in range(2):
        page.goto(f"{world.url}/workspace/bbbbbbbbbbbb")
        page.wait_for_url("**session=*")
        expect(composer(page)).to_be_visible()
        addresses.add(page.url)
    assert len(addresses) == 1
    expect(page.get_by_test_id("session-list").locator("[data-session]")).to_have_count(1)


def fail_a_turn(world: World, session: str) -> None:
    world.happen(
        session,
        said("roll it out"),
        busy(),
        e.Text(message="a", block=0, text="I begin with", partial=True),
        e.TurnFinished(outcome="error", reason="cli_died"),
        e.StateChanged(state=S.ASLEEP),
    )


def test_a_failed_turn_is_tried_again_by_keyboard_and_the_message_stands_there_once(page: Page, world: World) -> None:
    session = world.session()
    fail_a_turn(world, session)
    visit(page, world.address(session))
    retry = page.get_by_role("button", name="Try again")
    retry.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("retried")).to_have_text("The same message was sent again")
    expect(page.locator("[data-testid=message][data-role=user]")).to_have_count(1)
    expect(retry).to_have_count(0)
    assert [call for call in world.calls("retry") if call["message_id"] == "m1"] == [{"message_id": "m1", "after": 4}]


def test_a_retry_that_is_refused_is_said_and_can_be_pressed_again(page: Page, world: World) -> None:
    session = world.session()
    fail_a_turn(world, session)
    visit(page, world.address(session))
    world.post("refuse?on=true")
    try:
        page.get_by_test_id("retry").click()
        expect(page.get_by_test_id("toast")).to_contain_text("could not be started")
    finally:
        world.post("refuse?on=false")
    expect(page.get_by_test_id("retry")).to_be_enabled(timeout=5000)


def test_a_conversation_that_the_model_refuses_goes_on_by_another_message_or_in_another_session(
    page: Page, world: World
) -> None:
    session = world.session()
    end = e.TurnFinished(outcome="error", reason="request_refused", detail="API Error: 400")
    world.happen(session, said("roll it out"), busy(), end, e.StateChanged(state=S.IDLE))
    visit(page, world.address(session))
    expect(page.get_by_role("button", name="Go on in a new session")).to_be_visible()
    expect(page.get_by_test_id("retry")).to_have_count(0)
    page.locator(".trouble").get_by_role("button", name="Edit").click()
    expect(page.get_by_test_id("composer")).to_have_value("roll it out")
    page.get_by_role("button", name="Go on in a new session").click()
    page.wait_for_url(lambda url: session not in url)
    expect(page.get_by_test_id("composer")).to_have_value(re.compile("I had asked:\n- roll it out"))


def test_a_picture_of_a_tool_is_drawn_by_the_browser(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    picture = e.Picture(media_type="image/png", data=PNG)
    call = e.ToolCalled(id="t1", name="Read", input={"file_path": "p.png"})
    world.happen(session, call, e.ToolReturned(id="t1", ok=True, pictures=(picture,)))
    drawn = page.get_by_alt_text("Picture that the tool returned")
    expect(drawn).to_be_visible()
    page.wait_for_function("one => one.complete && one.naturalWidth === 10", arg=drawn.element_handle())
    page.reload()
    expect(drawn).to_be_visible()


def test_a_running_commands_output_is_followed_at_its_end_and_stays_after_a_reload(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    call = e.ToolCalled(id="t1", name="Bash", input={"command": "make test"})
    world.happen(session, e.UserSaid(message_id="m", text="go"), e.StateChanged(state=S.BUSY, turn="m"), call)
    box = page.get_by_test_id("live-output")
    for n in range(40):
        world.happen(session, e.ToolProgress(id="t1", text=f"line {n}\n"))
    expect(box).to_contain_text("line 39")
    assert box.evaluate("box => box.scrollHeight - box.scrollTop - box.clientHeight < 8")
    assert box.evaluate("box => box.getBoundingClientRect().height") < 300, "it is bounded"
    box.evaluate("box => box.scrollTop = 0")
    world.happen(session, e.ToolProgress(id="t1", text="line 40\n"))
    expect(box).to_contain_text("line 40")
    assert box.evaluate("box => box.scrollTop") == 0, "a reader who has scrolled up is left there"
    page.reload()
    expect(box).to_contain_text("line 40")
    world.happen(session, e.ToolReturned(id="t1", ok=False, stopped=True, content="line 40"))
    world.happen(session, e.TurnFinished(outcome="interrupted", reason="stopped_by_user"))
    expect(box).to_have_count(0)
    act = page.get_by_test_id("tool-call")
    expect(act).to_have_attribute("data-state", "stopped")
    expect(act).to_contain_text("Stopped by you")
    assert act.locator(".fail").count() == 0


def test_arabic_and_hebrew_run_from_right_to_left_and_code_in_them_from_left_to_right(page: Page, world: World) -> None:
    session = world.session()
    visit(page, world.address(session))
    words = "مرحبا `ls -la` أهلا\n\nEnglish in the middle\n\n- שלום\n"
    called = e.ToolCalled(id="t", name="Bash", input={"command": "cat שלום && ls"})
    world.happen(
        session, e.UserSaid(message_id="m", text="שלום world"), e.Text(message="a", block=0, text=words), called
    )
    prose = page.locator(".prose")
    expect(prose).to_contain_text("English")
    side = """one => {
        const range = document.createRange();
        range.selectNodeContents(one);
        const text = range.getBoundingClientRect(), column = one.closest(".prose").getBoundingClientRect();
        return text.left - column.left < column.right - text.right ? "left" : "right";
    }"""
    assert prose.locator("p").nth(0).evaluate(side) == "right"
    assert prose.locator("p").nth(1).evaluate(side) == "left"
    assert prose.locator("li").evaluate(side) == "right"
    direction = "one => getComputedStyle(one).direction + ' ' + getComputedStyle(one).unicodeBidi"
    assert prose.locator("code").evaluate(direction) == "ltr isolate"
    assert page.locator(".act .o").evaluate(direction) == "ltr isolate"
    assert page.locator(".said").get_attribute("dir") == "auto"


def test_a_thought_is_as_tall_as_its_words(page: Page, world: World) -> None:
    session = world.session()
    ended = e.TurnFinished(outcome="ok", duration_s=1.0)
    world.happen(session, said("go"), busy(), e.Thinking(message="a", block=0, text="A short thought."), ended)
    visit(page, world.address(session))
    thought = page.locator(".thinking")
    thought.locator("summary").click()
    box = thought.locator(".thought").bounding_box()
    assert box and box["height"] < 60
