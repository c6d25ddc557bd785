"""The element of the file tree: rows go to the browser by `show`, past NiceGUI's element tree."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from ui.layout.i18n import Translations

LABELS: Final = (
    "name none rename move move_title move_to new_file new_folder new_here more_of download download_zip delete"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeActions:
    """The handlers of what a person does in the tree. Paths are relative to the agent's folder."""

    open: Callable[[str], Awaitable[None]]
    toggle: Callable[[str], Awaitable[None]]
    more: Callable[[str], Awaitable[None]]
    move: Callable[[str, str], Awaitable[None]]
    make: Callable[[str, str], Awaitable[None]]  # ("file" or "folder", path)
    remove: Callable[[str], Awaitable[None]]


class FileTree(Element, component="file_tree.js"):
    """Shows rows of ui/files/tree_model.py; `door` is the API's address of the agent's files, for downloads."""

    def __init__(self, words: Translations, actions: TreeActions, *, door: str) -> None:
        super().__init__()
        self.props["rows"] = []
        self.props["door"] = door
        self.props["words"] = {label: words.t(f"files.{label}") for label in LABELS} | {
            "cancel": words.t("common.cancel")
        }
        for name in ("open", "toggle", "more", "remove"):
            self.on(name, self._one(getattr(actions, name)))
        for name in ("move", "make"):
            self.on(name, self._two(getattr(actions, name)))

    def show(self, rows: list[dict[str, Any]]) -> None:
        """Show these rows instead."""
        self.run_method("show", rows)

    def begin(self, what: str) -> None:
        """Let the person write the name of a new `file` or `folder`."""
        self.run_method("make", what, "")

    @staticmethod
    def _one(act: Callable[[str], Awaitable[None]]) -> Callable[[GenericEventArguments], Awaitable[None]]:
        async def handle(event: GenericEventArguments) -> None:
            await act(str(event.args))

        return handle

    @staticmethod
    def _two(act: Callable[[str, str], Awaitable[None]]) -> Callable[[GenericEventArguments], Awaitable[None]]:
        async def handle(event: GenericEventArguments) -> None:
            if isinstance(event.args, list) and len(event.args) == 2:
                await act(str(event.args[0]), str(event.args[1]))

        return handle
