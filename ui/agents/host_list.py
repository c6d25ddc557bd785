"""Where an agent may connect to: the public internet, or the hosts of a list that its owner writes."""

from collections.abc import Callable
from functools import partial

from nicegui.events import GenericEventArguments

from core.domain.errors import BadInput, NotFound, StoreUnavailable
from core.domain.host_patterns import ANYWHERE, allow_list, host_of
from core.domain.records import Agent
from ui.layout.html import Tag, tag
from ui.layout.page_frame import PageFrame

TYPED = "(event) => { event.preventDefault(); emit(event.currentTarget.elements[0].value); }"
EMPTY = "document.getElementById('new-host').value = ''"


class HostList:
    """The section of the page. Whoever watches is told of each change."""

    def __init__(self, page: PageFrame, agent: Agent) -> None:
        self._page, self._agent = page, agent
        self._watchers: list[Callable[[Agent], None]] = []
        words = page.words
        with tag("section", classes="part", aria_labelledby="allowed"):
            tag("h2", words.t("connections.allowed"), id="allowed")
            with tag("div", classes="seg wide", role="group", aria_labelledby="allowed"):
                self._ways = {way: self._way(way) for way in ("public", "listed")}
            self._note = tag("p", classes="meta", testid="reach-note")
            self._list = tag("div")
            with self._list:
                self._rows = tag("ul", classes="rows")
                self._form()
        self._show()

    def watch(self, watcher: Callable[[Agent], None]) -> None:
        """Call it with the agent as it is from now on."""
        self._watchers.append(watcher)

    async def refresh(self) -> None:
        """Read again: another tab may have changed it."""
        try:
            agent = await self._page.desk.agents.get(self._agent.id, user=self._page.user_id)
        except NotFound:  # deleted in another tab
            self._page.client.open("/dashboard?gone")
        except StoreUnavailable:
            return  # the log below says so
        else:
            self._take(agent)

    async def add(self, host: str) -> None:
        """Allow one more. Raises: BadInput: it is none, or one too many."""
        agent = await self._page.desk.agents.get(self._agent.id, user=self._page.user_id)
        await self._change((*agent.egress, host))
        self._page.toasts.show(self._page.words.t("connections.added", host=allow_list([host])[0]))

    def _way(self, way: str) -> Tag:
        button = tag("button", self._page.words.t(f"connections.way_{way}"), type="button", testid=f"reach-{way}")
        button.on("click", partial(self._choose, way), args=[])
        return button

    def _form(self) -> None:
        words = self._page.words
        with tag("form", classes="row", testid="add-host") as form:
            field = tag("input", classes="input grow", id="new-host", autocomplete="off", spellcheck="false")
            field.attributes(aria_label=words.t("connections.new_host"), placeholder="api.example.com, *.example.com")
            field.attributes(maxlength=300, autocapitalize="off", inputmode="url", testid="new-host")
            field.attributes(aria_describedby="host-error host-hint")
            tag("button", words.t("connections.add"), classes="btn", type="submit", testid="add")
        form.on("submit", self._typed, js_handler=TYPED)
        self._error = tag("p", classes="bad", id="host-error", role="alert", testid="host-error")
        tag("p", words.t("connections.hint"), classes="meta", id="host-hint")

    async def _typed(self, event: GenericEventArguments) -> None:
        host = str(event.args).strip()
        if not host:
            return
        try:
            await self.add(host_of(host))
        except BadInput as error:
            self._error.set_text(self._page.words.code("error", error.code, "bad_host"))
            return
        self._error.set_text("")
        self._page.client.run_javascript(EMPTY)

    async def _choose(self, way: str) -> None:
        """The list is kept while everything is allowed: `*` stands beside it."""
        rest = tuple(host for host in self._agent.egress if host != ANYWHERE)
        await self._change((ANYWHERE, *rest) if way == "public" else rest)

    async def _remove(self, host: str) -> None:
        await self._change(tuple(other for other in self._agent.egress if other != host))

    async def _change(self, hosts: tuple[str, ...]) -> None:
        self._take(await self._page.desk.agents.change(self._agent.id, user=self._page.user_id, egress=hosts))

    def _take(self, agent: Agent) -> None:
        changed, self._agent = agent.egress != self._agent.egress, agent
        if changed:
            self._show()
            for watcher in self._watchers:
                watcher(agent)

    def _show(self) -> None:
        words, hosts = self._page.words, self._agent.egress
        public = ANYWHERE in hosts
        for way, button in self._ways.items():
            button.attributes(aria_pressed=str((way == "public") == public).lower())
        self._note.set_text(words.t("connections.public_text" if public else "connections.listed_text"))
        self._list.set_visibility(not public)
        self._error.set_text("")
        self._rows.clear()
        with self._rows:
            for host in hosts:
                self._row(host)
            if not hosts:
                with tag("li", classes="line"):
                    tag("span", words.t("connections.empty_list"), classes="meta", testid="empty-list")

    def _row(self, host: str) -> None:
        words = self._page.words
        with tag("li", classes="line", testid="allowed-host"):
            tag("span", host, classes="grow mono wrap")
            button = tag("button", words.t("connections.remove"), classes="btn sm", type="button", testid="remove-host")
            button.attributes(aria_label=words.t("connections.remove_one", host=host))
            button.on("click", partial(self._remove, host), args=[])
