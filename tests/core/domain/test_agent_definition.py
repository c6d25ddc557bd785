"""The definition of an agent: what of it may be kept, and how two of them differ."""

from typing import Any

import pytest

from core.domain.agent_definition import FIELDS, POWER, AgentDefinition, changed_fields, checked, definition_of
from core.domain.agent_inputs import AgentInput, InputKind
from core.domain.errors import BadInput
from core.domain.records import Agent, now


def test_a_definition_has_the_fields_of_the_record_with_the_same_defaults() -> None:
    agent = Agent(id="a", created_at=now(), updated_at=now())
    assert definition_of(agent) == AgentDefinition()
    assert set(POWER) < set(FIELDS)
    assert checked({name: getattr(agent, name) for name in FIELDS if name != "name"})


def test_only_the_fields_that_differ_are_named() -> None:
    one = AgentDefinition(name="a", model="x", revision=3)
    assert changed_fields(one, AgentDefinition(name="a", model="y", revision=4)) == ("model",)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("name", " ", "bad_name"),
        ("name", "x" * 81, "bad_name"),
        ("description", "x" * 2001, "bad_description"),
        ("icon", "<script>", "bad_input"),
        ("model", "--dangerously", "bad_model"),
        ("model", "a b", "bad_model"),
        ("effort", "enormous", "bad_effort"),
        ("permission_mode", "bypassPermissions", "bad_mode"),
        ("egress", ["127.0.0.1"], "private_host"),
        ("limits", {"run_usd": -1}, "bad_limit"),
        ("limits", {"run_usd": float("nan")}, "bad_limit"),
        ("unattended", {"otherwise": "allow"}, "bad_input"),
        ("unattended", {"ask_deadline_s": 1}, "bad_limit"),
        ("tests", ["../x"], "bad_input"),
        ("inputs", [{"name": "1x"}], "bad_inputs"),
        ("inputs", [{"name": "x", "kind": "choice"}], "bad_inputs"),
        ("inputs", [{"name": "x", "choices": ["a"]}], "bad_inputs"),
        ("inputs", [{"name": "x"}, {"name": "x"}], "bad_inputs"),
        ("inputs", [{"name": "x", "kind": "date", "default": "tomorrow"}], "bad_inputs"),
        ("inputs", [{"name": "x", "kind": "number", "default": "inf"}], "bad_inputs"),
        ("revision", 7, "bad_input"),
        ("draft", False, "bad_input"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_code(field: str, value: Any, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked({field: value})
    assert refused.value.code == code


def test_inputs_are_kept_as_they_were_meant() -> None:
    given = [{"name": "repo", "kind": "choice", "choices": ["web", "api"], "default": "api", "label": " Repository "}]
    assert checked({"inputs": given})["inputs"] == (
        AgentInput(name="repo", kind=InputKind.CHOICE, choices=("web", "api"), default="api", label="Repository"),
    )
