"""The frame of every page: head, header, banners, toasts, inbox count, errors."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from core.domain.errors import PlatformError
from core.domain.records import User, UserId
from core.services.overview import Overview
from ui import theme
from ui.layout import header as page_header
from ui.layout.banners import Banners
from ui.layout.command_palette import Palette
from ui.layout.html import Tag, tag
from ui.layout.i18n import THEME_COOKIE, Translations, choose
from ui.layout.live_overview import LiveOverview, Read
from ui.layout.services import Services
from ui.layout.toasts import Toasts

NAME = "Oh My Agent"
BUILD_S = 20.0  # the longest build of a page; NiceGUI's default of 3 s is too short on a busy machine
RELOAD = frozenset({"internal", "not_shown", "view_ended"})  # errors that a reload of the page may mend
RECONNECT_S = 60.0  # a tab that reconnects within this keeps its page and what was typed


def screen(path: str) -> ui.page:
    """Decorator like `@ui.page` with the settings that all our pages share. The language comes with the request."""
    return ui.page(
        path,
        title=NAME,
        viewport="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content",
        favicon=theme.FAVICON,
        language=None,
        dark=None,
        response_timeout=BUILD_S,
        reconnect_timeout=RECONNECT_S,
    )


def words_here(user: User) -> Translations:
    """The translations for the request of the page that is being built."""
    request = ui.context.client.request
    accept = request.headers.get("accept-language", "")
    return choose(profile=user.locale, cookies=request.cookies, accept=accept)


class PageFrame:
    """The frame of an open page for the elements inside it: translations, user, overview, errors."""

    def __init__(self, services: Services, *, user: User, words: Translations) -> None:
        self.services, self.words, self.client = services, words, ui.context.client
        self.user, self.user_id = user, UserId(user.id)
        self._title, self._asking = "", 0
        self._links: list[Callable[[int], None]] = []
        self._watchers: list[Callable[[], Awaitable[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._live = LiveOverview(services, user=self.user_id, show=self._show, fail=self.fail)
        self.client.on_delete(self._live.close)
        with self.client.layout:
            self.toasts = Toasts(close=words.t("common.close"))
            search, agents = services.search, services.agents
            Palette(words=words, user=user, agents=agents, search=search, prefer=self.prefer, fail=self.fail)

    def retitle(self, title: str) -> None:
        """Set the title: `(2) title · Oh My Agent`, with the number of open requests."""
        self._title = title
        waiting = f"({self._asking}) " if self._asking else ""
        ui.page_title(f"{waiting}{title} · {NAME}")

    def inbox_link(self, classes: str = "btn ghost") -> Tag:
        """The link to the inbox, with an up-to-date count."""
        link, show = page_header.inbox_link(self.words, classes)
        self._links.append(show)
        show(self._asking)
        return link

    def user_menu(self, classes: str = "") -> Tag:
        """The menu with language, theme and sign-out."""
        return page_header.user_menu(self.words, self.user, theme=self.theme(), prefer=self.prefer, classes=classes)

    def on_change(self, watcher: Callable[[], Awaitable[None]]) -> None:
        """Call `watcher` after the overview has changed; changes that come together are one call."""
        self._watchers.append(watcher)

    def fail(self, error: Exception) -> None:
        """Show a toast that says what happened and what to do next; the details are in the log."""
        code = error.code if isinstance(error, PlatformError) else "internal"
        sentence = self.words.code("error", code, "internal")
        if code in RELOAD:
            self.toasts.show(sentence, "bad", action=self.words.t("common.reload"), undo=self._reload)
        else:
            self.toasts.show(sentence, "bad")

    async def _reload(self) -> None:
        self.client.run_javascript("location.reload()")

    def asking(self, count: int) -> None:
        """Show how many requests are open."""
        if count != self._asking:
            self._asking = count
            self.retitle(self._title)
            for show in self._links:
                show(count)

    @property
    def overview(self) -> Overview:
        """The overview of the page, up to date."""
        return self._live.value

    async def read(self, read: Read) -> None:
        """Read the page's overview by `read`, now and whenever it must be read again. Raises: what `read` raises."""
        await self._live.load(read)
        self.asking(self.overview.asking)

    async def refresh(self) -> None:
        """Read again and show it: the user has just changed something here. Raises: PlatformError."""
        await self._live.load()
        await self._show()

    def follow(self) -> None:
        """Show what is new from the moment the page is open in a browser."""
        if self._task is None:
            self._task = background_tasks.create(self._live.follow(), name="page changes", context=self.client)
            self.client.on_delete(self._task.cancel)

    async def _show(self) -> None:
        self.asking(self.overview.asking)
        for watcher in self._watchers:
            await watcher()

    def theme(self) -> str:
        """The theme of the user's profile, else of this browser's cookie."""
        chosen = self.user.theme or self.client.request.cookies.get(THEME_COOKIE, "")
        return chosen if chosen in page_header.THEMES else "system"

    async def prefer(self, **fields: str) -> None:
        """Remember a language or theme."""
        await self.services.auth.prefer(self.user, **fields)

    def head(self) -> None:
        """Add style sheet, boot script and its values to the page's head."""
        # nosemgrep: raw-html  # theme escapes what it puts in
        ui.add_head_html(theme.head(head_values(self.words, self.theme())))


def head_values(words: Translations, theme_choice: str) -> dict[str, str]:
    """The values that boot.js needs before the first paint."""
    return {
        "locale": words.locale,
        "theme": theme_choice,
        "lost": words.t("common.connection_lost"),
        "trying": words.t("common.reconnecting"),
    }


def tell_visibility(page: PageFrame) -> None:
    """Let the platform know whether somebody looks at this page: what they can see they are not notified of."""
    presence, user, id = page.services.presence, page.user_id, page.client.id

    async def seen(event: GenericEventArguments) -> None:
        await (presence.saw(user, id) if event.args is True else presence.left(user, id))

    async def gone() -> None:
        await presence.left(user, id)

    with page.client.layout:  # boot.js speaks to it
        tag("span", hidden=True, data_presence="1").on("look", seen, js_handler="event => emit(event.detail)")
    page.client.on_disconnect(gone)


@contextmanager
def frame(services: Services, *, title: str, bare: bool = False, fill: bool = False) -> Iterator[PageFrame]:
    """The page of a signed-in user; `title` is a key. `bare`: it has its own header. `fill`: exactly one screen high.

    Raises: NotSignedIn.
    """
    user = services.auth.current()
    words = words_here(user)
    page = PageFrame(services, user=user, words=words)
    page.head()
    page.retitle(words.t(title))
    ui.on_exception(page.fail)
    with page_header.top(page.client, words, fill=fill):
        Banners(services, words, page.client)
        if not bare:
            page_header.header(words, inbox=page.inbox_link, user=page.user_menu)
    page.client.on_connect(page.follow)
    tell_visibility(page)
    yield page
