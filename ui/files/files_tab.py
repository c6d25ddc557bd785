"""The panel's tab of files: a tree that follows what the agent does, and what is opened from it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from nicegui import background_tasks

from core.domain.errors import NotFound, PlatformError
from core.domain.events import AnyEvent, ToolReturned, TurnFinished
from core.protocol.files_api import MOST_LISTED
from core.services.files import AgentFiles
from ui.files.file_tree import FileTree, TreeActions
from ui.files.file_view import FileView
from ui.files.tree_model import FolderRows, TreeModel
from ui.files.uploads import Uploads
from ui.layout.html import Tag, icon, tag
from ui.workspace.panel import PanelContext, TabKind

REFRESH_S: Final = 0.5  # between two looks at the folders while the agent works
NEW_LIMIT: Final = 1024


class FilesTab:
    """The tab of one open page."""

    def __init__(self, context: PanelContext) -> None:
        self._page, self._agent, self._words = context.page, context.agent, context.page.words
        self._session = context.session.id
        self._model = TreeModel(self._words)
        self._widen = context.widen
        self._folder: AgentFiles | None = None
        self._tree: FileTree
        self._view: FileView
        self._refreshing = False

    async def build(self) -> None:
        """Build tools and tree; the root is read when the tab is shown."""
        words = self._words
        with tag("div", classes="files"):
            with tag("div", classes="files-tools"):
                choosers = self._tools()
            actions = TreeActions(
                open=self._open,
                toggle=self._toggle,
                more=self._more,
                move=self._move,
                make=self._make,
                remove=self._remove,
            )
            door = f"/api/v1/agents/{self._agent.id}/files"
            self._tree = FileTree(words, actions, door=door)
            limit = self._page.services.files.upload_bytes
            uploads = Uploads(words, door=door, limit_bytes=limit, landed=self._landed)
            for button, what in zip(choosers, ("files", "folder"), strict=True):
                uploads.choose_from(button, what)
            self._view = FileView(self._page, await self._files(), door=door, closed=self._closed)

    def _tools(self) -> list[Tag]:
        """The line above the tree. Return the buttons that open the browser's choice of files and of a folder."""
        self._count = tag("span", classes="tiny grow cut")
        for what, sign in (("file", "plus"), ("folder", "folder")):
            button = self._tool(f"new_{what}", sign, f"new-{what}")
            button.on("click", lambda what=what: self._tree.begin(what), args=[])
        kinds = (("upload", "upload", "upload-files"), ("upload_folder", "uploadfolder", "upload-tree"))
        choosers = [self._tool(*kind) for kind in kinds]
        wide = self._tool("wide", "wide", "panel-wide").attributes(aria_pressed="false").classes("hide-phone")
        wide.on("click", lambda: self._wide(wide), args=[])
        return choosers

    def _tool(self, name: str, sign: str, testid: str) -> Tag:
        label = self._words.t(f"files.{name}")
        with tag("button", type="button", classes="btn ghost icon sm", aria_label=label, title=label) as button:
            icon(sign)
        return button.attributes(testid=testid)

    async def show(self, target: str) -> None:
        """Read the open folders again, and open the file `target`."""
        try:
            self._model.folders.setdefault("", FolderRows())
            await self._refresh()
            if target:
                await self._open(target)
        except PlatformError as error:
            self._page.fail(error)

    def heard(self, events: Sequence[AnyEvent]) -> None:
        """Look at the folders again soon: a tool has done something."""
        if not self._refreshing and any(isinstance(event, ToolReturned | TurnFinished) for event in events):
            self._refreshing = True
            background_tasks.create(self._refresh_soon(), name="file tree", context=self._page.client)

    async def _refresh_soon(self) -> None:
        await asyncio.sleep(REFRESH_S)
        self._refreshing = False
        try:
            await self._refresh()
            entry = self._model.entry(self._view.path)
            await self._view.follow(entry.revision if entry else "")
        except PlatformError as error:
            self._page.fail(error)

    async def _files(self) -> AgentFiles:
        if self._folder is None:
            self._folder = await self._page.services.files.of(self._agent.id, user=self._page.user_id)
        return self._folder

    async def _refresh(self) -> None:
        """Read every open folder again; one that is gone is closed. Raises: PlatformError."""
        for path in list(self._model.folders):
            if path in self._model.folders:
                await self._read(path)
        await self._mark()
        self._draw()

    async def _mark(self) -> None:
        """Mark what this session has changed. A folder that cannot be compared now keeps the marks that it has."""
        with suppress(PlatformError):
            found = await (await self._files()).call(lambda client: client.changes(self._session, "session"))
            self._model.marks = {change.path: str(change.kind) for change in found.changes}

    async def _read(self, path: str, *, more: bool = False) -> None:
        rows = self._model.folders[path]
        after = rows.next if more else ""
        limit = min(max(len(rows.entries), 1000), MOST_LISTED) if not more else 1000
        try:
            page = await (await self._files()).call(lambda client: client.list(path, after=after, limit=limit))
        except NotFound:
            if not path:
                raise
            self._model.close(path)
        else:
            rows.take(page, more=more)

    def _draw(self) -> None:
        root = self._model.folders.get("")
        self._count.set_text(self._words.t("files.count", count=root.total) if root else "")
        self._tree.show(self._model.rows())

    async def _open(self, path: str) -> None:
        for folder in self._model.reveal(path):
            if folder not in self._model.folders:
                self._model.folders[folder] = FolderRows()
                await self._read(folder)
        await self._view.open(path)
        self._model.current = path
        self._draw()

    def _wide(self, button: Tag) -> None:
        wide = button.props["aria-pressed"] != "true"
        button.attributes(aria_pressed=str(wide).lower())
        self._widen(wide)

    async def _landed(self) -> None:
        await self._refresh()

    async def _closed(self) -> None:
        self._model.current = ""
        self._draw()

    async def _toggle(self, path: str) -> None:
        if path in self._model.folders:
            self._model.close(path)
        else:
            self._model.folders[path] = FolderRows()
            await self._read(path)
        self._draw()

    async def _more(self, path: str) -> None:
        if path in self._model.folders:
            await self._read(path, more=True)
            self._draw()

    async def _move(self, source: str, target: str) -> None:
        await (await self._files()).call(lambda client: client.move(source, target))
        self._model.close(source)
        await self._show_made(target)

    async def _make(self, what: str, path: str) -> None:
        files = await self._files()
        if what == "folder":
            await files.call(lambda client: client.make_folder(path))
        else:
            await files.call(lambda client: client.write(path, b"", limit_bytes=NEW_LIMIT, if_none_match="*"))
        await self._show_made(path)
        if what == "file":
            await self._open(path)

    async def _show_made(self, path: str) -> None:
        for folder in self._model.reveal(path):
            self._model.folders.setdefault(folder, FolderRows())
        await self._refresh()

    async def _remove(self, path: str) -> None:
        deleted = await (await self._files()).call(lambda client: client.delete(path))
        self._model.close(path)
        await self._refresh()
        said = self._words.t("files.deleted", name=path.rpartition("/")[2])

        async def undo() -> None:
            back = await (await self._files()).call(lambda client: client.restore(deleted.trash))
            await self._show_made(back)

        if deleted.trash:
            self._page.toasts.show(said, action=self._words.t("files.undo"), undo=undo)
        else:
            self._page.toasts.show(said)


TAB: Final = TabKind(name="files", label="files.tab", make=FilesTab)
