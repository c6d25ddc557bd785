"""The session to begin in: the newest in which nobody has said anything yet, else a new one.

A page that is only looked at changes nothing: an agent without a session gets its first one when the page has its
socket, and the page gives way to that session's.
"""

import json
from urllib.parse import quote

from core.domain.records import Agent, Session
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame
from ui.workspace.greeting import untouched


async def place_to_begin(page: PageFrame, agent: Agent) -> Session:
    """Raises: NotFound: the agent is gone."""
    sessions = await page.desk.agents.sessions(agent.id, user=page.user_id)
    kind = "builder" if agent.draft else "chat"
    found = next((one for one in sessions if one.kind == kind and untouched(one)), None)
    return found or await page.desk.agents.new_session(agent.id, user=page.user_id, locale=page.words.locale)


def address(session: Session) -> str:
    """Where it is talked in."""
    return f"/workspace/{quote(session.agent)}?session={quote(session.id)}"


def opening(page: PageFrame, agent: Agent) -> None:
    """What stands there for the moment until the first session does."""
    page.retitle(agent.name or page.words.t("workspace.untitled"))
    with tag("div", classes="page narrow"):
        tag("p", page.words.t("doing.starting"), classes="muted", role="status")

    async def begin() -> None:
        made = await place_to_begin(page, agent)
        # nosemgrep: built-javascript  # as JSON
        page.client.run_javascript(f"location.replace({json.dumps(address(made))})")

    page.client.on_connect(begin)
