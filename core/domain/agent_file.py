"""The content of `agent.toml`: an agent's definition in the words of that file, written from it and read from it."""

from typing import Any

import msgspec

from core.domain.agent_definition import AgentDefinition, checked
from core.domain.errors import BadInput

NESTED = {"permission_mode": "mode", "rules": "allow", "unattended": "unattended"}  # below [permissions]
NAMES = {"egress": "hosts"}
PLAIN = ("name", "description", "icon", "model", "effort", "egress", "secrets", "tests", "limits", "inputs")
LISTS = frozenset({"egress", "secrets", "tests", "rules"})


def to_file(definition: AgentDefinition) -> dict[str, Any]:
    """Return the values of the file, in its order: plain values first, then tables."""
    values = msgspec.to_builtins(definition)
    plain = {
        NAMES.get(name, name): values[name]
        for name in ("name", "description", "icon", "model", "effort", "egress", "secrets", "tests")
    }
    permissions = {word: values[name] for name, word in NESTED.items()}
    return {**plain, "permissions": permissions, "limits": values["limits"], "inputs": values["inputs"]}


def from_file(values: dict[str, Any]) -> tuple[AgentDefinition, tuple[str, ...]]:
    """The definition that a file asks for, and the names of the fields that could not be taken from it."""
    permissions = values.get("permissions")
    asked = {name: permissions.get(word) for name, word in NESTED.items()} if isinstance(permissions, dict) else {}
    asked |= {name: values.get(NAMES.get(name, name)) for name in PLAIN}
    found: dict[str, Any] = {}
    refused = []
    for name, value in asked.items():
        if value is None:
            continue
        try:
            if not _is_of_kind(name, value):
                raise BadInput(f"{name} is of another kind")
            found |= checked({name: value})
        except (BadInput, TypeError, ValueError, AttributeError):
            refused.append(name)
    return AgentDefinition(**found), tuple(sorted(refused))


def _is_of_kind(name: str, value: Any) -> bool:
    """Texts are texts, and lists are lists of texts; the rest is checked with the field."""
    if name in LISTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, str) or name in ("unattended", "limits", "inputs")
