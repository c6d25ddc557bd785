"""The definition of an agent: all that a person or the builder decides about it, apart from the files in its folder.

It is the part of the agent's record (core.domain.records.Agent) that changes by hand; `revision` counts the changes.
The files `CLAUDE.md` (its instructions), `.claude/` and `.mcp.json` are the other part and stay files.

What widens the power of an agent (POWER) is decided by the record alone. The agent can write into its own folder, so
`agent.toml` there is only a copy of the record; it is read when an agent is imported, and then each wish in it needs a
person's yes.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from core.domain.agent_inputs import AgentInput, AgentLimits, check_inputs, check_limits
from core.domain.errors import BadInput
from core.domain.host_patterns import allow_list
from core.domain.permission_policy import Mode
from core.domain.permission_rules import parse_rules
from core.domain.records import Agent, Unattended
from core.domain.visible_text import visible

NAME_CHARS: Final = 80
TEXT_CHARS: Final = 2000
RULES: Final = 200
TESTS: Final = 50
MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:/\[\]-]{0,99}")
TEST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
EFFORTS: Final = ("", "low", "medium", "high", "xhigh", "max")  # of the CLI's --effort; empty: the model's own
ICONS: Final = (
    "spark", "issue", "mic", "rocket", "box", "mail", "book", "chart", "clock", "globe", "search", "pen",
)  # fmt: skip
DEADLINE_S: Final = (60, 30 * 24 * 3600)

POWER: Final = ("permission_mode", "rules", "unattended", "egress", "secrets", "limits")


class AgentDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """The fields have the names of the record's. `egress` are the hosts that it may reach."""

    name: str = ""
    description: str = ""
    icon: str = "spark"
    model: str = ""
    effort: str = ""
    inputs: tuple[AgentInput, ...] = ()
    permission_mode: str = "acceptEdits"
    rules: tuple[str, ...] = ()
    unattended: Unattended = Unattended()
    egress: tuple[str, ...] = ("*",)
    secrets: tuple[str, ...] = ()
    limits: AgentLimits = AgentLimits()
    tests: tuple[str, ...] = ()
    revision: int = 0


FIELDS: Final = tuple(name for name in AgentDefinition.__struct_fields__ if name != "revision")


def definition_of(agent: Agent) -> AgentDefinition:
    """Return the definition in an agent's record."""
    return msgspec.convert(agent, AgentDefinition, from_attributes=True)


def changed_fields(one: AgentDefinition, other: AgentDefinition) -> tuple[str, ...]:
    """Return the names of the fields in which two definitions differ."""
    return tuple(name for name in FIELDS if getattr(one, name) != getattr(other, name))


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a definition as they may be kept. Raises: BadInput: one of them cannot be."""
    found = {}
    for name, value in fields.items():
        if name not in FIELDS:
            raise BadInput(f"a definition has no field {name[:40]!r}")
        found[name] = _CHECKS[name](value) if name in _CHECKS else value
    return found


def _name(value: Any) -> str:
    text = visible(" ".join(str(value).split()))
    if not 1 <= len(text) <= NAME_CHARS:
        raise BadInput(f"name must have 1 to {NAME_CHARS} characters", code="bad_name")
    return text


def _description(value: Any) -> str:
    text = visible(" ".join(str(value).split()))
    if len(text) > TEXT_CHARS:
        raise BadInput(f"description must have at most {TEXT_CHARS} characters", code="bad_description")
    return text


def _icon(value: Any) -> str:
    if value not in ICONS:
        raise BadInput(f"icon is one of {', '.join(ICONS)}")
    return str(value)


def _model(value: Any) -> str:
    if value and not MODEL.fullmatch(str(value)):
        raise BadInput("this is not the name of a model", code="bad_model")
    return str(value)


def _effort(value: Any) -> str:
    if value not in EFFORTS:
        raise BadInput(f"effort is one of {', '.join(EFFORTS[1:])}, or empty", code="bad_effort")
    return str(value)


def _mode(value: Any) -> str:
    if value not in set(Mode):
        raise BadInput(f"permission_mode is one of {', '.join(Mode)}", code="bad_mode")
    return str(value)


def _rules(value: Any) -> tuple[str, ...]:
    """Parse each text as a rule. The rules are what the agent does without asking."""
    found = tuple(dict.fromkeys(rule for text in value for rule in parse_rules(str(text))))
    if len(found) > RULES:
        raise BadInput(f"an agent has at most {RULES} rules", code="bad_rule")
    return found


def _unattended(value: Any) -> Unattended:
    try:
        found = msgspec.convert(value, Unattended, from_attributes=True)
    except msgspec.ValidationError as error:
        raise BadInput(str(error)) from error
    if not DEADLINE_S[0] <= found.ask_deadline_s <= DEADLINE_S[1]:
        raise BadInput(f"a request waits {DEADLINE_S[0]} to {DEADLINE_S[1]} seconds for an answer", code="bad_limit")
    return msgspec.structs.replace(found, allow=_rules(found.allow))


def _secrets(value: Any) -> tuple[str, ...]:
    return tuple(sorted({str(name) for name in value}))


def _tests(value: Any) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(str(name) for name in value))
    if len(found) > TESTS or not all(map(TEST_NAME.fullmatch, found)):
        raise BadInput(f"an agent has at most {TESTS} tests, each with a short name of letters and digits")
    return found


_CHECKS: Final = {
    "name": _name,
    "description": _description,
    "icon": _icon,
    "model": _model,
    "effort": _effort,
    "inputs": check_inputs,
    "permission_mode": _mode,
    "rules": _rules,
    "unattended": _unattended,
    "egress": allow_list,
    "secrets": _secrets,
    "limits": check_limits,
    "tests": _tests,
}
