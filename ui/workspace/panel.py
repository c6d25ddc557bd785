"""The side panel of the workspace: one tab at a time, on a phone a sheet. This browser remembers which tab was open.

A tab is one module. It describes itself by a `TabKind`, stands in the list of ui/workspace/panel_tabs.py, and is built
the first time that somebody looks at it.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from nicegui import ui
from nicegui.events import GenericEventArguments

from core.domain.events import AnyEvent
from core.domain.records import Agent, Session
from ui.layout.html import Tag, icon, tag
from ui.layout.page_frame import PageFrame
from ui.transcript.shared_view import SharedView

COOKIE: Final = "oma_panel"
KEPT_S: Final = 365 * 24 * 3600
NARROW_PX: Final = 1000  # up to this width the panel lies over the transcript, as in ui/theme/workspace_panel.css


class PanelTab(Protocol):
    """A tab of an open page's side panel."""

    async def build(self) -> None:
        """Fill the tab. Called once, with the tab's own element as the place for what is made."""

    async def show(self, target: str) -> None:
        """The tab is in front now; `target` is what was asked for in it, empty: nothing in particular."""

    def heard(self, events: Sequence[AnyEvent]) -> None:
        """These events of the session have just come. Must not wait; what takes time goes into a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelContext:
    """The things that a tab may use. `open_tab(name, target)` brings another tab, or this one, to the front."""

    page: PageFrame
    agent: Agent
    session: Session
    open_tab: Callable[[str, str], Awaitable[None]]
    badge: Callable[[str, str], None]  # (tab, text): a short text beside the tab's name, such as a number
    widen: Callable[[bool], None]  # give the panel most of the window, or take it back


def always(_: PanelContext) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class TabKind:
    """A kind of tab. `name` is its `data-tab`, `label` a key of the catalogues."""

    name: str
    label: str
    make: Callable[[PanelContext], PanelTab]
    offered: Callable[[PanelContext], bool] = always


class Panel:
    """The panel of one open page. Build it as the last column of `.workspace`, then call `restore`."""

    def __init__(
        self,
        page: PageFrame,
        kinds: Sequence[TabKind],
        *,
        workspace: Tag,
        view: SharedView,
        agent: Agent,
        session: Session,
        opened: Callable[[bool], None],
    ) -> None:
        """`opened` is told whether the panel is open, at every change."""
        self._page, self._words, self._workspace, self._opened = page, page.words, workspace, opened
        self._context = PanelContext(
            page=page, agent=agent, session=session, open_tab=self.open, badge=self._badge, widen=self._widen
        )
        self._kinds = {kind.name: kind for kind in kinds if kind.offered(self._context)}
        self._tabs: dict[str, PanelTab] = {}
        self._buttons: dict[str, Tag] = {}
        self._badges: dict[str, Tag] = {}
        self._bodies: dict[str, Tag] = {}
        self._current, self._last = "", next(iter(self._kinds), "")
        self._kept = False  # it is open only because it was so the last time: a phone does not show that
        page.client.on_delete(view.listen(self._heard))
        self._build()

    def _build(self) -> None:
        self._element = tag(
            "aside", classes="panel", testid="panel", hidden=True, aria_label=self._words.t("panel.name")
        )
        with self._element:
            with tag("div", classes="head"):
                with tag("div", classes="tabs", role="tablist", aria_label=self._words.t("panel.name")):
                    for name, kind in self._kinds.items():
                        self._tab_button(name, kind)
                tag("span", classes="grow")
                close = self._words.t("panel.close")
                with tag("button", type="button", classes="btn ghost icon", aria_label=close, title=close) as button:
                    icon("x", "lg")
                button.attributes(testid="panel-close").on("click", self.close, args=[])
            for name in self._kinds:
                self._bodies[name] = tag("div", classes="tabpanel", role="tabpanel", id=f"panel-{name}", hidden=True)
                self._bodies[name].attributes(data_tab=name, aria_labelledby=f"tab-{name}")

    def _tab_button(self, name: str, kind: TabKind) -> None:
        with tag("button", type="button", classes="tab", role="tab", id=f"tab-{name}") as button:
            tag("span", self._words.t(kind.label))
            self._badges[name] = tag("span", classes="tiny")
        button.attributes(data_tab=name, aria_controls=f"panel-{name}", aria_selected="false", tabindex="-1")
        button.on("click", lambda: self.open(name), args=[])
        button.on("keydown.right.prevent", lambda: self._step(name, 1), args=[])
        button.on("keydown.left.prevent", lambda: self._step(name, -1), args=[])
        self._buttons[name] = button

    async def restore(self) -> None:
        """Open the tab that was open in this browser the last time."""
        name = self._page.client.request.cookies.get(COOKIE, "")
        if name in self._kinds:
            self._kept = True
            self._workspace.classes("panel-kept")
            await self._show(name, "")

    async def toggle(self, event: GenericEventArguments) -> None:
        """Open or close, from the button in the header, which says how wide the window is."""
        narrow = isinstance(event.args, int | float) and event.args <= NARROW_PX
        if self._current and not (self._kept and narrow):
            self.close()
        else:
            await self.open(self._current or self._last)

    async def open(self, name: str, target: str = "") -> None:
        """Bring a tab to the front; `target` is what is asked for in it."""
        if name not in self._kinds:
            return
        self._kept = False
        self._workspace.classes(remove="panel-kept")
        self._remember(name)  # first: a tab may take long to come, and meanwhile another may be opened
        await self._show(name, target)

    def close(self) -> None:
        """Close the panel; its tabs stay as they are."""
        self._last, self._current = self._current or self._last, ""
        self._element.attributes(hidden=True)
        self._workspace.classes(remove="panel-open panel-kept panel-wide")
        self._opened(False)
        self._remember("")

    async def _show(self, name: str, target: str) -> None:
        self._current = name
        self._element.attributes(hidden=None, data_tab=name)
        self._workspace.classes("panel-open")
        for other, button in self._buttons.items():
            here = other == name
            button.attributes(aria_selected=str(here).lower(), tabindex="0" if here else "-1")
            self._bodies[other].attributes(hidden=None if here else True)
        self._opened(True)
        if name not in self._tabs:
            tab = self._tabs[name] = self._kinds[name].make(self._context)
            with self._bodies[name]:
                await tab.build()
        await self._tabs[name].show(target)

    async def _step(self, name: str, step: int) -> None:
        names = list(self._kinds)
        following = names[(names.index(name) + step) % len(names)]
        await self.open(following)
        with self._page.client:
            ui.run_javascript(f"document.getElementById({json.dumps('tab-' + following)}).focus()")

    def _heard(self, events: Sequence[AnyEvent]) -> None:
        for tab in self._tabs.values():
            tab.heard(events)

    def _badge(self, name: str, text: str) -> None:
        if name in self._badges:
            self._badges[name].set_text(text)

    def _widen(self, wide: bool) -> None:
        if wide:
            self._workspace.classes("panel-wide")
        else:
            self._workspace.classes(remove="panel-wide")

    def _remember(self, name: str) -> None:
        cookie = f"{COOKIE}={name};path=/;max-age={KEPT_S};samesite=lax"
        with self._page.client:
            # nosemgrep: built-javascript  # as JSON
            ui.run_javascript(f"document.cookie={json.dumps(cookie)}")
