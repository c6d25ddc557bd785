"""One open file in the panel: shown, edited, and never saved over what the agent has written meanwhile (F6)."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from nicegui import ui

from core.domain.errors import Conflict, NotFound, PlatformError
from core.fleet.files_client import FileContent
from core.services.files import AgentFiles
from ui.files import previews
from ui.files.kinds import SHOWN_BYTES, Kind, Text, kind_of, language_of
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame
from ui.transcript import diff

WRITTEN_BYTES: Final = 8 * 1024 * 1024  # what an editor may grow a file to
PREVIEWED: Final[frozenset[Kind]] = frozenset({"markdown", "table", "html"})


class FileView:
    """The place beside or below the tree. Empty until `open` is called."""

    def __init__(self, page: PageFrame, files: AgentFiles, *, door: str, closed: Callable[[], Awaitable[None]]) -> None:
        self._page, self._files, self._words, self._door, self._closed = page, files, page.words, door, closed
        self.path = ""
        self._content: FileContent | None = None
        self._text: Text | None = None
        self._kind: Kind = "binary"
        self._source = False  # the source is shown of something that has a preview
        self._value = ""  # the editor's
        self._stamp = ""
        self._theirs: FileContent | None = None  # what the agent has written over what is being edited
        self._place = tag("section", classes="file-view", testid="viewer", hidden=True)

    @property
    def dirty(self) -> bool:
        """True while there is something in the editor that is not in the file."""
        return self._text is not None and self._value != self._text.value

    async def open(self, path: str) -> None:
        """Show a file. What is not saved of the one before stays in its place instead. Raises: PlatformError."""
        if self.dirty and path != self.path:
            raise Conflict("save first", code="file_unsaved")
        self._take(path, await self._read(path))
        self._source, self._theirs = False, None
        await self._draw()

    async def close(self) -> None:
        """Show nothing. Raises: Conflict: there is something unsaved."""
        if self.dirty:
            raise Conflict("save first", code="file_unsaved")
        self.path, self._content, self._text = "", None, None
        self._place.attributes(hidden=True)
        self._place.clear()
        await self._closed()

    async def follow(self, stamp: str) -> None:
        """Look whether the agent has changed the open file: show that, or tell it if something is being edited.

        `stamp` is the file's revision in the tree; while it stays the same the file is not read. Raises: PlatformError.
        """
        if not self.path or self._content is None or (stamp and stamp == self._stamp):
            return
        self._stamp = stamp
        try:
            fresh = await self._read(self.path)
        except NotFound:
            self._note.set_text(self._words.t("files.gone"))
            return
        if fresh.revision in (self._content.revision, self._theirs.revision if self._theirs else ""):
            return
        if self.dirty:
            self._theirs = fresh
            self._draw_conflict()
            return
        self._take(self.path, fresh)
        await self._draw()
        self._note.set_text(self._words.t("files.just_changed"))

    async def _read(self, path: str) -> FileContent:
        return await self._files.call(lambda client: client.read(path, limit_bytes=SHOWN_BYTES))

    def _take(self, path: str, content: FileContent) -> None:
        self.path, self._content = path, content
        self._kind = kind_of(path, content.data)
        readable = self._kind not in ("binary", "image")
        self._text = Text(content.data, cut=content.cut) if readable else None
        self._value = self._text.value if self._text else ""

    # --- drawing -----------------------------------------------------------------------------------------------------

    async def _draw(self) -> None:
        """Everything anew. Only after a file was opened, saved or changed by the agent."""
        self._place.attributes(hidden=None)
        self._place.clear()
        with self._place:
            with tag("div", classes="file-head"):
                self._head()
            self._warning = tag("div", classes="file-conflict", testid="conflict", role="alert", hidden=True)
            with tag("div", classes="file-body"):
                await self._body()

    def _head(self) -> None:
        words, content = self._words, self._content
        name = self.path.rpartition("/")[2]
        tag("h2", name, classes="cut mono", title=self.path)
        size = words.size(content.size_bytes) if content else ""
        self._note = tag("span", size, classes="tiny cut grow", testid="file-note", role="status")
        if self._kind in PREVIEWED:
            with tag("div", classes="seg", role="group", aria_label=words.t("files.look")):
                for source, label in ((False, "preview"), (True, "source")):
                    button = tag("button", words.t(f"files.{label}"), type="button", testid=f"as-{label}")
                    button.attributes(aria_pressed=str(self._source is source).lower())
                    button.on("click", lambda source=source: self._look(source), args=[])
        self._save = tag("button", words.t("files.save"), type="button", classes="btn sm primary", testid="save")
        self._save.attributes(hidden=True).on("click", self.save, args=[])
        self._drop = tag("button", words.t("files.discard"), type="button", classes="btn sm ghost", testid="discard")
        self._drop.attributes(hidden=True).on("click", self._take_theirs, args=[])
        address = previews.address_of(self._door, self.path, content.revision if content else "")
        label = words.t("files.download")
        with tag("a", href=address, download=name, classes="btn ghost icon sm", aria_label=label, title=label):
            icon("download")
        label = words.t("files.close")
        with tag("button", type="button", classes="btn ghost icon sm", aria_label=label, title=label) as close:
            icon("x")
        close.attributes(testid="close-file").on("click", self.close, args=[])

    async def _body(self) -> None:
        words, text = self._words, self._text
        if self._kind == "image" and self._content:
            address = previews.address_of(self._door, self.path, self._content.revision)
            previews.show_picture(address, self.path.rpartition("/")[2])
        elif text is None:
            tag("p", words.t("files.binary"), classes="meta file-note")
        elif self._kind in PREVIEWED and not self._source:
            self._preview(self._value)
        elif text.editable:
            await self._edit()
        else:
            tag("p", words.t("files.read_only"), classes="tiny file-note")
            tag("pre", text.value, classes="file-plain", tabindex="0", testid="plain")

    def _preview(self, text: str) -> None:
        if self._kind == "markdown":
            previews.show_markdown(text)
        elif self._kind == "table":
            previews.show_table(self.path, text, self._words)
        else:
            previews.show_page(text, self._words)

    async def _look(self, source: bool) -> None:
        self._source = source
        await self._draw()
        self._show_dirty()
        if self._theirs:
            self._draw_conflict()

    async def _edit(self) -> None:
        dark = await self._page.client.run_javascript("document.documentElement.dataset.theme === 'dark'")
        editor = ui.codemirror(
            self._value,
            language=language_of(self.path),  # type: ignore[arg-type]  # names of LANGUAGES are among NiceGUI's
            theme="vscodeDark" if dark else "vscodeLight",
            line_wrapping=True,
            on_change=lambda event: self._changed(event.value),
            keymap={"Mod-s": self.save},
        )
        editor.props["data-testid"] = "editor"
        label = self._words.t("files.editor", name=self.path)
        editor.props["aria-label"] = label
        self._label(editor.id, label)

    def _label(self, id: int, label: str) -> None:
        """Name the editor's inner element, which is the one that a screen reader meets, once it is there."""
        # nosemgrep: built-javascript  # a number and JSON
        self._page.client.run_javascript(
            f"const name=(left)=>{{const inner=getHtmlElement({id})?.querySelector('.cm-content');"
            f"if(inner)inner.setAttribute('aria-label',{json.dumps(label)});"
            "else if(left)setTimeout(name,100,left-1)};name(50)"
        )

    def _changed(self, value: str) -> None:
        before, self._value = self.dirty, value
        if before != self.dirty:
            self._show_dirty()
            self._note.set_text(self._words.t("files.unsaved") if self.dirty else "")

    def _show_dirty(self) -> None:
        for button in (self._save, self._drop):
            button.attributes(hidden=None if self.dirty else True)

    # --- saving ------------------------------------------------------------------------------------------------------

    async def save(self, _: Any = None) -> None:
        """Write the editor's text, if the file still is the one that was read."""
        if self._content is not None and self.dirty:
            await self._write(self._content.revision)

    async def _write(self, revision: str) -> None:
        text, value = self._text, self._value
        if text is None:
            return  # there is no editor any more
        data = text.encode(value)
        try:
            written = await self._files.call(
                lambda client: client.write(self.path, data, limit_bytes=WRITTEN_BYTES, if_match=revision)
            )
        except Conflict as error:
            if error.code != "file_changed":
                raise
            await self._tell_conflict()
            return
        self._content = FileContent(data=data, size_bytes=len(data), revision=written.revision, modified_at=0.0)
        text.value, self._theirs = value, None
        self._warning.attributes(hidden=True)
        self._show_dirty()
        self._note.set_text(self._words.t("files.saved"))

    async def _tell_conflict(self) -> None:
        """Read the agent's version and show both; if the file is gone, its place is free for ours."""
        try:
            self._theirs = await self._read(self.path)
        except NotFound:
            self._theirs = FileContent(data=b"", size_bytes=0, revision="", modified_at=0.0)
        self._draw_conflict()

    def _draw_conflict(self) -> None:
        words, theirs = self._words, self._theirs
        if theirs is None:
            return
        self._warning.attributes(hidden=None)
        self._warning.clear()
        with self._warning:
            gone = not theirs.revision
            tag("p", words.t("files.conflict_gone" if gone else "files.conflict"), classes="b")
            tag("p", words.t("files.conflict_why"), classes="tiny")
            with tag("div", classes="acts row"):
                keep = tag("button", words.t("files.keep_mine"), type="button", classes="btn sm primary")
                keep.attributes(testid="keep-mine").on("click", self._keep_mine, args=[])
                take = tag("button", words.t("files.take_theirs"), type="button", classes="btn sm")
                take.attributes(testid="take-theirs").on("click", self._take_theirs, args=[])
            self._draw_both(theirs)

    def _draw_both(self, theirs: FileContent) -> None:
        """The difference from the agent's version to ours, so that neither has to be remembered."""
        lines = diff.near(diff.lines(Text(theirs.data, cut=theirs.cut).value, self._value))
        with tag("details", classes="both", open=True):
            tag("summary", self._words.t("files.both"))
            # nosemgrep: raw-html  # diff escapes every line, and the browser sanitises
            ui.html(diff.html(lines[:400]), sanitize=True)

    async def _keep_mine(self) -> None:
        """Write ours over the version that was shown, and no other."""
        if self._theirs is not None:
            await self._write(self._theirs.revision) if self._theirs.revision else await self._write_anew()

    async def _write_anew(self) -> None:
        data = self._text.encode(self._value) if self._text else b""
        await self._files.call(
            lambda client: client.write(self.path, data, limit_bytes=WRITTEN_BYTES, if_none_match="*")
        )
        self._theirs, self._text = None, None
        await self.open(self.path)

    async def _take_theirs(self) -> None:
        self._text, self._theirs = None, None  # ours is given up on purpose
        try:
            await self.open(self.path)
        except PlatformError:
            await self.close()
            raise
