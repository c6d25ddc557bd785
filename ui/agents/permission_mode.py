"""The section for an agent's permission mode, which its owner chooses here, with the list of reading commands."""

from functools import partial
from typing import Final

from core.domain import unasked_commands
from core.domain.permission_policy import Mode, mode_of
from core.domain.records import Agent
from ui.layout.html import Tag, tag
from ui.layout.page_frame import PageFrame

NAMES: Final = {Mode.ASK: "ask", Mode.EDITS: "edits", Mode.PLAN: "plan", Mode.LISTED: "listed"}


class PermissionMode:
    """The section of the page."""

    def __init__(self, page: PageFrame, agent: Agent) -> None:
        self._page, self._agent = page, agent
        words = page.words
        with tag("section", classes="part", aria_labelledby="mode"):
            tag("h2", words.t("mode.title"), id="mode")
            with tag("div", classes="seg wide", role="group", aria_labelledby="mode"):
                self._buttons = {mode: self._button(mode) for mode in Mode}
            self._note = tag("p", classes="meta", testid="mode-note")
            self._list()
        self._show()

    def show(self, agent: Agent) -> None:
        """The agent as it is from now on."""
        if agent.permission_mode != self._agent.permission_mode:
            self._agent = agent
            self._show()

    def _button(self, mode: Mode) -> Tag:
        button = tag("button", self._page.words.t(f"mode.{NAMES[mode]}"), type="button", testid=f"mode-{mode}")
        button.on("click", partial(self._choose, mode), args=[])
        return button

    def _list(self) -> None:
        """The table of reading commands, from the list that decides."""
        words = self._page.words
        with tag("details", classes="unasked", testid="unasked-list"):
            tag("summary", words.t("mode.reading"))
            tag("p", words.t("mode.reading_text"), classes="meta")
            with tag("ul", classes="rows"):
                for names, limits in unasked_commands.table():
                    with tag("li", classes="line"):
                        tag("code", names, classes="grow")
                        if limits:
                            tag("span", words.t(f"mode.of.{names}"), classes="meta")

    async def _choose(self, mode: Mode) -> None:
        if mode is mode_of(self._agent.permission_mode):
            return
        page = self._page
        self._agent = await page.services.agents.change(self._agent.id, user=page.user_id, permission_mode=str(mode))
        self._show()
        page.toasts.show(page.words.t("mode.changed", mode=page.words.t(f"mode.{NAMES[mode]}")))

    def _show(self) -> None:
        now = mode_of(self._agent.permission_mode)
        for mode, button in self._buttons.items():
            button.attributes(aria_pressed=str(mode is now).lower())
        self._note.set_text(self._page.words.t(f"mode.{NAMES[now]}_text"))
