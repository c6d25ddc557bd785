"""The session to begin in: the newest in which nobody has said anything yet, else a new one.

A page that is only looked at changes nothing: an agent without a session gets its first one when the page has its
socket, and the page gives way to that session's.
"""

import json
from urllib.parse import quote

from core.domain.records import Agent, Session
from core.services.overview import untouched
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame


async def place_to_begin(page: PageFrame, agent: Agent) -> Session:
    """Raises: NotFound: the agent is gone."""
    sessions = await page.services.agents.sessions(agent.id, user=page.user_id)
    kind = "builder" if agent.draft else "chat"
    found = next((one for one in sessions if one.kind == kind and untouched(one)), None)
    return found or await page.services.agents.new_session(agent.id, user=page.user_id, locale=page.words.locale)


def address(session: Session) -> str:
    """The address of the session's workspace."""
    return f"/workspace/{quote(session.agent)}?session={quote(session.id)}"


def opening(page: PageFrame, agent: Agent) -> None:
    """Show a short notice, and go to the agent's first session as soon as it is created."""
    page.retitle(agent.name or page.words.t("workspace.untitled"))
    with tag("div", classes="page narrow"):
        tag("p", page.words.t("doing.starting"), classes="muted", role="status")

    async def begin() -> None:
        made = await place_to_begin(page, agent)
        # nosemgrep: built-javascript  # as JSON
        page.client.run_javascript(f"location.replace({json.dumps(address(made))})")

    page.client.on_connect(begin)
