"""Tests of the records that follow from a log: titles, last lines, outcomes, times, requests."""

from datetime import UTC, datetime

import pytest

from core.domain.events import (
    Answered,
    AnyEvent,
    Asked,
    Notice,
    Parked,
    Question,
    StateChanged,
    Text,
    Thinking,
    ToolCalled,
    TurnFinished,
    UserSaid,
    numbered,
)
from core.domain.records import Request, Session, now
from core.domain.states import SessionState
from core.domain.summaries import gist
from core.gateway.projections import changes_of, update_records
from core.services.agents import Agents
from core.services.audit import Audit
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness

DRAFT = "mcp__oma__draft_agent"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
BUSY, IDLE = StateChanged(state=SessionState.BUSY, turn="m1"), StateChanged(state=SessionState.IDLE)


def session_record(kind: str = "builder", **fields: object) -> Session:
    return Session(id="s1", agent="a1", kind=kind, created_at=LONG_AGO, updated_at=LONG_AGO, **fields)  # type: ignore[arg-type]


def after(session: Session, *events: AnyEvent) -> dict[str, object]:
    return changes_of(session, [numbered(event, seq=n) for n, event in enumerate(events, start=session.last_seq + 1)])


def text(words: str) -> Text:
    return Text(message="m", block=0, text=words)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("It ran:\n\n```\nTitle\n- a\n```\n\nThe first version is ready. More.", "The first version is ready."),
        ("# Title\n\nAll done.", "All done."),
        ("I ran it again. This is the result:\n\n```\nx\n```", "I ran it again."),
        ("All right, I will not run it.\n\nYou could:\n- look at `main.py`\n- say so", "All right, I will not run it."),
        ("알겠어요. 실행하지 않을게요.\n\n이렇게 하실 수도 있어요.\n- 살펴보기", "알겠어요. 실행하지 않을게요."),
        ("It is **done**, see [the `log`](x.txt).", "It is done, see the log."),
        ("이제 `main.py`를 **이슈 요약이**가 *잘* 실행해요.", "이제 main.py를 이슈 요약이가 잘 실행해요."),
        ("- one\n- **two**", "one"),
        ("keep 2 * 3 * 4, snake_case_name and _a_b", "keep 2 * 3 * 4, snake_case_name and _a_b"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nThat is the table.", "That is the table."),
        ("# Title", ""),
        ("It ran, and this is the result:", ""),
        ("```\ncode\n```", ""),
        ("```\nnever closed\n\nnot prose.", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_last_line_is_the_first_sentence_of_the_last_paragraph_of_prose(said: str, line: str) -> None:
    assert gist(said, 160) == line


def test_a_text_that_says_nothing_leaves_the_line_before_it() -> None:
    assert "last_line" not in after(session_record(last_line="Before."), text("## Title"))
    assert after(session_record(), text("Something is said."), text("Title:"))["last_line"] == "Something is said."


def test_a_long_text_costs_no_more_than_its_end() -> None:
    long = "```\n" + "x\n" * 50_000 + "```\n" + "word " * 4_000
    assert gist(f"{long}\n\nThe end is near.", 160) == "The end is near."
    assert gist("```\n" + "x\n" * 50_000, 160) == ""


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (Asked(request_id="r", kind="permission", tool="Bash", input={"command": "ls"}, reason="Look"), "Look"),
        (Asked(request_id="r", kind="permission", tool="Bash", input={"command": "ls -l"}), "ls -l"),
        (Asked(request_id="r", kind="question", questions=(Question(text="Which one?"),)), "Which one?"),
    ],
)  # fmt: skip
def test_what_is_asked_is_the_last_line_in_the_models_words_if_it_gave_any(asked: Asked, line: str) -> None:
    assert after(session_record(), text("Let me see what is there."), asked)["last_line"] == line


async def test_a_request_keeps_the_tool_its_exact_target_and_the_reason_apart(harness: GatewayHarness) -> None:
    session = await harness.add_session(ALICE)
    given = {"command": "python3 main.py", "description": "x"}
    asked = [
        Asked(seq=1, request_id="r1", kind="permission", tool="Bash", input=given, reason="Run it once"),
        Asked(seq=2, request_id="r2", kind="permission", tool="mcp__x__y", input={"n": 1}),
    ]
    await update_records(harness.store, session, asked, owner=ALICE)
    one = await harness.store.get(Request, "r1", owner=ALICE)
    assert (one.tool, one.summary, one.reason) == ("Bash", "python3 main.py", "Run it once")
    two = await harness.store.get(Request, "r2", owner=ALICE)
    assert (two.tool, two.summary, two.reason) == ("mcp__x__y", "mcp__x__y", "")


TAMPERED = TurnFinished(seq=1, outcome="error", reason="tampered", detail="unanswered")
FORGED = Notice(seq=1, level="error", text="log_forged")


