"""The wishes of an imported agent: what it asks for beyond its files. Each is in force only after a person's yes."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from core.domain.agent_definition import AgentDefinition
from core.domain.errors import BadInput
from core.domain.permission_rules import parse_rules
from core.domain.records import Record

WISHES: Final = 100
CHARS: Final = 300


class WishKind(StrEnum):
    """The kinds of wishes. A hook is only told: no yes makes it run."""

    RULE = "rule"  # something to do unasked
    SERVER = "server"  # an MCP server of the folder; the value is the rule that lets it run
    HOST = "host"
    SECRET = "secret"  # noqa: S105  # a kind
    MODE = "mode"
    HOOK = "hook"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """One wish."""

    kind: WishKind
    value: str


class AgentWishes(Record, frozen=True, kw_only=True):
    """The wishes of an agent that nobody has decided yet. The id is the agent's."""

    wishes: tuple[Wish, ...] = ()


def wishes_of(definition: AgentDefinition, *, held: Iterable[str], allowed: Iterable[str]) -> tuple[Wish, ...]:
    """Return the wishes of an import: of its `agent.toml`, its settings (`allowed`), its hooks and servers (`held`)."""
    default = AgentDefinition()
    found = [Wish(kind=WishKind.SERVER if one.startswith("mcp__") else WishKind.HOOK, value=one) for one in held]
    rules = (*definition.rules, *definition.unattended.allow, *filter(_is_rule, allowed))
    found += [Wish(kind=WishKind.RULE, value=rule) for rule in rules]
    found += [Wish(kind=WishKind.HOST, value=host) for host in definition.egress if definition.egress != default.egress]
    found += [Wish(kind=WishKind.SECRET, value=name) for name in definition.secrets]
    if definition.permission_mode not in ("default", "dontAsk"):
        found.append(Wish(kind=WishKind.MODE, value=definition.permission_mode))
    short = (one for one in dict.fromkeys(found) if 0 < len(one.value) <= CHARS)
    return tuple(short)[:WISHES]


def _is_rule(text: str) -> bool:
    try:
        return bool(parse_rules(text))
    except BadInput:
        return False
