"""Events to items: the page is a function of the log, and G2 and G5 hold on it."""

import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from core.domain import events as e
from core.domain.states import SessionState as S
from core.spawner import Phase
from tests.ui.test_markdown import Seen
from ui.layout.i18n import words
from ui.transcript.ops import AnyOp, Drop, Output, PutItem, Raw, Tail, Wrap
from ui.transcript.reducer import TranscriptReducer
from ui.transcript.session_stats import SessionStats

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Log:
    """Numbers events as a runner does and folds them."""

    def __init__(self, locale: str = "en", **fold: Any) -> None:
        self.fold = TranscriptReducer(words(locale), **fold)
        self.events: list[e.AnyEvent] = []

    def take(self, *events: e.AnyEvent) -> list[AnyOp]:
        for event in events:
            if not isinstance(event, e.LIVE_ONLY):
                at = START + timedelta(seconds=len(self.events))
                event = e.numbered(event, seq=len(self.events) + 1, at=at)
                self.events.append(event)
            self.fold.apply(event)
        return self.fold.drain()

    def again(self, locale: str = "en") -> TranscriptReducer:
        fold = TranscriptReducer(words(locale))
        for event in self.events:
            fold.apply(event)
        fold.drain()
        return fold


def shown(fold: TranscriptReducer) -> dict[str, str]:
    return {op.key: op.html for op in fold.snapshot() if isinstance(op, PutItem)}


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def said(text: str = "do it", id: str = "m1") -> e.UserSaid:
    return e.UserSaid(message_id=id, text=text)


def busy(turn: str = "m1") -> e.StateChanged:
    return e.StateChanged(state=S.BUSY, turn=turn)


def idle() -> e.StateChanged:
    return e.StateChanged(state=S.IDLE)


def bash(id: str, command: str = "ls") -> e.ToolCalled:
    return e.ToolCalled(id=id, name="Bash", input={"command": command})


def asked(id: str = "r1", tool_id: str = "t1", **more: Any) -> e.Asked:
    given = {"command": "rm -r out", "description": "tidy up"}
    return e.Asked(
        request_id=id, kind="permission", tool="Bash", tool_id=tool_id, input=given, rule="Bash(rm:*)", **more
    )


def delta(text: str, message: str = "a1", block: int = 0) -> e.TextDelta:
    return e.TextDelta(message=message, block=block, text=text)


def done(**more: Any) -> e.TurnFinished:
    return e.TurnFinished(**{"outcome": "ok", "duration_s": 2.0, **more})


def test_a_call_whose_runner_is_lost_ends_with_its_turn() -> None:
    log = Log()
    log.take(said(), busy("m1"), bash("t1"))
    log.fold.apply(e.StateChanged(state=S.ASLEEP))  # the web's own word, while no runner is there
    log.take(e.TurnFinished(outcome="interrupted", reason="runner_lost"), idle())
    assert "e:4" in shown(log.fold)


# ---- text (G2)


def test_a_finished_block_replaces_its_deltas_under_the_same_key() -> None:
    log = Log()
    log.take(said(), busy(), delta("Hel"), delta("lo **wor"))
    log.take(e.Text(message="a1", block=0, text="Hello **world**"))
    put = next(op for op in log.fold.snapshot() if op.key == "t:a1:0")
    assert isinstance(put, PutItem) and put.source == "Hello **world**" and "<strong>world</strong>" in put.html
    assert 'data-seq="3"' in put.html


def test_a_stream_that_is_asked_again_takes_back_what_it_had_not_finished() -> None:
    log = Log()
    log.take(said(), busy(), e.Text(message="a1", block=0, text="kept"), delta("cut o", "a1", 1))
    ops = log.take(delta("whole", "a2"))
    assert Drop(key="t:a1:1") in ops
    assert set(shown(log.fold)) == {"u:1", "t:a1:0", "t:a2:0"}


def test_after_live_only_what_follows_is_unfinished() -> None:
    log = Log()
    log.take(said(), busy(), delta("stale"), e.Live(last_seq=2))
    assert "t:a1:0" not in shown(log.fold)
    log.take(delta("fresh"))
    assert [op for op in log.fold.snapshot() if isinstance(op, Tail)] == [Tail(key="t:a1:0", html="<p>fresh</p>\n")]


def test_a_number_that_comes_twice_is_taken_once() -> None:
    log = Log()
    log.take(said(), e.Text(message="a", block=0, text="x"))
    for event in log.events:
        log.fold.apply(event)
    assert log.fold.drain() == []


def test_a_delta_that_comes_after_its_block_was_finished_changes_nothing() -> None:
    log = Log()
    log.take(said(), e.Text(message="a1", block=0, text="done"))
    assert log.take(delta("do")) == []


def test_the_end_of_a_turn_leaves_nothing_unfinished() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), delta("half a sen"), e.ThinkingDelta(message="a1", block=1, text="hm"))
    log.take(done(outcome="error", reason="cli_died", detail="exit 137"))
    items = shown(log.fold)
    assert set(items) == {"u:1", "a:t1", "e:4"}
    assert 'data-state="stopped"' in items["a:t1"]
    assert "ended unexpectedly" in items["e:4"] and "exit 137" in items["e:4"]


