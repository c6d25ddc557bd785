"""A run begins with values that fit the inputs of its agent, or it does not begin."""

from typing import Any

import pytest

from core.domain.agent_inputs import AgentInput, InputKind
from core.domain.run_inputs import BadValue, checked_values

INPUTS = (
    AgentInput(name="repo", required=True),
    AgentInput(name="count", kind=InputKind.NUMBER, default="10"),
    AgentInput(name="since", kind=InputKind.DATE),
    AgentInput(name="tone", kind=InputKind.CHOICE, choices=("short", "long")),
    AgentInput(name="data", kind=InputKind.FILE),
)


def test_defaults_are_filled_in_and_empty_values_are_left_out() -> None:
    assert checked_values(INPUTS, {"repo": " acme/web ", "since": "", "tone": None}) == {
        "repo": "acme/web",
        "count": 10,
    }
    whole: dict[str, Any] = {"repo": "a", "count": "2.5", "since": "2026-12-01", "tone": "long", "data": "in/a.csv"}
    assert checked_values(INPUTS, whole) == whole | {"count": 2.5}


@pytest.mark.parametrize(
    ("given", "name", "code"),
    [
        ({}, "repo", "input_missing"),
        ("", "repo", "input_missing"),
        ("just do it", "repo", "input_missing"),
        ({"repo": "a", "other": 1}, "other", "input_unknown"),
        ({"repo": "a", "count": "many"}, "count", "input_wrong"),
        ({"repo": "a", "count": "nan"}, "count", "input_wrong"),
        ({"repo": "a", "count": True}, "count", "input_wrong"),
        ({"repo": "a", "since": "tomorrow"}, "since", "input_wrong"),
        ({"repo": "a", "tone": "loud"}, "tone", "input_wrong"),
        ({"repo": "a", "data": "../secret"}, "data", "input_wrong"),
        ({"repo": "a", "data": "/etc/passwd"}, "data", "input_wrong"),
        ({"repo": ["a"]}, "repo", "input_wrong"),
        ({"repo": "x" * 30_000}, "repo", "input_wrong"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_the_name_of_its_input(given: Any, name: str, code: str) -> None:
    with pytest.raises(BadValue) as refused:
        checked_values(INPUTS, given)
    assert (refused.value.name, refused.value.code) == (name, code)


def test_an_agent_without_inputs_takes_what_it_is_given_and_one_without_required_ones_takes_words() -> None:
    assert checked_values((), {"free": [1]}) == {"free": [1]}
    assert checked_values((), "words") == "words"
    assert checked_values(INPUTS[1:], "words") == "words"
    assert checked_values(INPUTS[1:], "") == {"count": 10}
