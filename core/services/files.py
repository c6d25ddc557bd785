"""The files of a user's agents, from the web's side. The web opens none of them itself: the user's runner does."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from core.domain.errors import RunnerUnavailable
from core.domain.records import Agent, UserId
from core.fleet.files_client import FilesClient
from core.fleet.runner_pool import RunnerPool
from core.store import Store

T = TypeVar("T")


class Files:
    """Use cases; the user is checked by being the agent's owner in every call."""

    def __init__(self, *, store: Store, runners: RunnerPool, upload_bytes: int) -> None:
        self._store, self._runners = store, runners
        self.upload_bytes = upload_bytes  # the largest file that is taken

    async def of(self, agent: str, *, user: UserId) -> "AgentFiles":
        """The folder of one agent. Raises: NotFound."""
        await self._store.get(Agent, agent, owner=user)
        return AgentFiles(self._runners, agent, user)


class AgentFiles:
    """The folder of one agent of its owner."""

    def __init__(self, runners: RunnerPool, agent: str, user: UserId) -> None:
        self._runners, self._agent, self._user = runners, agent, user

    async def call(self, call: Callable[[FilesClient], Awaitable[T]]) -> T:
        """A call that may be made twice: once more to the next runner if the first one is ending or dead."""
        runner = await self._runners.get_or_start(self._user)
        try:
            return await call(FilesClient(runner, self._agent))
        except RunnerUnavailable as error:
            if error.code == "runner_outdated":
                raise
            runner = await self._runners.replace_failed(runner, stopping=error.code == "stopping")
            return await call(FilesClient(runner, self._agent))

    async def client(self) -> FilesClient:
        """Return the client for bodies and answers in parts, which cannot be sent twice. Raises: RunnerUnavailable."""
        return FilesClient(await self._runners.get_or_start(self._user), self._agent)
