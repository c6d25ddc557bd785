"""`/agents/{agent}`: one agent with all that it is, section by section, each to be read and changed here."""

import asyncio
from urllib.parse import quote

from nicegui import background_tasks, ui

from ui.agents.draft_panel import DraftPanel
from ui.agents.publish import PublishSheet
from ui.agents.view import AgentView
from ui.layout.html import Tag, icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.agent_history import AgentHistory


class AgentPage:
    """One open page."""

    def __init__(self, page: PageFrame, agent: str) -> None:
        self._page, self._agent = page, agent
        words = page.words
        with tag("div", classes="obj"), tag("div"):
            self._tile = tag("span", classes="tile xl")
            with tag("div", classes="grow"):
                self._name = tag("h1", classes="cut")
                with tag("div", classes="row meta"):
                    self._version = tag("span", testid="published-version")
                    self._differs = tag("a", classes="chip accent", href="#versions", testid="draft-differs")
            with tag("div", classes="row acts"):
                improve = tag("button", classes="btn ghost", type="button", testid="to-workspace")
                improve.on("click", self._improve, args=[])
                with improve:
                    icon("edit")
                    tag("span", words.t("agent.to_chat"))
                self._link("run", f"/agents/{quote(agent)}/run", "to-run", "")
                self._publish = tag("button", words.t("agent.publish_more"), classes="btn primary", type="button")
                self._publish.attributes(testid="publish").on("click", self._toggle, args=[])
        with tag("div", classes="cols"):
            self._index = tag("nav", classes="index", aria_label=words.t("agent.index"))
            with tag("div", classes="grow"):
                self._sheet = PublishSheet(page, agent, done=self.refresh)
                self.panel = DraftPanel(page, agent)
            with tag("aside", classes="rail", aria_label=words.t("schedules.history")):
                self._history = AgentHistory(page, agent)
        self._entries: dict[str, Tag] = {}
        with self._index:
            for section in self.panel.sections:
                with tag("a", href=f"#{section.key}") as entry:
                    tag("span", words.t(f"agent.{section.key}"))
                self._entries[section.key] = tag("i", classes="chg", title=words.t("agent.changed"))
                self._entries[section.key].move(entry)

    def _link(self, name: str, href: str, testid: str, kind: str) -> None:
        with tag("a", classes=f"btn {kind}".strip(), href=href, testid=testid):
            icon("play")
            tag("span", self._page.words.t(f"agent.to_{name}"))

    async def _improve(self) -> None:
        """Go to the builder's session of this agent, which is opened if there is none."""
        user = self._page.user
        session = await self._page.services.agents.improve(self._agent, user=user.id, locale=self._page.words.locale)
        ui.navigate.to(f"/workspace/{quote(self._agent)}?session={quote(session.id)}")

    def _toggle(self) -> None:
        if self.panel.view:
            self._sheet.toggle(self.panel.view)

    async def refresh(self) -> None:
        """Read again. Raises: NotFound: the agent is gone. Unavailable."""
        await self.panel.refresh()
        await self._history.refresh()
        if view := self.panel.view:
            self._show(view)

    def _show(self, view: AgentView) -> None:
        words = self._page.words
        name = view.agent.name or words.t("dashboard.untitled")
        with self._page.client:  # the caller may be a button that is gone meanwhile
            self._page.retitle(name)
        self._name.set_text(name)
        self._tile.clear()
        with self._tile:
            icon(view.agent.icon)
        published = view.published
        if published:
            said = words.t("agent.version_at", number=published.number, when=words.when(published.created_at))
        else:
            said = words.t("agent.published_before" if not view.agent.draft else "agent.never_published")
        self._version.set_text(said)
        self._differs.set_text(words.t("agent.differs", n=len(view.changed)))
        self._differs.set_visibility(bool(view.changed))
        for key, dot in self._entries.items():
            dot.set_visibility(key in view.changed)


def install(services: Services) -> None:
    """Serve the page."""

    @screen("/agents/{agent_id}")
    async def agent_page(agent_id: str) -> None:
        """Raises: NotFound: the agent is not there, or not this user's."""
        user = services.auth.current()
        await services.agents.get(agent_id, user=user.id)
        with frame(services, title="agent.title") as page:
            shown = AgentPage(page, agent_id)
            await shown.refresh()
        task: list[asyncio.Task[None]] = []

        def begin() -> None:
            if not task:
                task.append(
                    background_tasks.create(shown.panel.follow(shown.refresh), name="agent page", context=page.client)
                )

        def end() -> None:
            for one in task:
                one.cancel()

        ui.context.client.on_connect(begin)
        ui.context.client.on_delete(end)
