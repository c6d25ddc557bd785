"""Reads, by allow list, the commands and models that a CLI names when it is connected."""

from typing import Any

from core.domain.slash_commands import OFFERED
from core.protocol.runner_api import CliInfo, ModelChoice, SlashCommand

NAME_CHARS = 64
TEXT_CHARS = 300
COMMANDS = 200
MODELS = 30


def cli_info(said: dict[str, Any]) -> CliInfo:
    """Return the part of the answer to `initialize` that a page offers; what has another form is left out."""
    commands = [found for one in _dicts(said.get("commands")) if (found := _command(one))]
    order = {name: place for place, name in enumerate(OFFERED)}
    commands.sort(key=lambda one: (not one.own, order.get(one.name, 0)))
    models = [_model(one) for one in _dicts(said.get("models")) if _text(one.get("value"), NAME_CHARS)]
    return CliInfo(ready=True, commands=tuple(commands[:COMMANDS]), models=tuple(models[:MODELS]))


def _command(said: dict[str, Any]) -> SlashCommand | None:
    name, own = _text(said.get("name"), NAME_CHARS), said.get("builtin") is not True
    if not name or not (own or name in OFFERED):
        return None
    description = _text(said.get("description"), TEXT_CHARS).removesuffix(" (project)")
    return SlashCommand(name=name, description=description, hint=_text(said.get("argumentHint"), TEXT_CHARS), own=own)


def _model(said: dict[str, Any]) -> ModelChoice:
    levels = said.get("supportedEffortLevels")
    efforts = tuple(_text(level, NAME_CHARS) for level in levels[:10]) if isinstance(levels, list) else ()
    value = _text(said.get("value"), NAME_CHARS)
    return ModelChoice(value=value, name=_text(said.get("displayName"), NAME_CHARS) or value, efforts=efforts)


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object, limit: int) -> str:
    return value[:limit] if isinstance(value, str) else ""
