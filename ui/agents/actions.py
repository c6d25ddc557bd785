"""Actions on an agent, from its card or its workspace: rename, retry, archive with undo, delete after confirmation."""

from typing import Any

from core.domain.errors import PlatformError
from core.domain.events import seq_of
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame
from ui.transcript.reducer import TranscriptReducer


class AgentActions:
    """The page is refreshed after each action. `deleting`: this page deletes the agent that it cannot find any more."""

    def __init__(self, page: PageFrame) -> None:
        self._page, self._agents = page, page.services.agents
        self.deleting = False

    async def rename(self, agent: str, name: str) -> None:
        """Raises: BadInput: empty or too long."""
        await self._agents.change(agent, user=self._page.user_id, name=name)
        await self._page.refresh()

    async def archive(self, agent: str, archived: bool) -> None:
        """Archive or restore the agent, and show a toast with an undo."""
        changed = await self._agents.change(agent, user=self._page.user_id, archived=archived)
        await self._page.refresh()

        async def undo() -> None:
            await self._agents.change(agent, user=self._page.user_id, archived=not archived)
            await self._page.refresh()

        words = self._page.words
        said = of_agent("archived" if archived else "restored", changed.name, words)
        self._page.toasts.show(said, action=words.t("common.undo"), undo=undo)

    async def retry(self, session: str) -> None:
        """Send the message of the last failed turn again; without one, start the session's CLI.

        Raises: NotFound. RunnerUnavailable.
        """
        user, conversations = self._page.user_id, self._page.services.conversations
        last = (await self._agents.session(session, user=user)).last_seq
        fold = TranscriptReducer(self._page.words)
        for event in await conversations.older(session, user=user, before=last + 1):
            fold.apply(event)
        if fold.failed is None:
            await conversations.warm(session, user=user)
        else:
            end, said = fold.failed
            await conversations.retry(session, said, user=user, after=seq_of(end))

    async def deletion_question(self, agent: str) -> dict[str, Any]:
        """The question before the agent is deleted, which says what will be deleted with it."""
        found = await self._agents.get(agent, user=self._page.user_id)
        sessions = await self._agents.sessions(agent, user=self._page.user_id)
        words = self._page.words
        text = words.t("dashboard.delete_text", n=len(sessions))
        return {"id": agent, "title": of_agent("delete_title", found.name, words), "text": text}

    async def delete(self, agent: str) -> None:
        """Delete the agent with its sessions and files. Raises: RunnerUnavailable: nothing was deleted."""
        self.deleting = True  # it stays True: the page may be refreshed once more while the browser leaves it
        try:
            await self._agents.delete(agent, user=self._page.user_id)
        except PlatformError:
            self.deleting = False
            raise
        await self._page.refresh()


def of_agent(act: str, name: str, words: Translations) -> str:
    """`dashboard.<act>` about this agent; one without a name has sentences of its own."""
    return words.t(f"dashboard.{act}", name=name) if name else words.t(f"dashboard.{act}_untitled")
