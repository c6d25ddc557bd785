"""`/inbox`: everything that waits for the user, each leading to the place where it is answered."""

from urllib.parse import quote

from core.model import Agent, Request
from ui.desk import Desk
from ui.frame import Frame, frame, screen
from ui.tags import icon, tag

GLYPHS = {"permission": "shield", "question": "question", "plan": "plan"}
TOOLS = frozenset({"bash", "write", "edit", "read", "webfetch", "websearch"})  # that have words of their own
SHOWN = 100  # more than anybody answers at one sitting; the rest follows as these go


class Inbox:
    """One open inbox page."""

    def __init__(self, page: Frame) -> None:
        self._page = page
        self._known: tuple[object, ...] = ()
        with tag("div", classes="page narrow"):
            tag("h1", page.words.t("inbox.title"))
            self._body = tag("div", classes="requests")

    async def look(self) -> None:
        """Read again; what reads the same is left alone, so that focus and scroll stay."""
        requests = await self._page.desk.agents.inbox(user=self._page.user_id)
        cards = await self._page.desk.agents.cards(user=self._page.user_id)
        agents = {card.agent.id: card.agent for card in cards}
        known = (tuple(requests[:SHOWN]), tuple(agents.values()))
        if known == self._known:
            return
        self._known = known
        self._body.clear()
        with self._body:
            for request in requests[:SHOWN]:
                self._row(request, agents.get(request.agent))
            if not requests:
                self._clear()

    def _row(self, request: Request, agent: Agent | None) -> None:
        words = self._page.words
        by_tool = f"inbox.tool_{tool}" if (tool := request.tool.lower()) in TOOLS else ""
        href = f"/workspace/{quote(request.agent)}?session={quote(request.session)}"
        with tag("a", classes="card request", href=href, testid="request", data_kind=request.kind):
            with tag("span", classes="tile"):
                icon(GLYPHS.get(request.kind, "question"), "lg")
            with tag("span", classes="grow"):
                with tag("span", classes="row"):
                    tag("span", (agent and agent.name) or words.t("dashboard.untitled"), classes="b cut")
                    tag(
                        "span",
                        words.t(by_tool) if by_tool else words.code("inbox", request.kind, "question"),
                        classes="meta cut",
                    )
                tag("span", request.summary, classes="mono cut what")
            since = words.t("dashboard.waiting", since=words.since(request.asked_at))
            tag("span", since, classes="meta nowrap", title=words.full(request.asked_at))
            icon("right")

    def _clear(self) -> None:
        words = self._page.words
        with tag("div", classes="clear", testid="all-clear"):
            with tag("span", classes="tile round"):
                icon("check", "lg")
            tag("h2", words.t("inbox.clear"))
            tag("p", words.t("inbox.clear_text"), classes="meta")
            tag("a", words.t("inbox.to_agents"), classes="btn", href="/dashboard")


def install(desk: Desk) -> None:
    """Serve the page."""

    @screen("/inbox")
    async def inbox() -> None:
        with frame(desk, title="inbox.title") as page:
            box = Inbox(page)
            await box.look()
            page.on_change(box.look)
