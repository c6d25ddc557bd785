"""The list of users for administrators: grant or remove the administrator role, disable or enable an account."""

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui.events import GenericEventArguments

from core.domain.errors import Conflict
from core.domain.records import Role, User
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame

SHOWN = 100  # users at once; others are found by the search field
TYPED = "(event) => emit(event.currentTarget.value)"


class Users:
    """The section of /admin; `refresh` reads the users again."""

    def __init__(self, page: PageFrame) -> None:
        self._page = page
        self._wanted = ""
        words = page.words
        with tag("section", classes="part", aria_labelledby="users"):
            tag("h2", words.t("admin.users"), id="users")
            search = tag("input", classes="input", type="search", autocomplete="off", testid="user-search")
            search.attributes(aria_label=words.t("admin.search"), placeholder=words.t("admin.search"), maxlength=100)
            search.on("change", self._search, js_handler=TYPED)
            self._rows = tag("ul", classes="rows")
            self._count = tag("p", classes="meta")

    async def refresh(self) -> None:
        """Read again."""
        users = await self._page.services.people.all(by=self._page.user_id)
        found = [user for user in users if self._wanted in f"{user.name} {user.email} {user.id}".casefold()]
        self._rows.clear()
        with self._rows:
            for user in found[:SHOWN]:
                self._row(user)
        self._count.set_text(self._page.words.t("admin.user_count", n=len(found)))

    async def _search(self, event: GenericEventArguments) -> None:
        self._wanted = str(event.args).strip().casefold()
        await self.refresh()

    def _row(self, user: User) -> None:
        words = self._page.words
        name = user.name or user.email or (words.t("common.owner") if user.id == self._page.user.id else user.id)
        with tag("li", classes="line", testid="user", data_user=user.id):
            with tag("div", classes="grow"):
                with tag("div", classes="row"):
                    tag("span", name, classes="b cut")
                    if user.role is Role.ADMIN:
                        tag("span", words.t("admin.role_admin"), classes="chip accent", testid="is-admin")
                    if user.deleting:
                        tag("span", words.t("admin.is_leaving"), classes="chip warn")
                    elif user.disabled:
                        tag("span", words.t("admin.is_disabled"), classes="chip warn", testid="is-disabled")
                seen = words.t("settings.seen", when=words.when(user.seen_at))
                tag("div", f"{user.email or user.id} · {seen}", classes="meta cut", title=words.full(user.seen_at))
            if user.id != self._page.user.id and not user.deleting:
                self._acts(user, name)

    def _acts(self, user: User, name: str) -> None:
        words = self._page.words
        if user.disabled:
            self._ask("enable", name, partial(self._disable, user, False))
        else:
            if not self._page.services.people.role_is_pinned(user):
                up = user.role is not Role.ADMIN
                role = Role.ADMIN if up else Role.USER
                self._ask("raise" if up else "lower", name, partial(self._role, user, role))
            else:
                tag("span", words.t("admin.by_settings"), classes="meta hide-phone")
            self._ask("disable", name, partial(self._disable, user, True), danger=True)

    def _ask(self, act: str, name: str, do: Callable[[], Awaitable[None]], *, danger: bool = False) -> None:
        """A button that first says what will happen."""
        words = self._page.words
        with tag("details", classes="menu"):
            label = words.t(f"admin.{act}_one", name=name)
            tag("summary", words.t(f"admin.{act}"), classes="btn sm", aria_label=label, testid=act)
            with tag("div", classes="pop ask"):
                tag("p", words.t(f"admin.{act}_will", name=name), classes="meta")
                sure = tag("button", words.t(f"admin.{act}_do"), classes="btn danger" if danger else "btn primary")
                sure.attributes(type="button", testid=f"{act}-sure").on("click", do, args=[])

    async def _role(self, user: User, role: Role) -> None:
        await self._try(self._page.services.people.set_role(user.user_id, role, by=self._page.user_id))

    async def _disable(self, user: User, disabled: bool) -> None:
        await self._try(self._page.services.people.disable(user.user_id, disabled, by=self._page.user_id))

    async def _try(self, act: Awaitable[None]) -> None:
        try:
            await act
        except Conflict as error:
            self._page.fail(error)
        await self.refresh()
