"""The web's calls about copies of an agent's folder, in which its tests work (core.runner.scratch)."""

from core.fleet.runner_client import RunnerClient
from core.protocol import runner_api as api


class CopiesClient:
    """The copies of one agent's folder. Raises from every call: RunnerUnavailable."""

    def __init__(self, runner: RunnerClient, agent: str) -> None:
        self._runner, self._agent = runner, agent

    async def make(self, copy: str) -> None:
        """Copy the folder, unless the copy exists. Raises: NotFound. NoSpace: the folder is too large."""
        await self._call("PUT", copy)

    async def remove(self, copy: str) -> None:
        """Remove a copy. Idempotent."""
        await self._call("DELETE", copy)

    async def _call(self, method: str, copy: str) -> None:
        async with self._runner.exchange(method, api.path(api.COPY, agent=self._agent, copy=copy)):
            return
