"""The network access of an agent: the public internet, or only the hosts of a list."""

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
    """The section of the page; watchers are called after each change."""

    def __init__(self, page: PageFrame, agent: Agent) -> None:
        self._page, self._agent = page, agent
        self._filling = False  # "only listed" was chosen, and nothing is listed yet: it is not in force
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
        """Call `watcher` with the changed agent after each change."""
        self._watchers.append(watcher)

    async def refresh(self) -> None:
        """Read again: another tab may have changed it."""
        try:
            agent = await self._page.services.agents.get(self._agent.id, user=self._page.user_id)
        except NotFound:  # deleted in another tab
            self._page.client.open("/dashboard?gone")
        except StoreUnavailable:
            return  # the log below says so
        else:
            self._take(agent)

    async def add(self, host: str) -> None:
        """Allow one more. Raises: BadInput: it is none, or one too many."""
        agent = await self._page.services.agents.get(self._agent.id, user=self._page.user_id)
        listed = tuple(one for one in agent.egress if one != ANYWHERE) if self._filling else agent.egress
        allow_list((*listed, host))  # refuses what cannot be allowed, before the list comes into force
        self._filling = False
        await self._change((*listed, host))
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
        """Switch the access. The list is kept while everything is allowed: `*` is stored beside it."""
        rest = tuple(host for host in self._agent.egress if host != ANYWHERE)
        if way == "listed" and not rest and ANYWHERE in self._agent.egress:
            self._filling = True  # an empty list would block the network: it waits for a first host or a confirmation
            self._show()
            return
        self._filling = False
        await self._change((ANYWHERE, *rest) if way == "public" else rest)
        self._show()

    async def _block(self) -> None:
        """Block all connections; the user has confirmed it."""
        self._filling = False
        await self._change(())

    async def _remove(self, host: str) -> None:
        await self._change(tuple(other for other in self._agent.egress if other != host))

    async def _change(self, hosts: tuple[str, ...]) -> None:
        self._take(await self._page.services.agents.change(self._agent.id, user=self._page.user_id, egress=hosts))

    def _take(self, agent: Agent) -> None:
        changed, self._agent = agent.egress != self._agent.egress, agent
        if changed:
            self._show()
            for watcher in self._watchers:
                watcher(agent)

    def _show(self) -> None:
        words, hosts = self._page.words, self._agent.egress
        public = ANYWHERE in hosts and not self._filling
        for way, button in self._ways.items():
            button.attributes(aria_pressed=str((way == "public") == public).lower())
        note = "filling_text" if self._filling else "public_text" if public else "listed_text"
        self._note.set_text(words.t(f"connections.{note}"))
        self._list.set_visibility(not public)
        self._error.set_text("")
        self._rows.clear()
        with self._rows:
            for host in () if self._filling else hosts:
                self._row(host)
            if self._filling:
                with tag("li", classes="line"):
                    tag("span", words.t("connections.block_text"), classes="grow meta")
                    block = tag("button", words.t("connections.block"), classes="btn sm", type="button")
                    block.attributes(testid="block-all").on("click", self._block, args=[])
            elif not hosts:
                with tag("li", classes="line"):
                    tag("span", words.t("connections.empty_list"), classes="meta", testid="empty-list")

    def _row(self, host: str) -> None:
        words = self._page.words
        with tag("li", classes="line", testid="allowed-host"):
            tag("span", host, classes="grow mono wrap")
            button = tag("button", words.t("connections.remove"), classes="btn sm", type="button", testid="remove-host")
            button.attributes(aria_label=words.t("connections.remove_one", host=host))
            button.on("click", partial(self._remove, host), args=[])
