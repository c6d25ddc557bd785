"""Routes that concern the files of an agent's folder. The disk is used in threads: a slow one holds up nobody else."""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from core.domain.errors import BadInput, Conflict, RangeOutside
from core.protocol import files_api as api
from core.runner.files import listing, moving, revision, trash, writing, zipping
from core.runner.files.failures import told
from core.runner.files.folder import AgentFolder
from core.runner.files.paths import new_parts_of, parts_of
from core.runner.files.reading import is_folder, open_to_read
from core.runner.routes.http import json_answer, json_body, path_id, query_count

PIECE_BYTES = 256 * 1024
GATHERED_BYTES = 1024 * 1024  # written at once: a hop into a thread for each would cost more than the writing
MOST_BYTES = 64 * 1024**3  # of one file, if the caller names no limit
BYTES = "application/octet-stream"
RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")

T = TypeVar("T")


class FileRoutes:
    """Handlers of one runner. `home` is the user's, which the agents' folders are in."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(api.FILES, self._read),
            web.put(api.FILES, self._write),
            web.delete(api.FILES, self._delete),
            web.post(api.MOVE, self._move),
            web.post(api.MKDIR, self._mkdir),
            web.post(api.RESTORE, self._restore),
            web.get(api.ZIP, self._zip),
        ]

    def _folder(self, request: web.Request) -> AgentFolder:
        return AgentFolder(self._home, path_id(request, "agent"))

    async def _read(self, request: web.Request) -> web.StreamResponse:
        folder, names = self._folder(request), parts_of(request.query.get("path", ""))
        handle = await _in_thread(lambda: _opened(folder, names))
        if handle is None:  # nobody has spoken with this agent yet
            return _page(api.FolderPage(path=""))
        try:
            if is_folder(handle):
                after, limit = request.query.get("after", ""), query_count(request, "limit", api.LISTED)
                page = await _in_thread(lambda: listing.folder_page(handle, "/".join(names), after=after, limit=limit))
                return _page(page)
            return await _send(request, handle)
        finally:
            os.close(handle)

    async def _write(self, request: web.Request) -> web.Response:
        folder, names = self._folder(request), new_parts_of(request.query.get("path", ""))
        limit = query_count(request, "limit", MOST_BYTES)
        headers = request.headers
        if_match, if_none = _etag(headers.get("If-Match", "")), headers.get("If-None-Match", "")
        if if_none not in ("", writing.ANYTHING):
            raise BadInput("If-None-Match can only be *")
        with told(), writing.staging(folder, limit_bytes=limit) as staged:
            await _receive(request, staged)

            def commit() -> api.Written:
                with folder.root(make=True) as root:
                    return writing.commit(root, names, staged, if_match=if_match, if_none_match=if_none)

            written = await asyncio.to_thread(commit)
        return json_answer(written, status=201 if written.created else 200)

    async def _delete(self, request: web.Request) -> web.Response:
        folder, names = self._folder(request), parts_of(request.query.get("path", ""))
        if not names:
            raise BadInput("the folder itself cannot be deleted", code="bad_path")
        for_good = request.query.get("forever", "") == "1"
        name = await _in_thread(lambda: trash.throw_away(folder, names, for_good=for_good))
        return json_answer(api.Deleted(trash=name))

    async def _move(self, request: web.Request) -> web.Response:
        folder, body = self._folder(request), await json_body(request, api.MovePath)
        source, target = parts_of(body.source), new_parts_of(body.target)
        await _in_thread(lambda: moving.move(folder, source, target))
        return json_answer()

    async def _mkdir(self, request: web.Request) -> web.Response:
        folder, names = self._folder(request), new_parts_of((await json_body(request, api.NewFolder)).path)
        await _in_thread(lambda: moving.make(folder, names))
        return json_answer(status=201)

    async def _restore(self, request: web.Request) -> web.Response:
        folder, body = self._folder(request), await json_body(request, api.RestorePath)
        return json_answer(api.Restored(path=await _in_thread(lambda: trash.restore(folder, body.trash))))

    async def _zip(self, request: web.Request) -> web.StreamResponse:
        folder, names = self._folder(request), parts_of(request.query.get("path", ""))
        handle = await _in_thread(lambda: _opened(folder, names))
        if handle is None or not is_folder(handle):
            if handle is not None:
                os.close(handle)
            raise Conflict("only folders can be downloaded as a ZIP", code="not_a_folder")
        pieces = zipping.archive(handle)
        response = web.StreamResponse(headers={"Content-Type": "application/zip"})
        await response.prepare(request)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await response.write(piece)
        await response.write_eof()
        return response


async def _in_thread(work: Callable[[], T]) -> T:
    with told():
        return await asyncio.to_thread(work)


def _opened(folder: AgentFolder, names: tuple[str, ...]) -> int | None:
    """None: the agent has no folder yet. Raises: OSError. Conflict: it is no plain file."""
    try:
        with folder.root() as root:
            return open_to_read(root, names)
    except FileNotFoundError:
        if names:
            raise
        return None


def _page(page: api.FolderPage) -> web.Response:
    answer = json_answer(page)
    answer.headers[api.KIND] = "folder"
    return answer


async def _receive(request: web.Request, staged: writing.Staged) -> None:
    """Write the body into the file as it comes. Raises: OSError. FileTooLarge."""
    gathered, size = list[bytes](), 0
    async for piece in request.content.iter_any():
        gathered.append(piece)
        size += len(piece)
        if size >= GATHERED_BYTES:
            await asyncio.to_thread(staged.write, b"".join(gathered))
            gathered, size = [], 0
    await asyncio.to_thread(staged.write, b"".join(gathered))


async def _send(request: web.Request, handle: int) -> web.StreamResponse:
    """The file, or one range of it. The length is what it has now; a file that shrinks meanwhile breaks off."""
    about = os.fstat(handle)
    etag = f'"{await asyncio.to_thread(revision.of, handle)}"'
    start, end = _range(request, about.st_size, etag)
    whole = (start, end) == (0, about.st_size)
    response = web.StreamResponse(status=200 if whole else 206)
    response.headers.update(
        {"Content-Type": BYTES, api.KIND: "file", api.MODIFIED: str(about.st_mtime), "ETag": etag}
        | ({} if whole else {"Content-Range": f"bytes {start}-{end - 1}/{about.st_size}"})
    )
    response.content_length = end - start
    await response.prepare(request)
    while start < end:
        piece = await asyncio.to_thread(os.pread, handle, min(PIECE_BYTES, end - start), start)
        if not piece:
            raise ConnectionResetError("the file became shorter")
        await response.write(piece)
        start += len(piece)
    await response.write_eof()
    return response


def _range(request: web.Request, size: int, etag: str) -> tuple[int, int]:
    """The part that is asked for, from its first byte to behind its last; all of it if the header is no single range.

    Raises: RangeOutside.
    """
    found = RANGE.fullmatch(request.headers.get("Range", ""))
    if not size or not found or found[0] == "bytes=-" or request.headers.get("If-Range", etag) != etag:
        return 0, size
    if not found[1]:
        return max(0, size - int(found[2])), size
    start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
    if start >= size:
        raise RangeOutside(f"the file has {size} bytes")
    return (start, end) if start < end else (0, size)


def _etag(header: str) -> str:
    """The one tag of an If-Match header; a weak one or a list fits nothing."""
    return header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
