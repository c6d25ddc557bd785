"""Rules, suggestions and decisions, without a CLI."""

import asyncio
from typing import Any

import pytest

from core.domain.errors import BadInput
from core.domain.events import Answered, Asked, Parked
from core.runner import truncation
from core.runner.permissions import PendingRequests, ToolRequest, asked_for, check, split_rules


def wish(tool: str, raw: dict[str, Any], *rules: str) -> ToolRequest:
    return ToolRequest(tool=tool, input=raw, tool_id="t", reason="r", rules=rules)


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (wish("Bash", {"command": "npm test -- --watch"}), "Bash(npm test:*)"),
        (wish("Bash", {"command": "./run.sh --fast"}), "Bash(./run.sh:*)"),
        (wish("Bash", {"command": "curl x"}, "Bash(curl x *)"), "Bash(curl x *)"),
        (wish("Bash", {"command": "a; b"}, "Bash(a *)", "Bash(b *)"), "Bash(a *), Bash(b *)"),
        (wish("Bash", {"command": "bash -c 'echo x'"}), "Bash(bash -c 'echo x')"),
        (wish("Bash", {"command": "/usr/bin/python3.11 -c 'x'"}), "Bash(/usr/bin/python3.11 -c 'x')"),
        (wish("Bash", {"command": "A=1 rm x"}), "Bash(A=1 rm x)"),
        (wish("Bash", {"command": "uv run pytest -q"}), "Bash(uv run pytest -q)"),
        (wish("Bash", {"command": "busybox sh -c x"}), "Bash(busybox sh -c x)"),
        (wish("Bash", {"command": "flock /tmp/l bash"}), "Bash(flock /tmp/l bash)"),
        (wish("Bash", {"command": "stdbuf -o0 bash"}), "Bash(stdbuf -o0 bash)"),
        (wish("Bash", {"command": "npm -s exec x"}), "Bash(npm -s exec x)"),
        (wish("Bash", {"command": "git -c alias.x=!id x"}), "Bash(git -c alias.x=!id x)"),
        (wish("Bash", {"command": "git commit -m x"}), "Bash(git commit:*)"),
        (wish("Bash", {"command": "ls -la"}), "Bash(ls:*)"),
        (wish("Bash", {"command": "x),Bash,Read(y"}), "Bash"),
        (wish("Bash", {"command": "(cd x && make)"}), "Bash"),
        (wish("Bash", {"command": "'bash' -c x"}), "Bash('bash' -c x)"),
        (wish("Bash", {"command": "\\bash -c x"}), "Bash"),
        (wish("Bash", {"command": "sudo rm -r /tmp/*"}), "Bash"),
        (wish("Bash", {"command": "python3 - <<E\nprint(1)\nE"}), "Bash"),
        (wish("Bash", {"command": " "}), "Bash"),
        (wish("WebFetch", {"url": "https://x"}), "WebFetch"),
    ],
)
def test_always_is_suggested_as_a_rule(asked: ToolRequest, rule: str) -> None:
    assert asked_for("r", asked).rule == rule


@pytest.mark.parametrize("said", ['echo "), Bash, Read("', 'echo "(a) Bash b"', "echo 1\necho 2", "echo -" + 500 * "x"])
def test_a_suggestion_of_the_cli_that_reads_as_another_is_not_offered(said: str) -> None:
    """Its text goes to the person and comes back: what is in it was written by the model."""
    assert asked_for("r", wish("Bash", {"command": said}, f"Bash({said})")).rule == "Bash(echo:*)"


@pytest.mark.parametrize("said", ["rm build/*", "rm *", "rm old && rm *", "rm */x"])
def test_a_star_of_the_command_is_none_of_a_rule(said: str) -> None:
    """For the shell it means files of one folder, in a rule any words."""
    suggested = [f"Bash({part})" for part in said.split(" && ")]
    assert asked_for("r", wish("Bash", {"command": said}, *suggested)).rule in ("Bash(rm:*)", "Bash(rm old:*)")
    assert asked_for("r", wish("Bash", {"command": said}, "Bash(rm build *)")).rule == "Bash(rm build *)"
    assert asked_for("r", wish("Bash", {"command": said}, "Read(//tmp/**)")).rule == "Read(//tmp/**)"


def test_rules_are_separated_by_commas_outside_parentheses() -> None:
    assert split_rules("Bash(a, b), Read , ,Edit(x)") == ["Bash(a, b)", "Read", "Edit(x)"]
    assert split_rules("") == []


@pytest.mark.parametrize(("kind", "decision"), [("question", "allow"), ("plan", "answer"), ("permission", "answer")])
def test_a_decision_must_fit_its_kind(kind: Any, decision: str) -> None:
    with pytest.raises(BadInput):
        check(Asked(request_id="r", kind=kind), decision)


async def test_a_request_is_recorded_before_anybody_waits_for_it() -> None:
    recorded: list[Asked | Answered | Parked] = []
    desk = PendingRequests(recorded.append)
    asking = asyncio.create_task(desk.ask("r1", wish("Bash", {"command": "ls"})))
    await asyncio.sleep(0)
    assert [type(event) for event in recorded] == [Asked] and desk.waiting
    assert desk.settle(Answered(request_id="r1", decision="allow_always", rule="Bash(ls:*), Read"))
    assert (await asking).rules == ("Bash(ls:*)", "Read")
    assert not desk.settle(Answered(request_id="r1", decision="deny"))


async def test_a_parked_request_is_neither_answered_nor_dropped_when_its_process_ends() -> None:
    recorded: list[Asked | Answered | Parked] = []
    desk = PendingRequests(recorded.append)
    asking = asyncio.create_task(desk.ask("r1", wish("Bash", {"command": "ls"})))
    await asyncio.sleep(0)
    desk.park()
    asking.cancel()
    await asyncio.wait([asking])
    assert [type(event) for event in recorded] == [Asked, Parked]


async def test_a_late_decision_about_what_was_too_long_to_be_shown_is_good_for_nothing_else() -> None:
    """Two inputs that are equal as far as anybody saw them."""
    desk = PendingRequests(lambda _: None)
    seen, other = ({"command": "x" * truncation.STRING_CHARS + end} for end in ("; true", "; evil"))
    assert truncation.tool_input(seen) == truncation.tool_input(other)
    desk.decided_before(asked_for("r1", wish("Bash", seen)), Answered(request_id="r1", decision="allow"))
    asking = asyncio.create_task(desk.ask("r2", wish("Bash", other)))
    await asyncio.sleep(0)
    assert desk.waiting
    assert desk.settle(Answered(request_id="r2", decision="deny"))
    assert not (await asking).allow


async def test_a_late_decision_is_good_once_and_only_for_exactly_that_input() -> None:
    recorded: list[Asked | Answered | Parked] = []
    desk = PendingRequests(recorded.append)
    asked = asked_for("r1", wish("Bash", {"command": "ls"}))
    desk.decided_before(asked, Answered(request_id="r1", decision="allow"))
    for n, (tool, command) in enumerate((("Bash", "ls -a"), ("Read", "ls"), ("Bash", "ls"), ("Bash", "ls"))):
        asking = asyncio.create_task(desk.ask(f"x{n}", wish(tool, {"command": command})))
        await asyncio.sleep(0)
        if n == 2:
            assert (await asking).allow
            continue
        assert isinstance(recorded[-1], Asked)
        asking.cancel()
        await asyncio.wait([asking])
        assert isinstance(recorded[-1], Answered) and recorded[-1].decision == "deny"
