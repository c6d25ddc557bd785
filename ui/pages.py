"""All pages, in one list: a page that is not here is not served."""

from ui import admin, connections, dashboard, errors, inbox, login, secrets, settings, theme, workspace
from ui.desk import Desk


def install(desk: Desk) -> None:
    """Register every page with NiceGUI."""
    for page in (theme, login, dashboard, inbox, workspace, connections, settings, secrets, admin, errors):
        page.install(desk)