def test_partial_text_says_that_it_was_cut() -> None:
    log = Log()
    log.take(said(), e.Text(message="a", block=0, text="half", partial=True))
    assert "Cut off here" in shown(log.fold)["t:a:0"]


# ---- messages


def test_a_message_sent_during_a_turn_stays_below_it_until_its_own_begins() -> None:
    log = Log()
    log.take(said("first"), busy("m1"), said("second", "m2"), delta("answer to first"))
    assert list(shown(log.fold)) == ["u:1", "t:a1:0", "u:3"]
    assert "when the current turn ends" in shown(log.fold)["u:3"]
    log.take(e.Text(message="a1", block=0, text="answer to first"), done(), busy("m2"))
    log.take(e.Text(message="a2", block=0, text="answer to second"))
    assert list(shown(log.fold)) == ["u:1", "t:a1:0", "e:5", "u:3", "t:a2:0"]
    assert "when the current turn ends" not in shown(log.fold)["u:3"]
    assert list(shown(log.again())) == list(shown(log.fold))


def test_a_steering_message_waits_until_it_is_taken_in() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), e.UserSaid(message_id="m2", text="stop that", steer=True))
    since = log.fold.meta().since
    assert "between tools" in shown(log.fold)["u:4"]
    log.take(e.ToolReturned(id="t1", ok=True), busy("m2"), e.Text(message="a", block=0, text="ok"))
    assert list(shown(log.fold)) == ["u:1", "a:t1", "u:4", "t:a:0"]
    assert "between tools" not in shown(log.fold)["u:4"] and "while working" in shown(log.fold)["u:4"]
    assert log.fold.meta().since == since, "it is still the same turn"


def test_a_steering_message_that_came_too_late_is_a_turn_of_its_own() -> None:
    log = Log()
    log.take(said(), busy(), e.UserSaid(message_id="m2", text="stop that", steer=True), done(), busy("m2"))
    assert list(shown(log.fold)) == ["u:1", "e:4", "u:3"]
    assert "while working" not in shown(log.fold)["u:3"]


def test_everything_in_the_log_is_escaped() -> None:
    evil = "<img src=x onerror=alert(1)>\"'"
    log = Log()
    log.take(
        said(evil), e.Text(message="a", block=0, text=evil), e.Thinking(message="a", block=1, text=evil),
        e.ToolCalled(id="t", name=evil, input={evil: evil}), e.ToolReturned(id="t", ok=False, content=evil),
        e.ToolCalled(id="w", name="Write", input={"file_path": evil, "content": evil}),
        e.ToolCalled(id="d", name="mcp__oma__draft_agent", input={"name": evil, "description": evil}),
        e.Todos(items=(e.TodoItem(text=evil),)), e.Notice(text=evil), e.Retrying(reason=evil),
        e.Asked(request_id="q", kind="question", questions=(e.Question(text=evil, options=((evil, evil),)),)),
        e.Answered(request_id="q", decision="answer", answers={evil: evil}, by=evil),
        e.Asked(request_id="p", kind="plan", plan=evil), asked("x", "t"),
        e.Answered(request_id="x", decision="allow_always", rule=evil, message=evil),
        done(outcome="error", reason=evil, detail=evil),
    )  # fmt: skip
    for html in shown(log.fold).values():
        seen = Seen(html)
        assert "img" not in seen.tags and not [name for name, _ in seen.attributes if name.startswith("on")]


def test_an_event_of_a_newer_version_is_said_to_be_one() -> None:
    log = Log()
    log.take(said(), busy(), e.UnknownEvent(kind="<b>future</b>", data={"x": 1}))
    assert "does not know" in text_of("".join(shown(log.fold).values()))


def test_a_message_of_many_lines_shows_its_beginning_and_opens() -> None:
    log = Log()
    log.take(said("\n".join(f"line {n}" for n in range(40))), said("short", "m2"))
    html = shown(log.fold)["u:1"]
    head, _, rest = html.partition("</summary>")
    assert "<details" in head and "line 9\n" not in rest and "line 10" in rest and "line 39" in rest
    assert "<details" not in shown(log.fold)["u:2"]


# ---- acts


def test_an_act_says_what_it_does_and_how_it_went() -> None:
    log = Log()
    log.take(said(), bash("t1", "make test"))
    assert 'data-state="running"' in shown(log.fold)["a:t1"] and "data-since" in shown(log.fold)["a:t1"]
    log.take(e.ToolReturned(id="t1", ok=False, content="2 failed"))
    html = shown(log.fold)["a:t1"]
    assert 'data-state="failed"' in html and " open>" in html
    assert text_of(html) == "Run failed make test 1s 2 failed"


