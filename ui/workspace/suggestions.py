"""Suggestions for the text box: the commands of the session's CLI after "/", files of the agent's folder after "@"."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from core.domain.errors import PlatformError
from core.protocol.runner_api import CliInfo, SlashCommand
from ui.layout.i18n import Translations

SHOWN: Final = 50

Rows = list[dict[str, Any]]
Files = Callable[[str], Awaitable[Rows]]


class Suggestions:
    """`find(kind, query)`; without an answer of the box there are none, and the text box works as it is."""

    def __init__(self, *, info: Callable[[], Awaitable[CliInfo]], files: Files, words: Translations) -> None:
        self._info, self._files, self._words = info, files, words
        self._known: tuple[SlashCommand, ...] = ()

    async def find(self, kind: str, query: str) -> Rows:
        """Rows of `value` (put in the place of the query), `text` and `note`."""
        try:
            return await self._commands(query) if kind == "command" else await self._files(query)
        except PlatformError:
            return []

    async def _commands(self, query: str) -> Rows:
        self._known = self._known or (await self._info()).commands
        found = [one for one in self._known if query.lower() in one.name.lower()]
        found.sort(key=lambda one: not one.name.lower().startswith(query.lower()))
        return [
            {"value": f"{one.name} " if one.hint else one.name, "text": f"/{one.name}", "note": self._told(one)}
            for one in found[:SHOWN]
        ]

    def _told(self, command: SlashCommand) -> str:
        return command.description if command.own else self._words.code("slash", command.name, "other")
