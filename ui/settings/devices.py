"""The logins of a user with device, address and last activity; each can be ended, or all of them."""

from functools import partial

from nicegui import ui

from core.domain.errors import NotFound
from core.domain.records import Login
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame
from ui.settings.user_agent import described


class Devices:
    """The section of /settings; `refresh` reads the logins again."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        self._here = page.services.auth.login_of(page.client.request)
        with tag("section", classes="part", aria_labelledby="devices"):
            tag("h2", page.words.t("settings.devices"), id="devices")
            tag("p", page.words.t("settings.devices_text"), classes="meta")
            self._rows = tag("ul", classes="rows")
            out = tag("button", page.words.t("settings.out_everywhere"), classes="btn", type="button", testid="out-all")
            out.on("click", self._everywhere, args=[])

    async def refresh(self) -> None:
        """Read again."""
        logins = await self._page.services.auth.devices(self._page.user_id)
        self._rows.clear()
        with self._rows:
            for login in sorted(logins, key=lambda login: login.id != self._here):
                self._row(login)

    def _row(self, login: Login) -> None:
        words = self._page.words
        name = described(login.device) or words.t("settings.device_unknown")
        with tag("li", classes="line", testid="device"):
            icon("screen", "lg")
            with tag("div", classes="grow"):
                with tag("div", classes="row"):
                    tag("span", name, classes="b cut", title=login.device)
                    if login.id == self._here:
                        tag("span", words.t("settings.this_device"), classes="chip ok", testid="this-device")
                seen = words.t("settings.seen", when=words.when(login.seen_at))
                tag("div", f"{login.address} · {seen}", classes="meta cut", title=words.full(login.seen_at))
            if login.id != self._here:
                label = words.t("settings.out_one", device=name)
                out = tag("button", words.t("settings.out"), classes="btn sm", type="button", aria_label=label)
                out.attributes(testid="out-one").on("click", partial(self._end, login.id), args=[])

    async def _end(self, login: str) -> None:
        try:
            await self._page.services.auth.sign_out(login, user=self._page.user_id)
        except NotFound:
            pass  # it ended by itself meanwhile
        await self.refresh()
        self._page.toasts.show(self._page.words.t("settings.out_done"))

    async def _everywhere(self) -> None:
        await self._page.services.auth.sign_out_everywhere(self._page.user_id)
        ui.navigate.to("/login")
