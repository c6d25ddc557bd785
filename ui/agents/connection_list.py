"""The connections of one agent as its owner reads them: newest first, with what was refused and why."""

from collections.abc import Awaitable, Callable
from functools import partial

from core.domain.errors import BadInput, NotFound, StoreUnavailable
from core.domain.host_patterns import in_list
from core.domain.records import Agent, Connection
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame

SHOWN = 100
ICONS = {"connected": ("check", "ok"), "refused": ("x", "bad"), "failed": ("alert", "warn")}
NOT_LISTED = "egress_list"


class ConnectionList:
    """The section of the page; `refresh` reads again and redraws only what has changed."""

    def __init__(self, page: PageFrame, agent: str, *, allow: Callable[[str], Awaitable[None]]) -> None:
        self._page, self._agent, self._allow = page, agent, allow
        self._egress: tuple[str, ...] = ()
        self._found: list[Connection] | None = []
        self._known: object = None
        words = page.words
        with tag("section", classes="part", aria_labelledby="log"):
            tag("h2", words.t("connections.log"), id="log")
            tag("p", words.t("connections.log_text"), classes="meta")
            self._body = tag("div")

    def show(self, agent: Agent) -> None:
        """Take over the agent's new allow list: hosts that are on it lose their "allow" button."""
        self._egress = agent.egress
        self._draw()

    async def refresh(self) -> None:
        """Read again."""
        try:
            self._found = await self._page.services.outbound.of_agent(self._agent, user=self._page.user_id, limit=SHOWN)
        except StoreUnavailable:
            self._found = None
        except NotFound:
            return  # the agent was deleted; the page is about to be left
        self._draw()

    def _draw(self) -> None:
        known = (self._found, self._egress, self._minute())
        if known == self._known:
            return
        self._known = known
        words = self._page.words
        self._body.clear()
        with self._body:
            if self._found is None:
                with tag("div", classes="row", role="alert", testid="log-failed"):
                    tag("span", words.t("connections.log_failed"), classes="grow")
                    again = tag("button", words.t("connections.again"), classes="btn sm", type="button")
                    again.on("click", self.refresh, args=[])
            elif not self._found:
                tag("p", words.t("connections.log_empty"), classes="meta nothing", testid="log-empty")
            else:
                with tag("ul", classes="rows"):
                    for row in self._found:
                        self._row(row)

    def _minute(self) -> str:
        """ "2 minutes ago" grows older by itself, but not more often than it reads differently."""
        newest = self._found[0].updated_at if self._found else None
        return self._page.words.when(newest) if newest else ""

    def _row(self, row: Connection) -> None:
        words = self._page.words
        with tag("li", classes="line", testid="connection", data_decision=row.decision, data_host=row.host):
            icon(*ICONS.get(row.decision, ("info", "")))
            with tag("div", classes="grow"):
                tag("div", f"{row.host}:{row.port}", classes="mono cut", title=f"{row.host}:{row.port}")
                tag("div", self._told(row), classes="meta", title=row.reason)
            tag("span", words.when(row.updated_at), classes="meta nowrap", title=words.full(row.updated_at))
            if row.why == NOT_LISTED and not in_list(row.host, self._egress):
                button = tag("button", words.t("connections.allow"), classes="btn sm", type="button")
                button.attributes(testid="allow-host", aria_label=words.t("connections.allow_one", host=row.host))
                button.on("click", partial(self._allowed, row.host), args=[])

    def _told(self, row: Connection) -> str:
        words = self._page.words
        parts = [words.code("connections.is", row.decision, "failed")]
        if row.why:
            parts.append(words.code("why", row.why, "other"))
        if row.decision == "connected":
            sent, received = words.size(row.sent_bytes), words.size(row.received_bytes)
            parts.append(words.t("connections.bytes", sent=sent, received=received))
        if row.times > 1:
            parts.append(words.t("connections.times", n=row.times))
        return " · ".join(parts)

    async def _allowed(self, host: str) -> None:
        try:
            await self._allow(host)
        except BadInput as error:
            self._page.fail(error)
