"""The start page: a large text box and six examples that create an agent and its builder session."""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.errors import PlatformError
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame

STARTERS = {
    "issues": "issue",
    "minutes": "mic",
    "deploy": "rocket",
    "dependencies": "box",
    "mail": "mail",
    "research": "book",
}


class Begin(Element, component="start.js"):
    """The large text box."""


class Start:
    """The dashboard of somebody who has no agent yet."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        self._made: tuple[str, str] | None = None  # agent and session
        self._said = ("", "")  # the same words sent again after a failure are the same message
        words = page.words
        with tag("div", classes="start"):
            tag("h1", words.t("start.title"))
            self._box = Begin()
            labels = ("title", "example", "hint", "create", "making")
            self._box.props["words"] = {label: words.t(f"start.{label}") for label in labels}
            self._box.props["user"] = page.user_id
            self._box.on("make", self._make)
            tag("h2", words.t("start.starters"))
            with tag("div", classes="starters"):
                for name, glyph in STARTERS.items():
                    self._starter(name, glyph)

    @property
    def begun(self) -> bool:
        """True if an agent was created here; the page then stays until its first message is sent."""
        return self._made is not None

    def _starter(self, name: str, glyph: str) -> None:
        words = self._page.words
        card = tag("button", classes="card st", type="button", data_starter=name)
        with card:
            with tag("span", classes="tile"):
                icon(glyph, "lg")
            tag("span", words.t(f"start.{name}"), classes="b")
            tag("span", words.t(f"start.{name}_text"), classes="meta")
        request = words.t(f"start.{name}_say")
        card.on("click", lambda: self._box.run_method("fill", request), args=[])

    async def _make(self, event: GenericEventArguments) -> None:
        text = str(event.args).strip()
        try:
            self._made = self._made or await _create(self._page)
            said = await self._say(self._made[1], text) if text else None
        except PlatformError:
            self._box.run_method("made", "")
            raise
        self._box.run_method("made", _address(*self._made), self._made[1], said)  # it forgets the words and goes there

    async def _say(self, session: str, text: str) -> dict[str, Any]:
        """The message as the composer's outbox knows it: the next page shows it before the Store has it."""
        if self._said[0] != text:
            self._said = (text, str(uuid4()))
        say = self._page.services.conversations.say
        seq = await say(session, user=self._page.user_id, text=text, message_id=self._said[1])
        return {"id": self._said[1], "text": text, "steer": False, "seq": seq}


async def make(page: PageFrame) -> None:
    """Create a draft agent with its builder session, and go there."""
    ui.navigate.to(_address(*await _create(page)))


async def _create(page: PageFrame) -> tuple[str, str]:
    """Agent and session: the draft in which nothing was said yet, else a new one."""
    agents, user = page.services.agents, page.user_id
    if found := (await agents.overview(user=user)).blank():
        return found[0].id, found[1].id
    made, session = await agents.create(user=user, locale=page.words.locale)
    return made.id, session.id


def _address(agent: str, session: str) -> str:
    return f"/workspace/{quote(agent)}?session={quote(session)}"
