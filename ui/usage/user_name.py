"""The name by which a list of users calls one of them."""

from core.domain.records import User
from ui.layout.page_frame import PageFrame


def user_name(user: User, page: PageFrame) -> str:
    """Return the user's name, else the address, else "me" for the viewer, else the id."""
    return user.name or user.email or (page.words.t("common.owner") if user.id == page.user.id else user.id)
