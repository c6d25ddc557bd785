"""The list of pages."""

import ast
from pathlib import Path

from ui import pages

UI = Path(pages.__file__).parent
NO_PAGES = {"ui.pages", "ui.settings.account"}  # the list itself, and a section that /settings installs


def test_every_page_that_there_is_is_in_the_list() -> None:
    with_install = set()
    for path in UI.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "install" for node in tree.body):
            dotted = ".".join(path.relative_to(UI.parent).with_suffix("").parts)
            with_install.add(dotted.removesuffix(".__init__"))
    listed = {value.__name__ for value in vars(pages).values() if hasattr(value, "install")}
    assert with_install - NO_PAGES == listed
