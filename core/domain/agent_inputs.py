"""The inputs that an agent asks for when a run of it is started, and the limits that it sets itself."""

import math
import re
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec

from core.domain.errors import BadInput
from core.domain.visible_text import visible

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,39}")
INPUTS = 20
CHOICES = 50
LABEL_CHARS = 80
TEXT_CHARS = 500  # of a description, a default or a choice
MOST_USD = 1_000_000.0
MOST_S = 7 * 24 * 3600
MOST_TURNS = 100_000


class InputKind(StrEnum):
    """The kinds of values that an input can have."""

    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    DATE = "date"
    FILE = "file"


class AgentInput(msgspec.Struct, frozen=True, kw_only=True):
    """An input of an agent. `default` is written as text; only the kind `choice` has `choices`."""

    name: str
    kind: InputKind = InputKind.TEXT
    label: str = ""
    description: str = ""
    default: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()


class AgentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of an agent: its cost in a run and in a calendar month (UTC), and the length of a run; 0 is no limit.

    `turns` is how often a run may call the model. The limits of its owner (core.domain.limits) hold besides: the
    smaller one counts.
    """

    run_usd: float = 0.0
    month_usd: float = 0.0
    turns: int = 0
    duration_s: int = 0


def check_inputs(inputs: Any) -> tuple[AgentInput, ...]:
    """Return the inputs as they may be kept. Raises: BadInput (`bad_inputs`)."""
    try:
        found = msgspec.convert(inputs, tuple[AgentInput, ...], from_attributes=True)
    except msgspec.ValidationError as error:
        raise BadInput(str(error), code="bad_inputs") from error
    if len(found) > INPUTS or len({one.name for one in found}) != len(found):
        raise BadInput(f"an agent has at most {INPUTS} inputs, each with a name of its own", code="bad_inputs")
    return tuple(map(_checked, found))


def check_limits(limits: Any) -> AgentLimits:
    """Return the limits as they may be kept. Raises: BadInput (`bad_limit`)."""
    try:
        found = msgspec.convert(limits, AgentLimits, from_attributes=True)
    except msgspec.ValidationError as error:
        raise BadInput(str(error), code="bad_limit") from error
    for usd in (found.run_usd, found.month_usd):
        if not math.isfinite(usd) or not 0 <= usd <= MOST_USD:
            raise BadInput(f"a limit is 0 to {MOST_USD:,.0f} US dollars", code="bad_limit")
    if not 0 <= found.duration_s <= MOST_S:
        raise BadInput(f"a run lasts 0 to {MOST_S} seconds", code="bad_limit")
    if not 0 <= found.turns <= MOST_TURNS:
        raise BadInput(f"a run has 0 to {MOST_TURNS} turns", code="bad_limit")
    return found


def _checked(one: AgentInput) -> AgentInput:
    texts = (one.description, one.default, *one.choices)
    if not NAME.fullmatch(one.name) or len(one.label) > LABEL_CHARS or any(len(text) > TEXT_CHARS for text in texts):
        raise BadInput(f"the input {one.name[:40]!r} has a name or a text that cannot be kept", code="bad_inputs")
    if len(one.choices) > CHOICES or bool(one.choices) != (one.kind is InputKind.CHOICE):
        raise BadInput(f"the input {one.name} needs choices, or has too many", code="bad_inputs")
    if one.default and not _fits(one):
        raise BadInput(f"the default of {one.name} is no {one.kind}", code="bad_inputs")
    return msgspec.structs.replace(
        one,
        label=visible(one.label).strip(),
        description=visible(one.description).strip(),
        choices=tuple(visible(choice).strip() for choice in one.choices),
    )


def _fits(one: AgentInput) -> bool:
    try:
        match one.kind:
            case InputKind.NUMBER:
                return math.isfinite(float(one.default))
            case InputKind.DATE:
                date.fromisoformat(one.default)
            case InputKind.CHOICE:
                return one.default in one.choices
    except ValueError:
        return False
    return True
