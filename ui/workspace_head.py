"""The line above the transcript: which agent, which session, in what state, at what cost."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from nicegui.element import Element

from ui.transcript.fold import Meta
from ui.words import Words

LABELS: Final = "sessions cost draft publish publish_why".split()


class WorkspaceHead(Element, component="workspace_head.js"):
    """State and cost come by `meta`, as to all that stands around the transcript."""

    def __init__(
        self, *, agent: str, draft: bool, title: str, meta: Meta, words: Words, publish: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__()
        start: dict[str, Any] = msgspec.to_builtins(meta)
        self.props["agent"] = agent
        self.props["draft"] = draft
        self.props["title"] = title
        self.props["start"] = {key: start[key] for key in ("state", "word", "cost")}
        self.props["words"] = {label: words.t(f"head.{label}") for label in LABELS}

        self.on("publish", publish, args=[])

    def rename(self, agent: str, *, draft: bool) -> None:
        """The agent has a name now, or another one, or is finished."""
        self.run_method("rename", agent, draft)

    def retitle(self, agent: str, title: str) -> None:
        """Agent or session are called otherwise now."""
        self.run_method("retitle", agent, title)
