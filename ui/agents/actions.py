"""What is done to a whole agent, from its card or workspace: rename, retry, archive with undo, delete after asking."""

from typing import Any

from core.domain.errors import PlatformError
from core.domain.events import seq_of
from ui.layout.i18n import Translations
from ui.layout.page_frame import PageFrame
from ui.transcript.reducer import TranscriptReducer


class AgentActions:
    """The page is refreshed after each action. `deleting`: this page deletes the agent that it cannot find any more."""

    def __init__(self, page: PageFrame) -> None:
        self._page, self._agents = page, page.desk.agents
        self.deleting = False

    async def rename(self, agent: str, name: str) -> None:
        """Raises: BadInput: empty or too long."""
        await self._agents.change(agent, user=self._page.user_id, name=name)
        await self._page.refresh()

    async def archive(self, agent: str, archived: bool) -> None:
        """Put it away or take it out, and say so with an undo."""
        changed = await self._agents.change(agent, user=self._page.user_id, archived=archived)
        await self._page.refresh()

        async def undo() -> None:
            await self._agents.change(agent, user=self._page.user_id, archived=not archived)
            await self._page.refresh()

        words = self._page.words
        said = of_agent("archived" if archived else "restored", changed.name, words)
        self._page.toasts.show(said, action=words.t("common.undo"), undo=undo)

    async def retry(self, session: str) -> None:
        """Say once more what failed last in it; if nothing said did, start what could not start.

        Raises: NotFound. RunnerUnavailable.
        """
        user, talk = self._page.user_id, self._page.desk.conversations
        last = (await self._agents.session(session, user=user)).last_seq
        fold = TranscriptReducer(self._page.words)
        for event in await talk.older(session, user=user, before=last + 1):
            fold.apply(event)
        if fold.failed is None:
            await talk.warm(session, user=user)
        else:
            end, said = fold.failed
            await talk.retry(session, said, user=user, after=seq_of(end))

    async def doomed(self, agent: str) -> dict[str, Any]:
        """What to ask before it is deleted: in words that say what will be gone."""
        found = await self._agents.get(agent, user=self._page.user_id)
        sessions = await self._agents.sessions(agent, user=self._page.user_id)
        words = self._page.words
        text = words.t("dashboard.delete_text", n=len(sessions))
        return {"id": agent, "title": of_agent("delete_title", found.name, words), "text": text}

    async def delete(self, agent: str) -> None:
        """With its sessions and files. Raises: RunnerUnavailable: nothing was deleted."""
        self.deleting = True  # and stays so: its page may look once more while the browser leaves it
        try:
            await self._agents.delete(agent, user=self._page.user_id)
        except PlatformError:
            self.deleting = False
            raise
        await self._page.refresh()


def of_agent(act: str, name: str, words: Translations) -> str:
    """`dashboard.<act>` about this agent; one without a name has sentences of its own."""
    return words.t(f"dashboard.{act}", name=name) if name else words.t(f"dashboard.{act}_untitled")
