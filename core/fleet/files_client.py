"""The web's calls about the files of an agent's folder, to the runner of its user (core.protocol.files_api)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
import msgspec

from core.domain.errors import Conflict, RunnerUnavailable
from core.fleet.runner_client import Done, RunnerClient
from core.protocol import changes_api
from core.protocol import files_api as api
from core.protocol.changes_api import ChangeList, Revert, Reverted, Since
from core.protocol.runner_api import path as filled

PAGE_BYTES = 16 * 1024 * 1024  # the longest answer that is no stream: a page of 10,000 long names
Body = bytes | AsyncIterator[bytes]

T = TypeVar("T", bound=msgspec.Struct)


class FileContent(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a file. `revision` is that of the whole file; `cut` says that there is more of it."""

    data: bytes
    size_bytes: int
    revision: str
    modified_at: float

    @property
    def cut(self) -> bool:
        return self.size_bytes > len(self.data)


class FilesClient:
    """The folder of one agent. Raises from every call: RunnerUnavailable, and what the runner refused with."""

    def __init__(self, runner: RunnerClient, agent: str) -> None:
        self._runner, self._agent = runner, agent

    async def list(self, path: str = "", *, after: str = "", limit: int = api.LISTED) -> api.FolderPage:
        """A page of a folder. Raises: Conflict: `not_a_folder`. NotFound."""
        async with self.open(path, after=after, limit=limit) as answer:
            if answer.headers.get(api.KIND) != "folder":
                raise Conflict("this is not a folder", code="not_a_folder")
            return await decoded(answer, api.FolderPage)

    async def read(self, path: str, *, limit_bytes: int) -> FileContent:
        """The first bytes of a file. Raises: Conflict: `not_a_file`. NotFound."""
        async with self.open(path, range_=f"bytes=0-{limit_bytes - 1}") as answer:
            if answer.headers.get(api.KIND) != "file":
                raise Conflict("this is a folder", code="not_a_file")
            data = await whole(answer, limit_bytes)
            total = answer.headers.get("Content-Range", "").rpartition("/")[2]
            return FileContent(
                data=data,
                size_bytes=int(total) if total.isdigit() else len(data),
                revision=answer.headers.get("ETag", "").strip('"'),
                modified_at=float(answer.headers.get(api.MODIFIED, "0")),
            )

    @asynccontextmanager
    async def open(
        self, path: str, *, after: str = "", limit: int = api.LISTED, range_: str = "", if_range: str = ""
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A folder or a file as it is: the header `files_api.KIND` says which. An empty file has no range."""
        query = {"path": path, "after": after, "limit": str(limit)}
        headers = ({"Range": range_} if range_ else {}) | ({"If-Range": if_range} if if_range else {})
        async with self._runner.exchange("GET", self._path(api.FILES), query=query, headers=headers) as answer:
            yield answer

    async def write(
        self, path: str, body: Body, *, limit_bytes: int, if_match: str = "", if_none_match: str = ""
    ) -> api.Written:
        """Write a file whole or not at all, with the folders on the way.

        Raises: Conflict: `file_changed`: it is not the revision `if_match`; `file_exists`: it is there, and
        `if_none_match` is `*`; `not_a_file`. FileTooLarge. NoSpace.
        """
        headers = {"If-Match": f'"{if_match}"'} if if_match else {}
        headers |= {"If-None-Match": if_none_match} if if_none_match else {}
        query = {"path": path, "limit": str(limit_bytes)}
        async with self._runner.exchange(
            "PUT", self._path(api.FILES), query=query, headers=headers, body=body
        ) as answer:
            return await decoded(answer, api.Written)

    async def delete(self, path: str, *, for_good: bool = False) -> api.Deleted:
        """Move a file or a folder to the trash, or remove it. Raises: NotFound."""
        query = {"path": path} | ({"forever": "1"} if for_good else {})
        async with self._runner.exchange("DELETE", self._path(api.FILES), query=query) as answer:
            return await decoded(answer, api.Deleted)

    async def restore(self, trash: str) -> str:
        """Put back what was deleted; return its path. Raises: NotFound. Conflict: `file_exists`."""
        return (await self._post(api.RESTORE, api.RestorePath(trash=trash), api.Restored)).path

    async def move(self, source: str, target: str) -> None:
        """Move or rename. Raises: NotFound. Conflict: `file_exists`."""
        await self._post(api.MOVE, api.MovePath(source=source, target=target), Done)

    async def make_folder(self, path: str) -> None:
        """Make a folder with its parents. Raises: Conflict: `file_exists`."""
        await self._post(api.MKDIR, api.NewFolder(path=path), Done)

    @asynccontextmanager
    async def zip(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """A folder as a ZIP, while it is made. Raises: Conflict: `not_a_folder`."""
        async with self._runner.exchange("GET", self._path(api.ZIP), query={"path": path}) as answer:
            yield answer.content

    # --- what has changed ------------------------------------------------------------------------------------------

    async def changes(self, session: str, since: Since) -> ChangeList:
        """Return what has changed since the turn or the session began; without a session, in the newest one."""
        query = {"session": session, "since": since}
        async with self._runner.exchange("GET", self._path(changes_api.CHANGES), query=query) as answer:
            return await decoded(answer, ChangeList)

    async def before(self, session: str, since: Since, path: str) -> bytes:
        """The content that a file had. Raises: NotFound: there was none, or it is not kept."""
        query = {"session": session, "since": since, "path": path}
        async with self._runner.exchange("GET", self._path(changes_api.BEFORE), query=query) as answer:
            return await whole(answer, changes_api.KEPT_FILE_BYTES)

    async def revert(self, change: Revert) -> Reverted:
        """Put back the content that a file had. Raises: Conflict: `file_changed`. NotFound: it is not kept."""
        return await self._post(changes_api.REVERT, change, Reverted)

    async def _post(self, template: str, body: msgspec.Struct, kind: type[T]) -> T:
        raw = msgspec.json.encode(body)
        async with self._runner.exchange("POST", self._path(template), body=raw) as answer:
            return await decoded(answer, kind)

    def _path(self, template: str) -> str:
        return filled(template, agent=self._agent)


async def whole(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole answer. Raises: RunnerUnavailable: it is longer than we have asked for."""
    parts, size = list[bytes](), 0
    async for piece in answer.content.iter_any():
        parts.append(piece)
        size += len(piece)
        if size > limit:
            raise RunnerUnavailable("the runner's answer is too long")
    return b"".join(parts)


async def decoded(answer: aiohttp.ClientResponse, kind: type[T]) -> T:
    """The whole answer as a value of this kind. Raises: RunnerUnavailable: it is too long, or none of ours."""
    try:
        return msgspec.json.decode(await whole(answer, PAGE_BYTES), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RunnerUnavailable("the runner's answer is none of ours") from error
