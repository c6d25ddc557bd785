"""Files of an agent: list, read, write, move, delete, restore, download as ZIP. All bodies are streams.

Nothing of a user is ever a page of our origin: every file is an attachment, of a type that no browser runs, in a
sandbox of its own (SECURITY.md F5, X6).
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated
from urllib.parse import quote

import aiohttp
import msgspec
from fastapi import Header, Path, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from core.domain.errors import PlatformError, RunnerUnavailable
from core.domain.visible_text import visible
from core.protocol import files_api
from core.protocol.changes_api import ChangeList, Revert, Reverted, Since
from core.protocol.files_api import Deleted, FolderPage, MovePath, Restored, RestorePath, Written
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller, as_json

PIECE_BYTES = 256 * 1024
BYTES, ZIP = "application/octet-stream", "application/zip"
# What an <img> of our pages may show; as an attachment with `nosniff` it is still never a document.
PICTURES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
}
CLOSED = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # also of a file that somebody opens by its address
SESSION = r"^[A-Za-z0-9_-]{0,64}$"
CARRIED = ("ETag", "Content-Range")

FilePath = Annotated[str, Path(description="Relative to the agent's folder, `/` between names; empty: the folder.")]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The path of an entry after the move."""

    path: str


def router(services: Services) -> ApiRouter:
    """Routes under `/agents/{agent}/files`."""
    api = ApiRouter("files")
    _reading(api, services)
    _writing(api, services)
    _moving(api, services)
    _changes(api, services)
    return api


