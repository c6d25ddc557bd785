"""Requests and decisions, without a CLI."""

import asyncio
from typing import Any

import pytest

from core.domain.errors import BadInput
from core.domain.events import Answered, Asked, Parked, Reply
from core.runner import truncation
from core.runner.pending_requests import PendingRequests, ToolRequest, asked_for, check, questions
from core.runner.prompts import told_later


def tool_request(tool: str, raw: dict[str, Any], *rules: str) -> ToolRequest:
    return ToolRequest(tool=tool, input=raw, tool_id="t", reason="r", rules=rules)


@pytest.mark.parametrize(("kind", "decision"), [("question", "allow"), ("plan", "answer"), ("permission", "answer")])
def test_a_decision_must_fit_its_kind(kind: Any, decision: str) -> None:
    with pytest.raises(BadInput):
        check(Asked(request_id="r", kind=kind), decision)


def test_a_question_is_whole_however_long_its_parts_are() -> None:
    option = {"label": "l" * 3_000, "description": "d" * 3_000}
    raw = {"questions": [{"question": "q" * 9_000, "header": "h" * 300, "options": [option] * 30}] * 12}
    found = questions(raw)
    assert len(found) == 12 and len(found[0].text) == 9_000 and len(found[0].header) == 300
    assert found[0].options == (("l" * 3_000, "d" * 3_000),) * 30


def test_an_answer_that_comes_later_is_told_part_by_part() -> None:
    asked = Asked(request_id="r", kind="question")
    reply = Reply(choices=("dev, or test", "all"), text="not on mondays")
    answered = Answered(request_id="r", decision="answer", answers={"Which?": "…"}, replies={"Which?": reply})
    assert '"Which?" = "dev, or test" and "all" and "not on mondays"' in told_later(asked, answered)
    old = Answered(request_id="r", decision="answer", answers={"Which?": "dev"})
    assert '"Which?" = "dev"' in told_later(asked, old)


async def test_a_request_is_recorded_before_anybody_waits_for_it() -> None:
    recorded: list[Asked | Answered | Parked] = []
    pending = PendingRequests(recorded.append)
    asking = asyncio.create_task(pending.ask("r1", tool_request("Bash", {"command": "ls"})))
    await asyncio.sleep(0)
    assert [type(event) for event in recorded] == [Asked] and pending.waiting
    assert pending.settle(Answered(request_id="r1", decision="allow_always", rule="Bash(ls:*), Read"))
    assert (await asking).rules == ("Bash(ls:*)", "Read")
    assert not pending.settle(Answered(request_id="r1", decision="deny"))


async def test_a_parked_request_is_neither_answered_nor_dropped_when_its_process_ends() -> None:
    recorded: list[Asked | Answered | Parked] = []
    pending = PendingRequests(recorded.append)
    asking = asyncio.create_task(pending.ask("r1", tool_request("Bash", {"command": "ls"})))
    await asyncio.sleep(0)
    pending.park()
    asking.cancel()
    await asyncio.wait([asking])
    assert [type(event) for event in recorded] == [Asked, Parked]


async def test_a_late_decision_about_what_was_too_long_to_be_shown_is_good_for_nothing_else() -> None:
    """Two inputs that are equal as far as anybody saw them."""
    pending = PendingRequests(lambda _: None)
    seen, other = ({"command": "x" * truncation.INPUT_CHARS + end} for end in ("; true", "; evil"))
    assert truncation.tool_input(seen) == truncation.tool_input(other)
    pending.decided_before(asked_for("r1", tool_request("Bash", seen)), Answered(request_id="r1", decision="allow"))
    asking = asyncio.create_task(pending.ask("r2", tool_request("Bash", other)))
    await asyncio.sleep(0)
    assert pending.waiting
    assert pending.settle(Answered(request_id="r2", decision="deny"))
    assert not (await asking).allow


async def test_a_late_decision_is_good_once_and_only_for_exactly_that_input() -> None:
    recorded: list[Asked | Answered | Parked] = []
    pending = PendingRequests(recorded.append)
    asked = asked_for("r1", tool_request("Bash", {"command": "ls"}))
    pending.decided_before(asked, Answered(request_id="r1", decision="allow"))
    for n, (tool, command) in enumerate((("Bash", "ls -a"), ("Read", "ls"), ("Bash", "ls"), ("Bash", "ls"))):
        asking = asyncio.create_task(pending.ask(f"x{n}", tool_request(tool, {"command": command})))
        await asyncio.sleep(0)
        if n == 2:
            assert (await asking).allow
            continue
        assert isinstance(recorded[-1], Asked)
        asking.cancel()
        await asyncio.wait([asking])
        assert isinstance(recorded[-1], Answered) and recorded[-1].decision == "deny"


def test_a_request_that_nobody_may_answer_is_denied_and_both_stand_in_the_log() -> None:
    events: list[Asked | Answered | Parked] = []
    pending = PendingRequests(events.append)
    told = pending.refuse("r1", tool_request("Bash", {"command": "rm -r build"}))
    assert not told.allow
    assert "policy does not allow" in told.message
    assert [type(event) for event in events] == [Asked, Answered]
    assert isinstance(events[1], Answered)
    assert (events[1].decision, events[1].by) == ("deny", "policy")
    assert not pending.waiting
