"""The area under the transcript: the oldest open request, and the composer with the controls of the session."""

import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import quote

from nicegui.element import Element

from core.domain.events import PRACTICE, Attachment
from core.domain.records import Agent, Session
from core.protocol.files_api import FolderEntry
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame
from ui.transcript.reducer import Meta
from ui.workspace.answers import answer_request, test_outcome
from ui.workspace.composer import Composer
from ui.workspace.request_card import RequestCard
from ui.workspace.session_controls import SessionControls
from ui.workspace.suggestions import SHOWN, Rows, Suggestions


class Dock:
    """One per page. `listeners` get the values around the transcript."""

    def __init__(
        self, page: PageFrame, *, agent: Agent, session: Session, meta: Meta, wake: Callable[[], Awaitable[None]]
    ) -> None:
        self._page, self._agent, self._session = page, agent, session
        self._conversations, self._controls = page.services.conversations, page.services.controls
        user, words, id = page.user_id, page.words, session.id
        info = partial(self._controls.cli_info, id, user=user)
        with tag("div", classes="dock"), tag("div", classes="col"):
            answer = partial(answer_request, page.services, id, user=user)
            outcome = partial(test_outcome, page.services, session.agent, words, user=user)
            card = RequestCard(words=words, answer=answer, fail=page.fail, meta=meta, outcome=outcome)
            self.composer = Composer(
                session=id,
                user=user,
                words=words,
                meta=meta,
                say=self._say,
                stop=partial(self._conversations.interrupt, id, user=user),
                wake=wake,
                fail=page.fail,
                files=f"/api/v1/agents/{quote(agent.id)}/files",
                limit_bytes=page.services.settings.upload_mb * 2**20,
                suggest=Suggestions(info=info, files=self._files, words=words).find,
            )
            with self.composer:
                self._menu = SessionControls(
                    agent=agent,
                    session=session,
                    words=words,
                    switchable=page.services.provider != PRACTICE,
                    choose=partial(self._controls.choose, id, user=user),
                    info=info,
                    compact=self._compact,
                    fail=page.fail,
                )
        self.listeners: list[Element] = [card, self.composer]

    def show(self, agent: Agent, session: Session) -> None:
        """Agent or session have changed."""
        self._menu.show(agent, session)

    async def _say(
        self, text: str, message_id: str, steer: bool = False, attachments: tuple[Attachment, ...] = ()
    ) -> int:
        session, user = self._session.id, self._page.user_id
        return await self._conversations.say(
            session, user=user, text=text, message_id=message_id, steer=steer, attachments=attachments
        )

    async def _compact(self) -> None:
        """Have the CLI shorten the conversation; while the agent works, this waits like any message."""
        await self._say("/compact", str(uuid.uuid4()))

    async def _files(self, query: str) -> Rows:
        """Entries of the folder in which `query` looks, that begin as its last part does."""
        folder, _, beginning = query.rpartition("/")
        files = await self._page.services.files.of(self._agent.id, user=self._page.user_id)
        page = await files.call(lambda client: client.list(folder))
        found = [one for one in page.entries if one.name.lower().startswith(beginning.lower())]
        return [_row(f"{folder}/{one.name}" if folder else one.name, one) for one in found[:SHOWN]]


def _row(path: str, entry: FolderEntry) -> dict[str, str]:
    is_folder = entry.kind == "folder"
    return {"value": f"{path}/" if is_folder else f"{path} ", "text": path, "note": "/" if is_folder else ""}
