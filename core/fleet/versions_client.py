"""The web's calls about an agent's versions and instructions (core.protocol.versions_api), to its user's runner."""

from typing import TypeVar

import msgspec

from core.fleet.files_client import decoded, whole
from core.fleet.runner_client import Done, RunnerClient
from core.protocol import versions_api as api
from core.protocol.runner_api import path

ARCHIVE_BYTES = 24 * 1024 * 1024

T = TypeVar("T", bound=msgspec.Struct)


class VersionsClient:
    """One agent. Raises from every call: RunnerUnavailable, and what the runner refused with."""

    def __init__(self, runner: RunnerClient, agent: str) -> None:
        self._runner, self._agent = runner, agent

    async def publish(self, asked: api.Publish) -> api.Published:
        """Commit the folder as it is. Raises: TooMuch: `version_too_large`."""
        return await self._call("POST", api.VERSIONS, api.Published, asked)

    async def restore(self, version: api.VersionRef) -> api.Restored:
        """Make the folder what this version was. Raises: Conflict: `version_damaged`."""
        return await self._call("POST", api.RESTORE, api.Restored, api.Restore(version=version))

    async def diff(self, before: api.VersionRef | None, after: api.VersionRef | None) -> api.Diff:
        """Compare the files of two versions; None is the folder as it is. Raises: Conflict: `version_damaged`."""
        return await self._call("POST", api.DIFF, api.Diff, api.DiffRequest(before=before, after=after))

    async def pack(self, asked: api.Pack) -> bytes:
        """Return a version, or the folder as it is, as a ZIP file. Raises: Conflict: `version_damaged`."""
        raw, headers = msgspec.json.encode(asked), {"Content-Type": "application/json"}
        where = path(api.PACK, agent=self._agent)
        async with self._runner.exchange("POST", where, body=raw, headers=headers) as answer:
            return await whole(answer, ARCHIVE_BYTES)

    async def unpack(self, raw: bytes) -> api.Imported:
        """Write a ZIP file's content into the folder, which is a new agent's. Raises: BadInput: `bad_archive`."""
        async with self._runner.exchange("POST", path(api.IMPORT, agent=self._agent), body=raw) as answer:
            return await decoded(answer, api.Imported)

    async def duplicate(self, target: str) -> None:
        """Copy the folder's files into a new agent's folder. Raises: TooMuch: `version_too_large`."""
        await self._call("POST", api.DUPLICATE, Done, api.Duplicate(target=target))

    async def instructions(self) -> api.Instructions:
        """Read CLAUDE.md."""
        return await self._call("GET", api.INSTRUCTIONS, api.Instructions)

    async def write_instructions(self, wanted: api.Instructions) -> api.Instructions:
        """Write CLAUDE.md. Raises: Conflict: `instructions_changed`: it is not what the writer has seen."""
        return await self._call("PUT", api.INSTRUCTIONS, api.Instructions, wanted)

    async def _call(self, method: str, template: str, kind: type[T], body: msgspec.Struct | None = None) -> T:
        raw = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"}
        async with self._runner.exchange(method, path(template, agent=self._agent), body=raw, headers=headers) as found:
            return await decoded(found, kind)
