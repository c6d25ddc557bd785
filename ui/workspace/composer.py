"""The composer. A message stays in an outbox in the browser until it is acknowledged, and is sent again if needed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.errors import PlatformError
from core.domain.events import Attachment
from core.domain.picture_kinds import PICTURE_BYTES
from core.domain.records import UserId
from ui.layout.i18n import Translations
from ui.transcript.reducer import Meta
from ui.transcript.transcript import ITEMS_JS

LABELS: Final = "label hint send queue steer stop stopping suggestions attach attachments detach upload_failed".split()
Say = Callable[[str, str, bool, tuple[Attachment, ...]], Awaitable[int]]  # text, message_id, steer, files → number
CODES: Final = "too_many_attachments picture_too_large file_too_large no_space file_locked".split()


class Composer(Element, component="composer.js", dependencies=[ITEMS_JS, "oma_suggest.js", "oma_attach.js"]):
    """`say` and `stop` may raise PlatformError; the sentence is shown at the message, with a way to try again."""

    def __init__(
        self,
        *,
        session: str,
        user: UserId,
        words: Translations,
        meta: Meta,
        say: Say,
        stop: Callable[[], Awaitable[None]],
        wake: Callable[[], Awaitable[None]],
        fail: Callable[[Exception], None],
        suggest: Callable[[str, str], Awaitable[list[dict[str, Any]]]],
        files: str,
        limit_bytes: int,
    ) -> None:
        """`files` is the address of the agent's files in the API; a file has at most `limit_bytes`."""
        super().__init__()
        self._words, self._say, self._stop, self._fail = words, say, stop, fail
        self._suggest = suggest
        self._in_order = asyncio.Lock()
        self.props["session"] = session
        self.props["user"] = user
        self.props["start"] = msgspec.to_builtins(meta)
        self.props["words"] = {
            **{label: words.t(f"composer.{label}") for label in LABELS},
            **{code: words.t(f"error.{code}") for code in CODES},
        }
        self.props["files"] = files
        self.props["limits"] = {"file": limit_bytes, "picture": PICTURE_BYTES}
        self.on("say", self._said)
        self.on("stop", self._stopped, args=[])
        self.on("typing", wake, args=[])
        self.on("suggest", self._suggested)

    async def _said(self, event: GenericEventArguments) -> None:
        message = event.args if isinstance(event.args, dict) else {}
        id, text = _text(message, "id"), _text(message, "text")
        try:
            async with self._in_order:  # what was typed first is said first
                seq = await self._say(text, id, bool(message.get("steer")), _attachments(message))
        except PlatformError as error:
            self.run_method("refused", id, self._words.code("error", error.code, "internal"))
        else:
            self.run_method("accepted", id, seq)

    async def _suggested(self, event: GenericEventArguments) -> None:
        match event.args:
            case [str(kind), str(query), int(n)]:
                self.run_method("suggest", n, await self._suggest(kind, query))

    async def _stopped(self) -> None:
        try:
            await self._stop()
        except PlatformError as error:
            self._fail(error)


def _attachments(message: dict[str, Any]) -> tuple[Attachment, ...]:
    """The files of a message, as the page says; the runner looks at them itself."""
    try:
        return msgspec.convert(message.get("attachments") or (), tuple[Attachment, ...])
    except msgspec.ValidationError:
        return ()


def _text(message: dict[str, Any], key: str) -> str:
    value = message.get(key)
    return value if isinstance(value, str) else ""