def _reading(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/agents/{agent}/files/{path:path}", problems=(404, 409, 416), gives=BYTES)
    async def read_file(
        agent: str,
        path: FilePath,
        user: Caller,
        range_: Annotated[str, Header(alias="Range", max_length=100)] = "",
        if_range: Annotated[str, Header(max_length=100)] = "",
        after: Annotated[str, Query(max_length=1000, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=files_api.MOST_LISTED)] = files_api.LISTED,
    ) -> FolderPage:
        """List a folder, or send a file's bytes with its `ETag`; one range of a file may be asked for."""
        folder = await services.files.of(agent, user=user.user_id)
        client = await folder.client()
        async with AsyncExitStack() as stack:
            found = client.open(path, after=after, limit=limit, range_=range_, if_range=if_range)
            answer = await stack.enter_async_context(found)
            if answer.headers.get(files_api.KIND) == "folder":
                return as_json(msgspec.Raw(await answer.content.read()))  # type: ignore[return-value]
            kept = {name: answer.headers[name] for name in CARRIED if name in answer.headers}
            kept |= {"Accept-Ranges": "bytes", "Content-Length": answer.headers.get("Content-Length", "")}
            kind = PICTURES.get(path.rpartition(".")[2].lower(), BYTES)
            headers = _closed(path.rpartition("/")[2]) | kept
            return _Streamed(answer.content, stack.pop_all(), headers, kind, answer.status)  # type: ignore[return-value]
        raise AssertionError("the context above returns or raises")

    @api.endpoint("GET", "/agents/{agent}/files:zip", problems=(404, 409), gives=ZIP)
    async def zip_folder(agent: str, user: Caller, path: Annotated[str, Query(max_length=4096)] = "") -> bytes:
        """Download a folder as a ZIP that is made while it is sent; `left-out.txt` in it names what is missing."""
        folder = await services.files.of(agent, user=user.user_id)
        client = await folder.client()
        async with AsyncExitStack() as stack:
            content = await stack.enter_async_context(client.zip(path))
            name = f"{path.rpartition('/')[2] or 'files'}.zip"
            return _Streamed(content, stack.pop_all(), _closed(name), ZIP, 200)  # type: ignore[return-value]
        raise AssertionError("the context above returns or raises")


def _writing(api: ApiRouter, services: Services) -> None:
    limit = services.files.upload_bytes if services else 0  # the OpenAPI document is made without services

    @api.endpoint("PUT", "/agents/{agent}/files/{path:path}", problems=(404, 408, 409, 413, 507), takes=BYTES)
    async def write_file(
        request: Request,
        agent: str,
        path: FilePath,
        user: Caller,
        if_match: Annotated[str, Header(max_length=100)] = "",
        if_none_match: Annotated[str, Header(max_length=100)] = "",
    ) -> Written:
        """Write a file whole or not at all. With `If-Match`, only over the version of that `ETag`."""
        folder = await services.files.of(agent, user=user.user_id)
        client, body = await folder.client(), _Body(request)
        try:
            return await client.write(
                path, body.parts(), limit_bytes=limit, if_match=if_match.strip('"'), if_none_match=if_none_match
            )
        except RunnerUnavailable:
            if body.failure:
                raise body.failure from None
            raise


def _moving(api: ApiRouter, services: Services) -> None:
    @api.endpoint("DELETE", "/agents/{agent}/files/{path:path}", problems=(404, 409))
    async def delete_file(agent: str, path: FilePath, user: Caller, forever: bool = False) -> Deleted:
        """Move a file or a folder to the trash, or with `forever` remove it at once."""
        folder = await services.files.of(agent, user=user.user_id)
        return await folder.call(lambda client: client.delete(path, for_good=forever))

    @api.endpoint("POST", "/agents/{agent}/files:move", problems=(404, 409))
    async def move_file(agent: str, body: MovePath, user: Caller) -> Moved:
        """Move or rename a file or a folder; nothing is ever replaced."""
        folder = await services.files.of(agent, user=user.user_id)
        await folder.call(lambda client: client.move(body.source, body.target))
        return Moved(path=body.target)

    @api.endpoint("POST", "/agents/{agent}/files:restore", problems=(404, 409))
    async def restore_file(agent: str, body: RestorePath, user: Caller) -> Restored:
        """Put back what was deleted; `trash` is that of the answer to DELETE."""
        folder = await services.files.of(agent, user=user.user_id)
        return Restored(path=await folder.call(lambda client: client.restore(body.trash)))


def _changes(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/agents/{agent}/changes", problems=(404,))
    async def list_changes(
        agent: str, user: Caller, since: Since = "session", session: Annotated[str, Query(pattern=SESSION)] = ""
    ) -> ChangeList:
        """List what has changed in the agent's folder since a session, or its last turn, began.

        Without `session` it is the session that spoke last.
        """
        folder = await services.files.of(agent, user=user.user_id)
        return await folder.call(lambda client: client.changes(session, since))

    @api.endpoint("POST", "/agents/{agent}/changes:revert", problems=(404, 409, 507))
    async def revert_change(agent: str, body: Revert, user: Caller) -> Reverted:
        """Put back the content that a file had; what was there now goes to the trash."""
        folder = await services.files.of(agent, user=user.user_id)
        return await folder.call(lambda client: client.revert(body))


def _closed(name: str) -> dict[str, str]:
    """Headers of a file that is kept and never shown. The name is RFC 5987's, without what would read otherwise."""
    shown = visible(name).replace("/", "_") or "file"
    return {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(shown, safe='')}",
        "Content-Security-Policy": CLOSED,
    }


class _Streamed(StreamingResponse):
    """The runner's answer passed on in pieces; `held` is closed whatever becomes of it."""

    def __init__(
        self, content: aiohttp.StreamReader, held: AsyncExitStack, headers: dict[str, str], kind: str, status: int
    ) -> None:
        named = {name: value for name, value in headers.items() if value}
        super().__init__(_pieces(content), status, named, media_type=kind)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


async def _pieces(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    async for piece in content.iter_chunked(PIECE_BYTES):
        yield piece


class _Body:
    """The body of a request on its way to the runner; remembers why it broke off, which aiohttp does not tell."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.failure: PlatformError | None = None

    async def parts(self) -> AsyncIterator[bytes]:
        """Raises: what the limits of the body say, when it comes too slowly or is too large."""
        try:
            async for part in self._request.stream():
                if part:
                    yield part
        except PlatformError as error:
            self.failure = error
            raise
        except ClientDisconnect:
            self.failure = RunnerUnavailable("the sender went away")
            raise
