"""Holds the values that a run is given against the inputs that its agent declares."""

import math
from collections.abc import Sequence
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from core.domain.agent_inputs import AgentInput, InputKind
from core.domain.errors import BadInput

VALUE_CHARS = 20_000


class BadValue(BadInput):
    """A value does not fit the input `name`; `code` says why."""

    def __init__(self, name: str, message: str, *, code: str) -> None:
        super().__init__(f"{name}: {message}", code=code)
        self.name = name


def checked_values(inputs: Sequence[AgentInput], given: dict[str, Any] | str) -> dict[str, Any] | str:
    """Return what a run begins with: each declared input with its value, defaults filled in.

    An agent that declares no inputs takes what it is given. One that does takes plain text instead only if none of its
    inputs would be missing. Raises: BadValue.
    """
    if not inputs:
        return given
    if isinstance(given, str):
        if given.strip() and not any(one.required and not one.default for one in inputs):
            return given
        given = {}
    known = {one.name for one in inputs}
    for name in given:
        if name not in known:
            raise BadValue(str(name)[:40], "the agent declares no such input", code="input_unknown")
    values = {one.name: checked_value(one, given.get(one.name)) for one in inputs}
    return {name: value for name, value in values.items() if value != ""}


def checked_value(one: AgentInput, value: Any) -> str | float | int:
    """Return the value of one input, its default if there is none, "" if both are missing. Raises: BadValue."""
    text = "" if value is None else str(value).strip()
    text = text or one.default
    if not text:
        if one.required:
            raise BadValue(one.name, "a value is required", code="input_missing")
        return ""
    if len(text) > VALUE_CHARS:
        raise BadValue(one.name, f"a value has at most {VALUE_CHARS} characters", code="input_wrong")
    if isinstance(value, dict | list | bool):
        raise BadValue(one.name, f"this is no {one.kind}", code="input_wrong")
    try:
        return _read(one, text)
    except ValueError as error:
        raise BadValue(one.name, f"this is no {one.kind}", code="input_wrong") from error


def _read(one: AgentInput, text: str) -> str | float | int:
    """Raises: ValueError: the text is no value of this kind."""
    match one.kind:
        case InputKind.NUMBER:
            number = float(text)
            if not math.isfinite(number):
                raise ValueError(text)
            return int(number) if number.is_integer() else number
        case InputKind.DATE:
            return date.fromisoformat(text).isoformat()
        case InputKind.CHOICE if text not in one.choices:
            raise ValueError(text)
        case InputKind.FILE:
            path = PurePosixPath(text)
            if path.is_absolute() or ".." in path.parts or "\0" in text:
                raise ValueError(text)
    return text