def test_an_edit_shows_what_it_changed() -> None:
    log = Log()
    edit = {"file_path": "/home/agent/agents/abcdefghjkmn/report.py", "old_string": "a\nb", "new_string": "a\nc\nd"}
    log.take(e.ToolCalled(id="t", name="Edit", input=edit), e.ToolReturned(id="t", ok=True, content="ok"))
    html = shown(log.fold)["a:t"]
    assert text_of(html).startswith("Edit report.py +2 −1")
    assert html.count('class="add"') == 2 and html.count('class="del"') == 1


def test_a_draft_says_what_was_drafted_and_not_what_the_tool_told_the_model() -> None:
    log = Log()
    given = {"name": "Notes", "description": "Sorts <my> notes."}
    log.take(said(), busy(), e.ToolCalled(id="a", name="mcp__oma__draft_agent", input=given))
    log.take(e.ToolReturned(id="a", ok=True, content="Saved. For the model."))
    html = shown(log.fold)["a:a"]
    assert "Sorts &lt;my&gt; notes." in html and "Saved" not in html
    log.take(e.ToolCalled(id="b", name="mcp__oma__draft_agent", input=given))
    log.take(e.ToolReturned(id="b", ok=False, content="It was not saved: too long"))
    assert "It was not saved" in shown(log.fold)["a:b"]


def test_three_finished_acts_fold_into_one_line_when_something_else_comes() -> None:
    log = Log()
    log.take(said(), busy())
    for n in range(3):
        log.take(bash(f"t{n}"), e.ToolReturned(id=f"t{n}", ok=True))
    ops = log.take(e.Text(message="a1", block=0, text="so"))
    wrap = next(op for op in ops if isinstance(op, Wrap))
    assert wrap.keys == ("a:t0", "a:t1", "a:t2") and text_of(wrap.html) == "3 steps · 3s ran 3 commands"
    assert log.again().snapshot()[-1] == wrap


def test_a_failed_act_is_never_folded_away() -> None:
    log = Log()
    for n in range(4):
        log.take(bash(f"t{n}"), e.ToolReturned(id=f"t{n}", ok=n != 2))
    assert not [op for op in log.take(delta("x")) if isinstance(op, Wrap)]


STOPPED = e.ToolReturned(id="t1", ok=False, stopped=True)
BY_USER = {"outcome": "interrupted", "reason": "stopped_by_user"}


@pytest.mark.parametrize("result", [STOPPED, msgspec.structs.replace(STOPPED, content="line 1"), None])
def test_a_command_that_was_stopped_is_grey_and_says_who_stopped_it_also_after_a_reload(result: Any) -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), *([result] if result else []), done(**BY_USER))
    for fold in (log.fold, log.again()):
        html = shown(fold)["a:t1"]
        assert 'data-state="stopped"' in html and "Stopped by you" in text_of(html)
        assert "fail" not in html and ("line 1" in html) is bool(result and result.content)
    assert "내가 멈췄어요" in shown(log.again("ko"))["a:t1"]


def test_a_command_that_ended_with_its_box_is_stopped_but_not_by_the_person() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), done(outcome="interrupted", reason="runner_lost"))
    assert text_of(shown(log.fold)["a:t1"]).endswith("Stopped")


def test_a_stopped_command_stays_visible_beside_finished_ones_that_fold() -> None:
    log = Log()
    log.take(said(), busy())
    for n in range(2, 6):
        log.take(bash(f"t{n}"), e.ToolReturned(id=f"t{n}", ok=True))
    ops = log.take(bash("t1"), STOPPED, done(**BY_USER))
    assert [op.keys for op in ops if isinstance(op, Wrap)] == [tuple(f"a:t{n}" for n in range(2, 6))]
    assert "Stopped by you" in shown(log.again())["a:t1"]


def test_a_denied_call_does_not_show_what_the_model_was_told_about_it() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), asked(), e.Answered(request_id="r1", decision="deny", by="u web"))
    log.take(e.ToolReturned(id="t1", ok=False, content="Error: The user does not want this."))
    assert "does not want" not in shown(log.fold)["a:t1"]


def progress(text: str, id: str = "t1", **more: Any) -> e.ToolProgress:
    return e.ToolProgress(id=id, text=text, **more)


def test_a_running_command_shows_what_it_prints_and_a_late_page_sees_the_same() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"))
    (first,) = log.take(progress("line 1\n"))
    assert isinstance(first, PutItem) and "line 1" in first.html and " open>" in first.html
    (more,) = log.take(progress("\x1b[32mline 2\x1b[0m\n"))
    assert more == Output(key="a:t1", html='line 1\n<span class="a2">line 2</span>\n')
    assert "line 1" in shown(log.fold)["a:t1"] and "line 2" in shown(log.fold)["a:t1"]
    log.take(e.ToolReturned(id="t1", ok=True, content="all of it"), progress("too late"))
    html = shown(log.fold)["a:t1"]
    assert "all of it" in html and "too late" not in html and 'class="out live"' not in html


def test_the_output_of_a_running_command_is_bounded_and_keeps_its_end() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"))
    for n in range(300):
        log.take(progress(f"{n} {'x' * 100}\n"))
    html = shown(log.fold)["a:t1"]
    assert len(html) < 6_000 and "299 x" in html and "\n10 x" not in html


