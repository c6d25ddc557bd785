"""The panel's tab of changes: the files that this turn or this session has changed, each with its difference."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from nicegui import background_tasks, ui

from core.domain.errors import PlatformError
from core.domain.events import AnyEvent, ToolReturned, TurnFinished, UserSaid
from core.protocol.changes_api import KEPT_FILE_BYTES, Change, ChangeList, Revert, Since
from core.services.files import AgentFiles
from ui.files import diff_view
from ui.files.kinds import Text
from ui.layout.html import Tag, icon, tag
from ui.workspace.panel import PanelContext, TabKind

REFRESH_S: Final = 0.7  # between two looks while the agent works
MOST_SHOWN: Final = 200
CHOICES: Final[tuple[Since, ...]] = ("turn", "session")
FOLLOWED: Final = (ToolReturned, TurnFinished, UserSaid)


class ChangesTab:
    """The tab of one open page."""

    def __init__(self, context: PanelContext) -> None:
        self._page, self._words, self._context = context.page, context.page.words, context
        self._session, self._agent = context.session.id, context.agent.id
        self._since: Since = "session"
        self._folder: AgentFiles | None = None
        self._open: set[str] = set()
        self._shown: ChangeList | None = None
        self._refreshing = False

    async def build(self) -> None:
        """Build the choice of the time; the list is read when the tab is shown."""
        words = self._words
        with tag("div", classes="changes", testid="changes"):
            with tag("div", classes="files-tools"):
                with tag("div", classes="seg", role="group", aria_label=words.t("changes.since")):
                    self._choices = {since: self._choice(since) for since in CHOICES}
                self._sum = tag("span", classes="tiny grow cut", role="status")
            self._list = tag("div", classes="change-list")

    def _choice(self, since: Since) -> Tag:
        button = tag("button", self._words.t(f"changes.{since}"), type="button", testid=f"since-{since}")
        button.attributes(aria_pressed=str(since == self._since).lower())
        return button.on("click", partial(self._choose, since), args=[])

    async def show(self, target: str) -> None:
        """Read the changes again; `target` is a file whose difference is opened."""
        if target:
            self._open.add(target)
        await self._refresh()

    def heard(self, events: Sequence[AnyEvent]) -> None:
        """Look again soon: a tool has done something, or a turn has begun."""
        if not self._refreshing and any(isinstance(event, FOLLOWED) for event in events):
            self._refreshing = True
            background_tasks.create(self._refresh_soon(), name="changes", context=self._page.client)

    async def _refresh_soon(self) -> None:
        await asyncio.sleep(REFRESH_S)
        self._refreshing = False
        await self._refresh()

    async def _choose(self, since: Since) -> None:
        self._since = since
        for one, button in self._choices.items():
            button.attributes(aria_pressed=str(one == since).lower())
        await self._refresh()

    async def _files(self) -> AgentFiles:
        if self._folder is None:
            self._folder = await self._page.services.files.of(self._agent, user=self._page.user_id)
        return self._folder

    async def _refresh(self) -> None:
        try:
            files = await self._files()
            found = await files.call(lambda client: client.changes(self._session, self._since))
        except PlatformError as error:
            self._page.fail(error)
            return
        self._context.badge("changes", str(len(found.changes)) if found.changes else "")
        if found != self._shown:
            self._shown = found
            await self._draw(found)

    async def _draw(self, found: ChangeList) -> None:
        words = self._words
        added = sum(max(0, one.added) for one in found.changes)
        removed = sum(max(0, one.removed) for one in found.changes)
        said = words.t("changes.sum", count=len(found.changes), added=added, removed=removed)
        self._sum.set_text(said if found.changes else "")
        self._list.clear()
        with self._list:
            if not found.changes:
                tag(
                    "p",
                    words.t(f"changes.none_{self._since}" if found.at else "changes.no_base"),
                    classes="file-note meta",
                )
            for change in found.changes[:MOST_SHOWN]:
                await self._row(change)
            if found.cut or len(found.changes) > MOST_SHOWN:
                tag("p", words.t("changes.cut"), classes="tiny file-note")

    async def _row(self, change: Change) -> None:
        words = self._words
        opened = change.path in self._open
        with tag("div", classes=f"change {change.kind}", testid="change", data_path=change.path):
            with tag("div", classes="row"):
                with tag(
                    "button", type="button", classes="change-name row grow", aria_expanded=str(opened).lower()
                ) as name:
                    icon("right", "sm chev")
                    tag("span", change.path, classes="mono cut")
                    if change.added > 0:
                        tag("span", f"+{change.added}", classes="ok")
                    if change.removed > 0:
                        tag("span", f"−{change.removed}", classes="bad")
                    tag("span", words.t(f"changes.{change.kind}"), classes=f"tiny {change.kind}")
                if change.kept:
                    label = words.t("changes.revive" if change.kind == "deleted" else "changes.revert")
                    back = tag("button", label, type="button", classes="btn ghost sm", testid="revert")
                    back.attributes(aria_label=f"{label}: {change.path}")
                    back.on("click", partial(self._revert, change), args=[])
            body = tag("div", classes="change-body", hidden=None if opened else True)
            name.on("click", partial(self._toggle, change, name, body), args=[])
            if opened:
                await self._fill(change, body)

    async def _toggle(self, change: Change, button: Tag, body: Tag) -> None:
        opened = change.path not in self._open
        self._open ^= {change.path}
        button.attributes(aria_expanded=str(opened).lower())
        body.attributes(hidden=None if opened else True)
        if opened:
            await self._fill(change, body)

    async def _fill(self, change: Change, body: Tag) -> None:
        """Show the difference, or why there is none to show."""
        body.clear()
        texts = await self._texts(change)
        with body:
            if texts is None:
                tag("p", self._words.t("changes.not_text"), classes="tiny file-note")
            else:
                shown = await asyncio.to_thread(diff_view.html, *texts)
                # nosemgrep: raw-html  # diff_view escapes every line, and the browser sanitises
                ui.html(shown, sanitize=True)
            if change.kind != "deleted":
                opener = tag("button", self._words.t("changes.open"), type="button", classes="btn ghost sm")
                opener.on("click", lambda: self._context.open_tab("files", change.path), args=[])

    async def _texts(self, change: Change) -> tuple[str, str] | None:
        """The contents before and now, None if they cannot be compared."""
        if change.added < 0:
            return None
        files, before, after = await self._files(), b"", b""
        try:
            if change.kind != "new":
                before = await files.call(lambda client: client.before(self._session, self._since, change.path))
            if change.kind != "deleted":
                after = (await files.call(lambda client: client.read(change.path, limit_bytes=KEPT_FILE_BYTES))).data
        except PlatformError:
            return None
        return Text(before, cut=False).value, Text(after, cut=False).value

    async def _revert(self, change: Change) -> None:
        """Put the content before back; an undo restores what was there."""
        files = await self._files()
        body = Revert(since=self._since, path=change.path, session=self._session, revision=change.revision)
        reverted = await files.call(lambda client: client.revert(body))
        await self._refresh()

        async def undo() -> None:
            if change.kind != "new":
                await files.call(lambda client: client.delete(change.path))
            if reverted.trash:
                await files.call(lambda client: client.restore(reverted.trash))
            await self._refresh()

        said = self._words.t("changes.reverted", name=change.path.rpartition("/")[2])
        self._page.toasts.show(said, action=self._words.t("files.undo"), undo=undo)


TAB: Final = TabKind(name="changes", label="changes.tab", make=ChangesTab)
