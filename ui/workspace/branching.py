"""Going back in a conversation: another session of the same agent that knows it up to a chosen turn."""

import json

from nicegui import ui

from core.domain.errors import PlatformError
from core.domain.events import TurnFinished, UserSaid, seq_of
from core.domain.records import Session
from ui.layout.page_frame import PageFrame
from ui.workspace.initial_session import address

LOOKED_AT = 2000  # events before a message, among which the end of the turn before it is


class Branching:
    """Carries out the buttons at a turn's end and at a message of the user."""

    def __init__(self, page: PageFrame, session: Session) -> None:
        self._page, self._session = page, session
        self._controls, self._conversations = page.services.controls, page.services.conversations

    async def branch(self, after: int) -> None:
        """Go to a new session that knows this one up to the turn that ended as number `after`."""
        try:
            made = await self._controls.branch(self._session.id, user=self._page.user_id, after=after)
        except PlatformError as error:
            self._page.fail(error)
            return
        ui.navigate.to(address(made))

    async def edit(self, seq: int) -> None:
        """Go to a new session that knows what came before message `seq`, with that message in the text box."""
        user = self._page.user_id
        try:
            before = await self._conversations.older(self._session.id, user=user, before=seq + 1, limit=LOOKED_AT)
            said = next((event for event in before[-1:] if isinstance(event, UserSaid)), None)
            if said is None:
                return
            ends = [seq_of(event) for event in before if isinstance(event, TurnFinished) and event.anchor]
            if ends:
                made = await self._controls.branch(self._session.id, user=user, after=ends[-1])
            else:
                made = await self._page.services.agents.new_session(
                    self._session.agent, user=user, locale=self._page.words.locale
                )
        except PlatformError as error:
            self._page.fail(error)
            return
        key, draft = json.dumps(f"oma:draft:{user}:{made.id}"), json.dumps(json.dumps(said.text))
        # nosemgrep: built-javascript  # as JSON
        ui.run_javascript(f"localStorage.setItem({key},{draft});location.assign({json.dumps(address(made))})")