def test_output_that_is_told_again_after_a_reconnect_is_not_shown_twice() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), progress("once\n"))
    log.take(e.Live(last_seq=3), progress("once\n"))
    assert shown(log.fold)["a:t1"].count("once") == 1


def test_output_of_a_command_that_nobody_knows_is_no_error() -> None:
    assert Log().take(progress("x")) == []


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC"


def read_picture(id: str, media_type: str = "image/png", data: str = PNG) -> tuple[e.AnyEvent, e.AnyEvent]:
    picture = e.Picture(media_type=media_type, data=data)
    call = e.ToolCalled(id=id, name="Read", input={"file_path": "p.png"})
    return call, e.ToolReturned(id=id, ok=True, pictures=(picture,))


def test_a_picture_that_a_tool_returned_is_shown_as_data_in_the_page() -> None:
    log = Log()
    log.take(said(), *read_picture("t1"))
    html = shown(log.fold)["a:t1"]
    assert f'<img class="picture" src="data:image/png;base64,{PNG}" alt="Picture' in html and " open>" in html


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        ("image/svg+xml", "PHN2Zz48L3N2Zz4="),
        ("text/html", PNG),
        ("image/png", "PHN2Zz48L3N2Zz4="),
        ("image/png", 'x" onerror="alert(1)'),
        ('image/png" onerror="alert(1)', PNG),
        ("image/jpeg", PNG),
    ],
)
def test_what_is_no_picture_is_not_shown(media_type: str, data: str) -> None:
    log = Log()
    log.take(said(), *read_picture("t1", media_type, data))
    assert "<img" not in shown(log.fold)["a:t1"] and "onerror" not in shown(log.fold)["a:t1"]


def test_pictures_of_a_long_session_make_room_for_new_ones() -> None:
    log = Log()
    large = b64encode(b64decode(PNG) + bytes(500_000)).decode()
    for n in range(9):
        log.take(*read_picture(f"t{n}", data=large))
    page = shown(log.fold)
    assert "<img" not in page["a:t0"] and "<img" in page["a:t8"]
    assert sum(map(len, page.values())) < 4_500_000


def step_of(parent: str, id: str, command: str) -> e.ToolCalled:
    return e.ToolCalled(id=id, name="Bash", input={"command": command}, parent=parent)


def test_what_a_sub_agent_does_stands_in_its_card_with_its_own_state_also_after_a_reload() -> None:
    log = Log()
    task = e.ToolCalled(id="T", name="Task", input={"description": "look", "prompt": "Look around."})
    log.take(said(), busy(), task, step_of("T", "t1", "ls"), e.ToolReturned(id="t1", ok=False, content="no such"))
    log.take(step_of("T", "t2", "pwd"))
    for fold in (log.fold, log.again()):
        page = shown(fold)
        assert "a:t1" not in page and "a:t2" not in page
        states = re.findall(r'data-testid="tool-call" data-state="(\w+)"', page["a:T"])
        assert states == ["running", "failed", "running"] and "Look around." in page["a:T"]
    log.take(e.ToolReturned(id="t2", ok=True, content="/"), e.ToolReturned(id="T", ok=True, content="**Found**"))
    html = shown(log.fold)["a:T"]
    assert "<strong>Found</strong>" in html and html.count('data-state="ok"') == 2


def test_a_sub_agent_in_the_background_goes_on_after_its_turn_and_ends_in_its_own_card() -> None:
    log = Log()
    log.take(said(), busy(), e.ToolCalled(id="T", name="Agent", input={"prompt": "Look."}))
    log.take(e.ToolReturned(id="T", ok=True, background=True), step_of("T", "t1", "ls"), done(), idle())
    for fold in (log.fold, log.again()):
        html = shown(fold)["a:T"]
        assert 'data-state="running"' in html and "In the background" in html and "stopped" not in html
    log.take(step_of("T", "t2", "pwd"), e.ToolReturned(id="t2", ok=True))
    assert "pwd" in shown(log.fold)["a:T"] and "a:t2" not in shown(log.fold)
    log.take(e.ToolReturned(id="T", ok=True, content="The **report**"))
    assert "<strong>report</strong>" in shown(log.again())["a:T"]
    assert 'data-testid="tool-call" data-state="ok"' in shown(log.again())["a:T"]


def test_what_goes_on_in_the_background_is_stopped_when_the_cli_has_ended() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), e.ToolReturned(id="t1", ok=True, background=True), done(), idle())
    log.take(e.StateChanged(state=S.ASLEEP))
    assert 'data-state="stopped"' in shown(log.again())["a:t1"]


def test_of_a_long_sub_agent_the_last_steps_are_shown_and_the_others_counted() -> None:
    log = Log()
    log.take(said(), busy(), e.ToolCalled(id="T", name="Agent", input={}))
    for n in range(70):
        log.take(step_of("T", f"t{n}", f"echo {n}"))
    html = shown(log.fold)["a:T"]
    assert html.count('data-testid="tool-call"') == 51 and "20 earlier steps" in html and "echo 69" in html


