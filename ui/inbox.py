"""`/inbox`: all open requests of the user, newest first, each with a card to answer it."""

from functools import partial
from typing import Any
from urllib.parse import quote

from core.domain.errors import Conflict, NotFound
from core.domain.events import Asked
from core.domain.records import Agent, Request
from core.domain.states import SessionState
from ui.layout.html import Tag, icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.alerts import Alerts
from ui.transcript.reducer import Meta
from ui.transcript.request_view import card
from ui.workspace.answers import answer_request, test_outcome
from ui.workspace.request_card import RequestCard

GLYPHS = {"permission": "shield", "question": "question", "plan": "plan"}
SHOWN = 50  # more than anybody answers at one sitting; the rest follows as these go


class RequestRow:
    """A request: the agent's name, a link to the session, and the card to answer it."""

    def __init__(
        self, page: PageFrame, request: Request, agent: Agent | None, asked: Asked | None, answer: Any
    ) -> None:
        self._page, self._asked, self._seen = page, asked, request
        self._card: RequestCard | None = None
        words, href = page.words, f"/workspace/{quote(request.agent)}?session={quote(request.session)}"
        name = (agent and agent.name) or words.t("dashboard.untitled")
        with tag("article", classes="request", testid="request", data_kind=request.kind, aria_label=name) as self.place:
            with tag("header", classes="row"):
                icon(GLYPHS.get(request.kind, "question"))
                self._name = tag("h2", name, classes="b cut grow")
                tag("a", words.t("inbox.open"), classes="btn ghost sm", href=href, testid="to-session")
            if asked is None:
                self._bare(request)
            else:
                self._card = RequestCard(
                    words=words,
                    meta=self._meta(request),
                    answer=answer,
                    fail=page.fail,
                    among=True,
                    outcome=partial(test_outcome, page.services, request.agent, words, user=page.user_id),
                )

    def show(self, request: Request, agent: Agent | None) -> None:
        """Update the row: the request may be parked by now, and the agent renamed."""
        self._name.set_text((agent and agent.name) or self._page.words.t("dashboard.untitled"))
        if self._card and request != self._seen:
            self._card.run_method("meta", self._meta(request))
        self._seen = request

    def _meta(self, request: Request) -> Meta:
        asked, words = self._asked, self._page.words
        folder = f"~/agents/{request.agent}"
        cards = (card(asked, parked=request.parked, words=words, folder=folder),) if asked else ()
        return Meta(state=SessionState.ASKING, shown=SessionState.ASKING, word=words.t("state.asking"), asks=cards)

    def _bare(self, request: Request) -> None:
        """Show the record of a request whose event cannot be read; it is answered in its session."""
        words = self._page.words
        with tag("div", classes="card bare"):
            tag("span", words.code("inbox", request.kind, "question"), classes="meta")
            tag("span", request.summary, classes="mono cut what")


class Inbox:
    """An open inbox page."""

    def __init__(self, page: PageFrame) -> None:
        self._page, self._services = page, page.services
        self._rows: dict[str, RequestRow] = {}
        self._clear_place: Tag | None = None
        with tag("div", classes="page narrow"):
            tag("h1", page.words.t("inbox.title"))
            self._alerts = Alerts(page)
            self._body = tag("div", classes="requests")

    async def show(self) -> None:
        """Show what waits. A row stays as it is while its request does: focus, scroll and half-written words too."""
        overview = self._page.overview
        shown = overview.requests[:SHOWN]
        asked = {one.id: await self._asked(one) for one in shown if one.id not in self._rows}
        for id in self._rows.keys() - {one.id for one in shown}:
            self._rows.pop(id).place.delete()
        for at, request in enumerate(shown):
            if row := self._rows.get(request.id):
                row.show(request, overview.agent(request.agent))
                continue
            answer = partial(self._answer, request)
            with self._body:
                row = RequestRow(self._page, request, overview.agent(request.agent), asked[request.id], answer)
            self._rows[request.id] = row
            row.place.move(self._body, at)
        await self._alerts.refresh()
        self._all_clear(shown)

    async def _asked(self, request: Request) -> Asked | None:
        try:
            return await self._services.conversations.asked(request, user=self._page.user_id)
        except NotFound:
            return None

    async def _answer(self, request: Request, request_id: str, **said: Any) -> None:
        """Answer the request; if it was answered elsewhere, say so and remove the row. Raises: PlatformError."""
        try:
            await answer_request(self._services, request.session, request_id, user=self._page.user_id, **said)
        except (Conflict, NotFound) as error:
            self._page.fail(error)
            await self._page.refresh()
        else:
            self._page.toasts.show(self._page.words.t("inbox.answered"), "ok")

    def _all_clear(self, shown: list[Request]) -> None:
        busy = bool(shown) or not self._alerts.is_empty
        if busy or self._clear_place:
            if busy and self._clear_place:
                self._clear_place.delete()
                self._clear_place = None
            return
        words = self._page.words
        with self._body, tag("div", classes="clear", testid="all-clear") as self._clear_place:
            with tag("span", classes="tile round"):
                icon("check", "lg")
            tag("h2", words.t("inbox.clear"))
            tag("p", words.t("inbox.clear_text"), classes="meta")
            tag("a", words.t("inbox.to_agents"), classes="btn", href="/dashboard")


def install(services: Services) -> None:
    """Serve the page."""

    @screen("/inbox")
    async def inbox() -> None:
        with frame(services, title="inbox.title") as page:
            box = Inbox(page)
            await page.read(partial(services.agents.overview, user=page.user_id))
            await box.show()
            page.on_change(box.show)
