"""The list of all pages: a page that is not in it is not served."""

from ui import inbox, login, theme
from ui.admin import page as admin_page
from ui.agents import connections
from ui.agents import page as agent_page
from ui.dashboard import page as dashboard_page
from ui.layout import error_page
from ui.layout.services import Services
from ui.runs import list_page, operate_page, reason_page, run_form, run_page
from ui.settings import model, notifications, secrets
from ui.settings import page as settings_page
from ui.usage import page as usage_page
from ui.workspace import export_route
from ui.workspace import page as workspace_page


def install(services: Services) -> None:
    """Register every page with NiceGUI."""
    for page in (
        theme,
        login,
        dashboard_page,
        inbox,
        workspace_page,
        agent_page,
        export_route,
        connections,
        list_page,
        run_page,
        reason_page,
        operate_page,
        run_form,
        usage_page,
        settings_page,
        secrets,
        notifications,
        model,
        admin_page,
        error_page,
    ):
        page.install(services)
