"""All pages, in one list: a page that is not here is not served."""

from ui import dashboard, errors, inbox, login, theme, workspace
from ui.desk import Desk


def install(desk: Desk) -> None:
    """Register every page with NiceGUI."""
    for page in (theme, login, dashboard, inbox, workspace, errors):
        page.install(desk)