def test_a_call_that_names_itself_or_a_stranger_as_its_sub_agent_is_shown_all_the_same() -> None:
    log = Log()
    log.take(said(), busy(), step_of("t1", "t1", "ls"), step_of("gone", "t2", "pwd"))
    assert {"a:t1", "a:t2"} <= set(shown(log.fold))


@pytest.mark.parametrize(
    ("tool", "given", "seen"),
    [
        ("Grep", {"pattern": "x", "path": "src"}, "path src"),
        ("WebFetch", {"url": "https://a.example/", "prompt": "What is it?"}, "What is it?"),
        ("mcp__files__list_all", {"folder": "out"}, "files · list_all"),
        ("SomethingNew", {"n": 1}, "SomethingNew"),
    ],
)
def test_each_tool_has_a_card_that_says_what_it_was_given(tool: str, given: dict[str, Any], seen: str) -> None:
    log = Log()
    log.take(e.ToolCalled(id="t", name=tool, input=given), e.ToolReturned(id="t", ok=True, content="found"))
    html = shown(log.fold)["a:t"]
    assert seen in text_of(html) and "found" in html


def test_how_long_it_worked_and_how_long_it_waited_for_a_person_are_two_numbers() -> None:
    log = Log()
    log.take(said(), busy(), e.Text(message="a", block=0, text="x"), done(duration_s=202.0, waited_s=190.0))
    assert "Worked 12s · waited for you 3m 10s" in text_of(shown(log.fold)["e:4"])
    log.take(said("b", "m2"), done(duration_s=12.0, waited_s=0.2))
    assert " · 12s" in text_of(shown(log.fold)["e:6"]) and "waited" not in text_of(shown(log.fold)["e:6"])


def test_tokens_are_said_to_be_what_all_calls_together_have_read_and_written() -> None:
    log = Log()
    usage = e.Usage(input_tokens=1_000, cache_read_tokens=30_000, cache_write_tokens=500, output_tokens=12)
    log.take(said(), done(usage=usage))
    assert "31,500 tokens read, 12 written" in text_of(shown(log.fold)["e:2"])


def test_a_turn_that_ends_without_an_answer_says_so() -> None:
    log = Log()
    log.take(said(), busy(), done())
    assert "without an answer" in text_of(shown(log.fold)["e:3"])
    for answer in (e.Text(message="a", block=0, text="x"), bash("t1"), e.Notice(text="context_cleared")):
        log.take(said("more", id=f"m{len(log.events)}"), busy("m2"), answer, done())
        assert "without an answer" not in shown(log.fold)[f"e:{len(log.events)}"]


def test_clear_and_an_unknown_command_leave_a_trace_in_words_of_ours() -> None:
    log = Log("ko")
    log.take(said("/clear"), busy(), e.Notice(text="context_cleared"), done())
    assert "처음부터" in text_of(shown(log.fold)["n:3"])
    log.take(said("/help", "m2"), busy("m2"))
    log.take(e.Text(message="s", block=0, text="/help isn't available in this environment."), done())
    html = shown(log.fold)["t:s:0"]
    assert "/help" in html and "environment" not in html and "쓸 수 없" in html


@pytest.mark.parametrize("tool", ["EnterPlanMode", "TaskStop", "ExitPlanMode", "TaskList"])
def test_a_tool_of_the_clis_own_is_never_shown_by_its_name_nor_with_its_words_to_the_model(tool: str) -> None:
    log = Log()
    call = e.ToolCalled(id="t1", name=tool, input={})
    log.take(said(), busy(), call, e.ToolReturned(id="t1", ok=True, content="You should now"))
    page = " ".join(shown(log.fold).values())
    assert tool not in page and "You should now" not in page


def test_invisible_characters_of_a_command_are_named_on_its_line_and_in_what_was_decided() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1", "rm \u202ea"), asked(tool_id="gone"))
    assert "U+202E" in shown(log.fold)["a:t1"] and "\u202e" not in shown(log.fold)["a:t1"]
    odd = e.Asked(request_id="r2", kind="permission", tool="Bash", input={"command": "rm \u202ea"})
    log.take(odd, e.Answered(request_id="r2", decision="allow", by="u web", rule="Bash(\u200b)"))
    assert "U+202E" in shown(log.fold)["r:r2"] and "\u202e" not in shown(log.fold)["r:r2"]


def test_an_output_of_a_megabyte_is_shown_in_part_and_says_so() -> None:
    log = Log()
    log.take(bash("t"), e.ToolReturned(id="t", ok=True, content="x" * 100_000, truncated=True, full_size=1_000_000))
    html = shown(log.fold)["a:t"]
    assert len(html) < 10_000 and "997,000 of 1,000,000 characters are left out" in text_of(html)


