"""`/sessions/{session}/export.md` and `.html`: one session as a file to download."""

import asyncio
from functools import partial
from typing import Final
from urllib.parse import quote

from nicegui import app
from starlette.requests import Request
from starlette.responses import Response

from core.domain.errors import NotFound
from ui.layout.i18n import choose
from ui.layout.services import Services
from ui.transcript.session_export import HTML, MARKDOWN, POLICY, export
from ui.workspace.session_list import title_of

EVENTS: Final = 20_000  # of the newest; a longer session is exported from there on
FORMS: Final = {"md": (MARKDOWN, "text/markdown"), "html": (HTML, "text/html")}


def install(services: Services) -> None:
    """Serve the downloads. A session of somebody else is not found."""

    @app.get("/sessions/{session}/export.{ending}", include_in_schema=False)
    async def download(session: str, ending: str, request: Request) -> Response:
        user = services.auth.user_of(request)
        if ending not in FORMS:
            raise NotFound(f"export.{ending}")
        found = await services.agents.session(session, user=user.user_id)
        agent = await services.agents.get(found.agent, user=user.user_id)
        accept = request.headers.get("accept-language", "")
        words = choose(profile=user.locale, cookies=request.cookies, accept=accept)
        form, kind = FORMS[ending]
        before, limit = found.last_seq + 1, min(EVENTS, found.last_seq)
        events = await services.conversations.older(session, user=user.user_id, before=before, limit=limit)
        title = title_of(found, words, agent=agent.name)
        name = agent.name or words.t("workspace.untitled")
        text = await asyncio.to_thread(partial(export, events, form, title=title, agent=name, words=words))
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(title[:80], safe='')}.{ending}",
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        return Response(text, media_type=f"{kind}; charset=utf-8", headers=headers)
