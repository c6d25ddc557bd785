"""The rows of the file tree: which folders are open, what is in them as far as it was asked for, and their marks."""

from collections.abc import Iterator
from typing import Any, Final

from core.protocol.files_api import FolderEntry, FolderPage
from ui.layout.i18n import Translations

MOST_ROWS: Final = 3_000  # in the browser; further entries of a folder come by "show more"
ICONS: Final = {
    **dict.fromkeys("png jpg jpeg gif webp svg bmp ico".split(), "image"),
    **dict.fromkeys("csv tsv xlsx".split(), "table"),
}


class FolderRows:
    """A folder: the entries that were read, and the cursor of the next ones."""

    def __init__(self) -> None:
        self.entries: list[FolderEntry] = []
        self.next, self.total = "", 0

    def take(self, page: FolderPage, *, more: bool) -> None:
        """Put a page in place of what was here, or behind it."""
        self.entries = [*self.entries, *page.entries] if more else list(page.entries)
        self.next, self.total = page.next, page.total


class TreeModel:
    """The state of one tree; `rows` is all that the browser needs."""

    def __init__(self, words: Translations) -> None:
        self._words = words
        self.folders: dict[str, FolderRows] = {}  # the open ones, by path; the root is always open
        self.marks: dict[str, str] = {}  # path: new, changed or deleted
        self.current = ""

    def entry(self, path: str) -> FolderEntry | None:
        """The entry of this path, if it is in an open folder."""
        parent, _, name = path.rpartition("/")
        folder = self.folders.get(parent)
        return next((one for one in folder.entries if one.name == name), None) if folder else None

    def close(self, path: str) -> None:
        """Forget a folder and all that is in it."""
        for other in [other for other in self.folders if other == path or other.startswith(f"{path}/")]:
            del self.folders[other]

    def reveal(self, path: str) -> list[str]:
        """The folders that have to be open so that `path` can be seen, outermost first."""
        names = path.split("/")[:-1]
        return ["/".join(names[: depth + 1]) for depth in range(len(names))]

    def rows(self) -> list[dict[str, Any]]:
        """The visible rows from top to bottom."""
        found = []
        for row in self._below("", 1):
            found.append(row)
            if len(found) >= MOST_ROWS:
                break
        return found

    def _below(self, path: str, level: int) -> Iterator[dict[str, Any]]:
        folder = self.folders.get(path)
        if folder is None:
            return
        for entry in folder.entries:
            below = f"{path}/{entry.name}" if path else entry.name
            yield self._row(below, entry, level)
            if entry.kind == "folder":
                yield from self._below(below, level + 1)
        yield from self._gone(path, level)
        if folder.next:
            left = folder.total - len(folder.entries)
            yield {"path": path, "more": self._words.t("files.more", count=left), "level": level}

    def _gone(self, path: str, level: int) -> Iterator[dict[str, Any]]:
        """Files that were here and are deleted."""
        there = {entry.name for entry in self.folders[path].entries}
        for other, mark in sorted(self.marks.items()):
            parent, _, name = other.rpartition("/")
            if mark == "deleted" and parent == path and name not in there:
                said = self._words.t("files.mark_deleted")
                yield {"path": other, "name": name, "level": level, "kind": "gone", "mark": mark, "said": said}

    def _row(self, path: str, entry: FolderEntry, level: int) -> dict[str, Any]:
        opened = path in self.folders
        mark = self._mark(path, entry, opened)
        return {
            "path": path,
            "name": entry.name,
            "level": level,
            "kind": entry.kind,
            "open": opened,
            "icon": "folder" if entry.kind == "folder" else ICONS.get(entry.name.rpartition(".")[2].lower(), "file"),
            "mark": mark,
            "said": self._words.t(f"files.mark_{mark}") if mark else "",
            "size": self._words.size(entry.size_bytes) if entry.kind == "file" else "",
            "current": path == self.current,
        }

    def _mark(self, path: str, entry: FolderEntry, opened: bool) -> str:
        if mark := self.marks.get(path, ""):
            return mark if mark != "deleted" else "changed"
        inside = entry.kind == "folder" and not opened and any(one.startswith(f"{path}/") for one in self.marks)
        return "changed" if inside else ""