def test_the_checklist_is_shown_once_as_it_stands() -> None:
    log = Log()
    log.take(said(), busy(), e.Todos(items=(e.TodoItem(text="a"), e.TodoItem(text="b"))))
    log.take(bash("t"), e.Todos(items=(e.TodoItem(text="a", status="done"), e.TodoItem(text="b", status="now"))))
    items = shown(log.fold)
    assert list(items) == ["u:1", "a:t", "d:3"] and "Tasks 1/2" in items["d:3"]


def test_the_time_of_a_tool_is_its_own_and_not_that_of_whoever_was_asked() -> None:
    log = Log()
    log.take(bash("t1"), asked(), *(e.Notice(text="x") for _ in range(30)))
    log.take(e.Answered(request_id="r1", decision="allow", by="u web"), e.ToolReturned(id="t1", ok=True))
    assert text_of(shown(log.fold)["a:t1"]).endswith("1s")


# ---- what a person decides (G5)


def test_an_open_request_is_on_the_card_until_it_is_answered() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1", "rm -r out"), asked())
    meta = log.fold.meta()
    assert [card.id for card in meta.asks] == ["r1"] and meta.state is S.ASKING
    assert meta.asks[0].command == "rm -r out" and meta.asks[0].reason == "tidy up"
    assert 'data-state="waiting"' in shown(log.fold)["a:t1"]
    log.take(e.Answered(request_id="r1", decision="deny", by="u web", message="not that"))
    assert log.fold.meta().asks == ()
    log.take(e.ToolReturned(id="t1", ok=False, content="denied by user"))
    line = shown(log.fold)["a:t1"]
    assert line.count('data-testid="permission" data-state="denied"') == 1 and "not that" in line
    assert "r:r1" not in shown(log.fold), "it is said once, at the end of the tool's own line"


def test_what_a_stop_cancelled_is_not_said_to_be_the_persons_denial() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), asked(), e.Text(message="a", block=0, text="half", partial=True))
    log.take(e.Answered(request_id="r1", decision="deny", by="stop"))
    log.take(done(outcome="interrupted", reason="stopped_by_user"))
    items = shown(log.fold)
    assert text_of(items["a:t1"]).endswith("Stopped by you")
    assert 'data-state="stopped"' in items["a:t1"] and "Denied" not in items["a:t1"]
    assert "Cut off" not in items["t:a:0"], "who has stopped it knows"


def test_the_card_of_a_request_without_a_folder_shows_the_agents() -> None:
    log = Log(folder="~/agents/x")
    log.take(msgspec.structs.replace(asked(), folder=""))
    assert log.fold.meta().asks[0].folder == "the agent's folder"


@pytest.mark.parametrize("tool", ["Read", "Glob", "Grep", "LS"])
def test_a_tool_that_only_looks_is_asked_about_in_plain_words(tool: str) -> None:
    field = {"Read": "file_path", "LS": "path"}.get(tool, "pattern")
    log = Log()
    log.take(said(), e.ToolCalled(id="a", name=tool, input={field: "/etc/x"}))
    log.take(e.Asked(request_id="r", kind="permission", tool=tool, input={field: "/etc/x"}, reason="/etc/x"))
    (card,) = log.fold.meta().asks
    assert "tool" not in card.title
    assert card.path == "/etc/x" if tool == "Read" else card.rows == ((words("en").t(f"field.{field}"), "/etc/x"),)
    assert card.reason == "", "what the CLI repeats of the input is not Claude's own words"


def test_waking_up_says_since_when_until_it_is_awake() -> None:
    log = Log()
    log.take(e.StateChanged(state=S.STARTING))
    assert log.fold.meta().doing and log.fold.meta().since == START.isoformat()
    log.take(e.StateChanged(state=S.IDLE))
    assert not log.fold.meta().doing and not log.fold.meta().since


def test_a_session_whose_last_turn_failed_is_shown_as_failed_until_the_next_begins() -> None:
    log = Log()
    log.take(said(), busy(), e.TurnFinished(outcome="error", reason="cli_died"), e.StateChanged(state=S.ASLEEP))
    assert (log.fold.meta().state, log.fold.meta().shown, log.fold.meta().word) == (S.ASLEEP, S.FAILED, "Failed")
    log.take(said(id="m2"), busy("m2"))
    assert log.fold.meta().shown is S.BUSY
    log.take(e.TurnFinished(outcome="interrupted", reason="stopped_by_user"), e.StateChanged(state=S.IDLE))
    assert log.fold.meta().shown is S.IDLE


def test_a_parked_request_stays_open_when_its_turn_has_ended() -> None:
    log = Log()
    log.take(
        said(), busy(), bash("t1"), asked(), e.Parked(request_id="r1"), done(outcome="interrupted", reason="shutdown")
    )
    assert [(card.id, card.parked) for card in log.fold.meta().asks] == [("r1", True)]


def test_what_cannot_be_seen_in_a_command_is_made_visible_on_the_card() -> None:
    log = Log()
    event = msgspec.structs.replace(asked(), input={"command": "echo safe\u202e; rm -rf ~\x1b[2K\u200b"})
    log.take(event)
    assert log.fold.meta().asks[0].command == "echo safe⟨U+202E⟩; rm -rf ~⟨U+001B⟩[2K⟨U+200B⟩"


