"""The list of pages."""

import ast
from pathlib import Path

from ui import pages

UI = Path(pages.__file__).parent
NO_PAGES = {"pages", "api", "leaving"}  # the list itself, what has no screen, a part that /settings installs


def test_every_page_that_there_is_is_in_the_list() -> None:
    with_install = set()
    for path in (*UI.glob("*.py"), *UI.glob("*/__init__.py")):
        tree = ast.parse(path.read_text("utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "install" for node in tree.body):
            with_install.add(path.parent.name if path.name == "__init__.py" else path.stem)
    listed = {name for name, value in vars(pages).items() if hasattr(value, "install")}
    assert with_install - NO_PAGES == listed