@pytest.mark.parametrize(("ended", "why"), [(TAMPERED, "unanswered"), (FORGED, "log_forged")])
async def test_a_session_that_was_tampered_with_is_in_the_audit_log_once(
    harness: GatewayHarness, ended: AnyEvent, why: str
) -> None:
    session = await harness.add_session(ALICE)
    for _ in range(2):  # a gateway that was killed in between does it again
        await update_records(harness.store, session, [ended], owner=ALICE)
    (entry,) = await harness.store.audit_entries()
    assert (entry.what, entry.who, entry.about) == ("session_tampered", ALICE, session.agent)
    assert entry.detail == f"{session.id} 1 {why}"


def test_model_and_context_are_those_of_the_last_turn_that_a_model_answered() -> None:
    here: dict[str, object] = {"model": "claude-sonnet-4-5", "context_tokens": 900, "window_tokens": 200_000}
    answered = TurnFinished(outcome="ok", **here)  # type: ignore[arg-type]
    died = TurnFinished(outcome="error", reason="cli_died")
    assert after(session_record(), answered, died).items() >= here.items()
    assert not after(session_record(), died).keys() & here.keys()


FAILED = TurnFinished(outcome="error", reason="model_key_refused")


def test_how_the_last_turn_ended_is_kept_until_the_next_begins() -> None:
    ended = after(session_record(), BUSY, FAILED, IDLE)
    assert (ended["last_outcome"], ended["last_reason"]) == ("error", "model_key_refused")
    assert "last_outcome" not in after(session_record(last_outcome="error"), StateChanged(state=SessionState.ASLEEP))
    begun = after(session_record(last_outcome="error", last_reason="x"), BUSY)
    assert (begun["last_outcome"], begun["last_reason"]) == ("", "")


async def test_a_failed_turn_shows_on_the_card_until_the_next_one_begins(harness: GatewayHarness) -> None:
    session = await harness.add_session(ALICE)
    audit = Audit(harness.store)
    agents = Agents(store=harness.store, runners=None, forget=lambda _: None, audit=audit)  # type: ignore[arg-type]

    async def shown(*events: AnyEvent) -> SessionState:
        nonlocal session
        said = [numbered(event, seq=n) for n, event in enumerate(events, start=session.last_seq + 1)]
        session = await update_records(harness.store, session, said, owner=ALICE)
        [card] = await agents.cards(user=ALICE)
        return card.state

    assert await shown(BUSY, FAILED, IDLE) is SessionState.FAILED
    assert await shown(StateChanged(state=SessionState.ASLEEP)) is SessionState.FAILED
    assert await shown(BUSY) is SessionState.BUSY
    assert await shown(TurnFinished(outcome="ok"), IDLE) is SessionState.IDLE


@pytest.mark.parametrize(
    "event",
    [
        UserSaid(message_id="m", text="x"),
        text("x"),
        ToolCalled(id="t", name="Read", input={}),
        Asked(request_id="r", kind="plan"),
        Answered(request_id="r", decision="deny"),
        TurnFinished(outcome="ok"),
    ],
)
def test_what_somebody_said_or_did_moves_a_session_up(event: AnyEvent) -> None:
    moved = after(session_record(), event)["updated_at"]
    assert isinstance(moved, datetime) and (now() - moved).total_seconds() < 60


@pytest.mark.parametrize("event", [IDLE, BUSY, Parked(request_id="r"), Thinking(message="m", block=0, text="x")])
def test_waking_and_the_like_move_no_session(event: AnyEvent) -> None:
    assert "updated_at" not in after(session_record(), event)


def named(name: str) -> ToolCalled:
    return ToolCalled(id="t", name=DRAFT, input={"name": name})


SAID = UserSaid(message_id="m1", text="make me an agent")


def test_a_builder_session_takes_the_name_that_its_agent_gets() -> None:
    assert after(session_record(), SAID)["title"] == "make me an agent"
    assert after(session_record(), SAID, named("Issue digest"))["title"] == "Issue digest"
    first = {key: value for key, value in after(session_record(), SAID, named("One")).items() if "title" in key}
    assert after(session_record("builder", **first), named("Two\n"))["title"] == "Two"


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("/help", None),
        (" /clear\n", None),
        ("/code-review src/app.py", "src/app.py"),
        ("/usr/bin/python is missing", "/usr/bin/python is missing"),
        ("안녕하세요", "안녕하세요"),
    ],
)
def test_a_command_gives_a_session_no_title_but_what_it_is_about_does(said: str, title: str | None) -> None:
    assert after(session_record("chat"), UserSaid(message_id="m", text=said)).get("title") == title
    later = after(
        session_record("chat"), UserSaid(message_id="m", text=said), UserSaid(message_id="n", text="sort my mail")
    )
    assert later["title"] == (title or "sort my mail")


@pytest.mark.parametrize(
    ("session", "call"),
    [
        (session_record(title="Mine", given_title="make me an agent"), named("Issue digest")),
        (session_record(title="Older than this field"), named("Issue digest")),
        (session_record("chat", title="x", given_title="x"), named("Issue digest")),
        (session_record(title="x", given_title="x"), named(" ")),
        (session_record(title="x", given_title="x"), ToolCalled(id="t", name=DRAFT, input={"name": ["no"]})),
    ],
)
def test_a_title_given_by_hand_and_a_chats_stay(session: Session, call: ToolCalled) -> None:
    assert "title" not in after(session, call)