def test_the_card_shows_all_of_a_long_edit_and_every_other_field() -> None:
    log = Log()
    content = "\n".join(f"line {n}" for n in range(3000))
    write = {"file_path": "/home/agent/agents/abcdefghjkmn/a.txt", "content": content}
    log.take(e.Asked(request_id="r", kind="permission", tool="Write", input=write))
    (card,) = log.fold.meta().asks
    assert card.path == "a.txt" and [line.text for line in card.lines] == content.splitlines()
    log.take(e.Asked(request_id="s", kind="permission", tool="Bash", input={"command": "x", "timeout": 5}))
    assert log.fold.meta().asks[1].rows == (("time limit (ms)", "5"),)


# ---- around it


def test_the_cost_is_counted_once_though_the_record_has_some_of_it() -> None:
    log = Log(known=SessionStats(cost_usd=0.5), counted=2)
    log.take(said(), done(cost_usd=0.5), said(id="m2"), done(cost_usd=0.25))
    assert log.fold.meta().facts.cost == "US$0.75"


def test_a_cost_that_is_told_later_is_in_the_head_and_in_its_turns_line_once() -> None:
    log = Log()
    log.take(said(), busy(), done())
    end = log.fold.last_seq
    for _ in range(2):
        log.fold.apply(e.TurnCost(turn=end, cost_usd=0.25))
    assert log.fold.meta().facts.cost == "US$0.25"
    assert "US$0.25" in shown(log.fold)[f"e:{end}"]
    log.fold.apply(e.TurnCost(turn=99, cost_usd=5.0))
    assert log.fold.meta().facts.cost == "US$0.25", "nothing is known of that turn"


def test_a_cost_that_nobody_knows_is_said_to_be_unknown() -> None:
    log = Log()
    log.take(said(), busy(), done(unpriced_calls=1))
    assert log.fold.meta().facts.cost == "cost unknown"
    log.take(said(id="m2"), busy(), done(cost_usd=0.5))
    assert log.fold.meta().facts.cost == "at least US$0.50"


def test_a_late_tab_knows_as_much_of_model_and_context_as_one_that_saw_the_turn() -> None:
    here = {"model": "claude-sonnet-4-5-20250929", "context_tokens": 62_400, "window_tokens": 200_000}
    early, late = Log(), Log(known=SessionStats(cost_usd=0.5, **here), counted=2)
    for log in (early, late):
        log.take(said(), done(cost_usd=0.5, **here))
    assert early.fold.meta().facts == late.fold.meta().facts
    assert (late.fold.meta().facts.model, late.fold.meta().facts.percent) == ("Sonnet 4.5", 31)


def test_a_stop_with_something_waiting_does_not_ask_to_be_told_to_go_on() -> None:
    log = Log()
    log.take(said(), busy(), said("instead", "m2"), failed("stopped_by_user", "interrupted"))
    assert "message that was waiting is next" in shown(log.fold)["e:4"]
    log.take(busy("m2"), failed("stopped_by_user", "interrupted"))
    assert "Say something to go on" in shown(log.fold)["e:6"]


@pytest.mark.parametrize("locale", ["ko", "en"])
def test_every_reason_and_every_tool_has_its_words(locale: str) -> None:
    reasons = (
        "cli_died runner_lost stopped_by_user no_answer model_key_refused model_overloaded model_error cli_not_started"
        " tampered stopped_for_next too_long orphaned shutdown spend_limit max_turns"
    )
    here = words(locale)
    assert [code for code in reasons.split() if not here.has(f"reason.{code}")] == []
    from ui.transcript.tool_labels import KINDS

    assert [kind.verb for kind in KINDS.values() if not here.has(f"act.{kind.verb}")] == []


def test_earlier_events_fold_with_what_later_ones_say_of_them() -> None:
    log = Log()
    log.take(said(), busy(), bash("t1"), e.ToolReturned(id="t1", ok=True), done())
    late = TranscriptReducer(words("en"))
    for event in log.events[3:]:
        late.apply(event)
    early = TranscriptReducer(words("en"))
    for event in [*log.events[:3], *late.orphans]:
        early.apply(event)
    assert 'data-state="ok"' in shown(early)["a:t1"]


def test_a_very_long_session_keeps_a_bounded_page() -> None:
    log = Log()
    for n in range(900):
        log.take(e.Text(message=f"a{n}", block=0, text="x"))
    assert len(shown(log.fold)) <= 600
    assert log.fold.first_seq == int(next(iter(shown(log.fold))).split(":")[1][1:]) + 1


def test_raw_tails_are_whole_in_a_snapshot() -> None:
    log = Log()
    log.take(said(), busy(), delta("```py\n"), delta("a = 1\n"), delta("b = 2\n"))
    assert [op for op in log.fold.snapshot() if isinstance(op, Raw)] == [
        Raw(key="t:a1:0", text="a = 1\nb = 2\n", code=True)
    ]


