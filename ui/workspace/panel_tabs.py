"""The list of the panel's tabs, in their order: a tab that is not in it is not shown."""

from typing import Final

from ui.agents import draft_tab
from ui.files import changes_tab, files_tab
from ui.terminal import terminal_tab
from ui.workspace.panel import TabKind

TABS: Final[tuple[TabKind, ...]] = (files_tab.TAB, changes_tab.TAB, draft_tab.TAB, terminal_tab.TAB)
