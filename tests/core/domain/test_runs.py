"""Runs as values: which states follow, what evidence a success needs, and ids that let one row be made."""

import itertools
from datetime import timedelta

import pytest

from core.domain.events import AnyEvent, Text, ToolCalled, TurnFinished, Usage, UserSaid
from core.domain.records import UserId, now
from core.domain.runs import (
    REASONS,
    ending,
    is_output,
    run_id_of_request,
    run_id_of_slot,
    session_of_run,
    tokens_of,
    written_file,
)
from core.domain.states import BORN, ENDED, RUN_NEXT, RunState, may_become


def test_nothing_follows_an_end_and_every_other_state_can_be_left() -> None:
    assert set(RUN_NEXT) == set(RunState)
    for state in RunState:
        assert bool(RUN_NEXT[state]) is (state not in ENDED)
    assert not any(may_become(end, state) for end, state in itertools.product(ENDED, RunState))


def test_every_state_can_be_reached_from_the_states_that_a_run_begins_in() -> None:
    reached = set(BORN)
    while more := {then for state in reached for then in RUN_NEXT[state]} - reached:
        reached |= more
    assert reached == set(RunState)


def test_every_reason_belongs_to_an_end() -> None:
    assert set(REASONS.values()) == ENDED


@pytest.mark.parametrize(
    ("has_output", "end", "state", "reason"),
    [
        (True, TurnFinished(outcome="ok"), RunState.SUCCEEDED, "ok"),
        (False, TurnFinished(outcome="ok"), RunState.FAILED, "no_output"),
        (True, TurnFinished(outcome="error", reason="cli_died"), RunState.FAILED, "cli_died"),
        (True, TurnFinished(outcome="interrupted", reason="runner_lost"), RunState.FAILED, "runner_lost"),
        (True, TurnFinished(outcome="limit", reason="spend_limit"), RunState.FAILED, "spend_limit"),
        (True, TurnFinished(outcome="error", reason="of tomorrow"), RunState.FAILED, "turn_failed"),
        (True, TurnFinished(outcome="error", reason="ok"), RunState.FAILED, "turn_failed"),
    ],
)
def test_a_run_succeeds_only_with_evidence_and_fails_with_a_reason_that_is_known(
    has_output: bool, end: TurnFinished, state: RunState, reason: str
) -> None:
    assert ending(end, has_output=has_output)[:2] == (state, reason)
    assert REASONS[reason] is state


@pytest.mark.parametrize(
    ("event", "evidence"),
    [
        (UserSaid(message_id="m", text="go"), False),
        (Text(message="a", block=0, text="done"), True),
        (Text(message="a", block=0, text=" \n"), False),
        (ToolCalled(id="t", name="Bash", input={}), True),
        (TurnFinished(outcome="ok"), False),
    ],
)
def test_evidence_is_an_answer_with_words_or_a_tool_call(event: AnyEvent, evidence: bool) -> None:
    assert is_output(event) is evidence


def test_a_file_that_a_tool_writes_is_known_by_the_call() -> None:
    assert written_file(ToolCalled(id="t", name="Write", input={"file_path": "out/a.md"})) == "out/a.md"
    for name, given in (("Read", {"file_path": "a"}), ("Write", {}), ("Write", {"file_path": 7})):
        assert written_file(ToolCalled(id="t", name=name, input=given)) == ""


def test_ids_follow_from_what_is_asked_for_and_from_nothing_else() -> None:
    due, alice = now().replace(microsecond=0), UserId("google-1")
    assert run_id_of_slot("t", due) == run_id_of_slot("t", due)
    others = {run_id_of_slot("t", due + timedelta(minutes=n)) for n in range(50)} | {run_id_of_slot("u", due)}
    assert len(others) == 51
    assert run_id_of_request(alice, "k") != run_id_of_request(UserId("google-2"), "k")
    assert session_of_run("r") == session_of_run("r") != session_of_run("s")


def test_tokens_are_counted_with_those_of_the_cache() -> None:
    usage = Usage(input_tokens=1, output_tokens=2, cache_read_tokens=4, cache_write_tokens=8)
    assert tokens_of(TurnFinished(outcome="ok", usage=usage)) == 15