def failed(reason: str = "cli_died", outcome: str = "error") -> e.TurnFinished:
    return e.TurnFinished(outcome=outcome, reason=reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(("outcome", "reason"), [("error", "cli_died"), ("interrupted", "runner_lost")])
def test_a_failed_turn_can_be_tried_again_until_something_else_is_said(outcome: str, reason: str) -> None:
    log = Log()
    log.take(said(), busy(), failed(reason, outcome), e.StateChanged(state=S.ASLEEP))
    assert "data-again" in shown(log.fold)["e:3"]
    assert log.fold.failed and log.fold.failed[1].message_id == "m1"
    log.take(said("more", "m2"))
    assert "data-again" not in shown(log.fold)["e:3"]
    assert log.fold.failed is None
    assert shown(log.again()) == shown(log.fold)


@pytest.mark.parametrize("end", [failed("stopped_by_user", "interrupted"), failed("too_long"), failed("", "ok")])
def test_what_was_stopped_or_would_fail_again_is_not_offered_again(end: e.TurnFinished) -> None:
    log = Log()
    log.take(said(), busy(), end)
    assert "data-again" not in str(shown(log.fold))


def test_a_conversation_that_the_model_refuses_offers_what_helps_and_no_retry() -> None:
    log = Log()
    log.take(said(), busy(), failed("request_refused"))
    html = shown(log.fold)["e:3"]
    assert 'data-edit="1"' in html and "data-handover" in html and "data-again" not in html
    assert log.fold.failed is None
    log.take(said("more", "m2"))
    assert "data-edit" not in str(shown(log.fold))


def test_the_models_own_sentence_is_the_reason_when_it_declines() -> None:
    log = Log()
    end = e.TurnFinished(outcome="error", reason="model_declined", detail="I will not write <b>that</b>.")
    log.take(said(), busy(), end)
    html = shown(log.fold)["e:3"]
    assert "I will not write &lt;b&gt;that&lt;/b&gt;." in html and "<details" not in html and "data-edit" in html


def test_a_message_said_again_is_a_line_and_no_second_bubble_and_can_fail_again() -> None:
    log = Log()
    log.take(said(), busy(), failed(), e.UserSaid(message_id="m1~3", text="do it", retry_of="m1"), busy("m1~3"))
    items = shown(log.fold)
    assert [key for key in items if "said-row" in items[key]] == ["u:1"]
    assert text_of(items["u:4"]) == "The same message was sent again"
    log.take(failed())
    assert "data-again" in shown(log.fold)["e:6"]


@pytest.mark.parametrize("locale", ["ko", "en"])
@pytest.mark.parametrize("phase", list(Phase))
def test_how_far_the_box_is_stands_below_the_conversation_with_the_time_it_takes(locale: str, phase: Phase) -> None:
    fold = TranscriptReducer(words(locale))
    fold.apply(e.StateChanged(state=S.STARTING, phase=phase, at=START))
    meta = fold.meta()
    assert (meta.state, meta.doing, meta.since) == (S.STARTING, words(locale).t(f"phase.{phase}"), START.isoformat())
    fold.apply(e.StateChanged(state=S.STARTING, phase="of a newer version", at=START))
    assert fold.meta().doing == words(locale).t("phase.starting")
    fold.apply(e.StateChanged(state=S.ASLEEP))
    assert (fold.meta().doing, fold.meta().since) == ("", "")


def test_what_a_sub_agent_asks_after_the_turn_has_ended_stays_on_the_card_and_its_command_runs_on() -> None:
    """The turn ends while a sub-agent works in the background: its command is not stopped, and a person can answer."""
    log = Log()
    log.take(said(), busy(), e.ToolCalled(id="task", name="Task", input={"description": "look"}))
    log.take(e.ToolReturned(id="task", ok=True, content="launched", background=True))
    log.take(e.ToolCalled(id="t1", name="Bash", input={"command": "mkdir made"}, parent="task"), asked("r1", "t1"))
    log.take(e.StateChanged(state=S.ASKING, turn="m1"), done(background=1))
    for fold in (log.fold, log.again()):
        assert [card.id for card in fold.meta().asks] == ["r1"]
        assert fold.meta().state is S.ASKING
        assert 'data-state="stopped"' not in shown(fold)["a:task"], "its step is inside of its card"
    log.take(e.Answered(request_id="r1", decision="allow", by="u web"), e.StateChanged(state=S.BUSY))
    assert log.fold.meta().doing and not log.fold.meta().asks
    log.take(e.ToolReturned(id="t1", ok=True, content="made"), e.StateChanged(state=S.IDLE))
    assert log.fold.meta().state is S.IDLE
    assert 'data-state="stopped"' not in shown(log.fold)["a:task"]


def test_work_in_the_background_is_said_to_be_that() -> None:
    log = Log()
    log.take(said(), busy(), done(background=1))
    assert log.fold.meta().state is S.BUSY
    assert log.fold.meta().doing == "Working in the background"
