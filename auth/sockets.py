"""The guard of NiceGUI's sockets. This is the only file that knows the internals of NiceGUI and Socket.IO.

For NiceGUI, a client that knows a page's `client_id` is its browser. Here a socket must also come from our origin
(auth.guard), have the login of the request that rendered the page, and speak only for the page that it connected for.
Anonymous pages (/login) are tied to a random HttpOnly cookie instead of a login, so that a stolen `client_id` alone is
worthless there too. A refused browser gets the message on which NiceGUI's page reloads itself, which leads to /login or
to the present page; then its connection is closed.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from nicegui import Client, app, background_tasks
from nicegui import core as nicegui_core
from nicegui import nicegui as nicegui_server
from socketio.exceptions import ConnectionRefusedError  # type: ignore[import-untyped]

from core.domain.errors import PlatformError

log = logging.getLogger("oma.sockets")
browser_log = logging.getLogger("oma.browser")

REFUSED = "Implicit handshake failed"  # the words on which NiceGUI's page reloads
SILENT_S = 5.0  # a connection that has not said which page it is for
ANONYMOUS_S = 10.0  # an anonymous page whose socket never came
WAITING = 30  # pages of one login whose sockets have not come yet; the oldest are forgotten, and load anew if they come
LOG_LINES, LOG_CHARS = 20, 500  # of one socket's own words in our log
GOODBYE_S = 0.3  # for a last message to leave
AT_ONCE = 32  # logins that are looked up together: one after the other, a thousand would take longer than 2 s


@dataclass(slots=True)
class Bound:
    """A socket, and the page and login that it may speak for."""

    client_id: str
    bind: str
    login: str  # empty: anonymous
    role: str = ""  # of its user when it was opened: what the page may show depends on it
    active: bool = False  # its user did something since the last look
    lines: int = 0


class SocketGuard:
    """Checks sockets between Socket.IO and NiceGUI's handlers, and knows the sockets of each login."""

    def __init__(self) -> None:
        self._sio = nicegui_core.sio
        self._bound: dict[str, Bound] = {}
        self._silent: dict[str, float] = {}  # Engine.IO connection without a page, and when it was first seen

    def install(self) -> None:
        """Take over NiceGUI's handlers. Once, before the server starts."""
        self._sio.eio.transports = ["websocket"]
        app.config.socket_io_js_transports = ["websocket"]
        on = self._sio.on
        on("connect", self._connect)
        on("handshake", self._handshake)
        on("disconnect", self._disconnect)
        on("event", self._about_its_page(nicegui_server._on_event, _is_event, is_action=True))
        on("javascript_response", self._about_its_page(nicegui_server._on_javascript_response, _has_request))
        on("ack", self._about_its_page(nicegui_server._on_ack, _has_number))
        on("log", self._about_its_page(self._log, _has_words))

    def logins(self) -> dict[str, bool]:
        """Return the logins with sockets here, and whether their users did something since the last call."""
        found: dict[str, bool] = {}
        for bound in self._bound.values():
            if bound.login:
                found[bound.login] = found.get(bound.login, False) or bound.active
                bound.active = False
        return found

    def end(self, login: str) -> None:
        """Close every socket of a login. Their messages are refused at once, before they are closed."""
        ended = [sid for sid, bound in self._bound.items() if bound.login == login]
        for sid in ended:
            del self._bound[sid]
            background_tasks.create(self._dismiss(sid), name="dismiss socket")

    def end_other_roles(self, login: str, role: str) -> None:
        """Reload pages that were rendered for another role of the login's user."""
        if any(bound.login == login and bound.role != role for bound in self._bound.values()):
            self.end(login)

    async def sweep(self) -> None:
        """Close connections that never named their page, and delete anonymous pages without a viewer."""
        now = time.monotonic()
        known = {self._sio.manager.eio_sid_from_sid(sid, "/") for sid in self._bound}
        silent = [eio_sid for eio_sid in list(self._sio.eio.sockets) if eio_sid not in known]
        self._silent = {eio_sid: self._silent.get(eio_sid, now) for eio_sid in silent}
        for eio_sid, since in self._silent.items():
            if now - since > SILENT_S:
                background_tasks.create(self._hang_up(eio_sid), name="hang up silent socket")
        for client in _forgotten(Client.instances.values()):
            client.delete()

    async def _connect(self, sid: str, *args: Any) -> None:
        environ = self._sio.get_environ(sid)
        if not args or args[0] is not environ:
            return  # not Socket.IO calls but a browser, by an event that it named "connect"
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        state = environ["asgi.scope"].get("state") or {}
        client = Client.instances.get(query.get("client_id", ""))
        login = str(state.get("login", ""))
        bind = str(state.get("bind", ""))
        role = str(getattr(state.get("user"), "role", ""))
        if client is None or not bind or _bind_of(client) != bind or not _is_number(query.get("next_message_id")):
            raise self._turned_away(sid)
        self._bound[sid] = Bound(client_id=client.id, bind=bind, login=login, role=role)
        try:
            await nicegui_server._on_connect(sid, environ)
        except ConnectionRefusedError as error:
            self._bound.pop(sid, None)
            raise self._turned_away(sid) from error

    def _turned_away(self, sid: str) -> ConnectionRefusedError:
        """Return the error that refuses the socket; its connection closes after the client was told."""
        eio_sid = self._sio.manager.eio_sid_from_sid(sid, "/")
        background_tasks.create(self._hang_up(eio_sid), name="hang up refused socket")
        return ConnectionRefusedError(REFUSED)

    async def _handshake(self, sid: str, *args: Any) -> bool:
        bound, data = self._bound.get(sid), args[0] if args else None
        if bound is None or not isinstance(data, dict) or data.get("client_id") != bound.client_id:
            return False
        if not all(isinstance(data.get(name), str) for name in ("tab_id", "document_id")):
            return False
        if not _is_number(data.get("next_message_id")):
            return False
        return bool(await nicegui_server._on_handshake(sid, data))

    def _disconnect(self, sid: str, *_: Any) -> None:
        self._bound.pop(sid, None)
        nicegui_server._on_disconnect(sid)

    def _about_its_page(
        self, handler: Callable[[str, Any], None], shape: Callable[[dict[str, Any]], bool], *, is_action: bool = False
    ) -> Callable[..., None]:
        """Wrap `handler` so that it gets only well-formed messages of a bound socket about its own page. It is not
        async, because the order must stay.
        """

        def checked(sid: str, *args: Any) -> None:
            bound, message = self._bound.get(sid), args[0] if len(args) == 1 else None
            if bound is None or not isinstance(message, dict) or message.get("client_id") != bound.client_id:
                return
            client = Client.instances.get(bound.client_id)
            if client is not None and sid in client._socket_to_document_id and shape(message):
                bound.active = bound.active or is_action
                try:
                    handler(sid, message)
                except ValueError:  # its arguments, text in text, are no JSON or nested too deep
                    self._cut(sid)

        return checked

    def _log(self, sid: str, message: dict[str, Any]) -> None:
        bound = self._bound[sid]
        bound.lines += 1
        if bound.lines <= LOG_LINES:
            browser_log.info("%r", message["message"][:LOG_CHARS])  # %r: no line of it can pose as ours

    def _cut(self, sid: str) -> None:
        """Ignore everything that this socket sends from now on, and close it."""
        del self._bound[sid]
        eio_sid = self._sio.manager.eio_sid_from_sid(sid, "/")
        background_tasks.create(self._hang_up(eio_sid), name="hang up odd socket")

    async def _dismiss(self, sid: str) -> None:
        """Ask the page to reload itself (it will be signed out), then close the socket."""
        if not self._sio.manager.is_connected(sid, "/"):
            return
        eio_sid = self._sio.manager.eio_sid_from_sid(sid, "/")
        await self._sio.emit("try_reconnect", to=sid)
        await self._hang_up(eio_sid)

    async def _hang_up(self, eio_sid: str) -> None:
        """Close the connection under a socket, once its last message had time to leave.

        Engine.IO only asks the peer to close, and waits: who does not do as asked would stay for 12 s.
        """
        await asyncio.sleep(GOODBYE_S)
        environ = self._sio.environ.get(eio_sid)
        await self._sio.eio.disconnect(eio_sid)
        if environ is not None:
            with contextlib.suppress(RuntimeError, OSError):  # it is closed already, by us or by the peer
                await environ["asgi.send"]({"type": "websocket.close", "code": 4401})


def _bind_of(client: Client) -> str:
    """Return the binding (login or visit) of the request that rendered the page."""
    request = client._request
    return "" if request is None else str((request.scope.get("state") or {}).get("bind", ""))


def _forgotten(clients: Iterable[Client]) -> list[Client]:
    """Return pages without a viewer: a program that only loads pages must not fill the memory."""
    old = time.time() - ANONYMOUS_S
    waiting: dict[str, list[Client]] = {}
    for client in clients:
        if not client.has_socket_connection and not client._delete_tasks:
            waiting.setdefault(_bind_of(client), []).append(client)
    gone = []
    for bind, pages in waiting.items():  # the oldest first
        anonymous = bind.startswith("visit:")
        gone += [page for page in pages if page.created <= old] if anonymous else pages[:-WAITING]
    return gone


def _is_number(value: object) -> bool:
    """Return whether NiceGUI can pass the value to int(): absent, a number, or digits."""
    return value is None or isinstance(value, int) or (isinstance(value, str) and value.isdigit() and len(value) < 16)


def _is_event(message: dict[str, Any]) -> bool:
    arguments = message.get("args", [])
    return (
        isinstance(message.get("id"), int)
        and isinstance(message.get("listener_id"), str)
        and isinstance(arguments, list)
        and all(argument is None or isinstance(argument, str) for argument in arguments)
    )


def _has_request(message: dict[str, Any]) -> bool:
    return isinstance(message.get("request_id"), str)


def _has_number(message: dict[str, Any]) -> bool:
    return isinstance(message.get("next_message_id"), int)


def _has_words(message: dict[str, Any]) -> bool:
    return isinstance(message.get("message"), str)


async def watch(guard: SocketGuard, check: Callable[[str, bool], Awaitable[str | None]], *, every_s: float) -> None:
    """End the sockets of logins that ended elsewhere or ran out, for as long as the server runs.

    `check` gives the role of the login's user, None if the login has ended.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def look(login: str, active: bool) -> None:
        async with places:
            role = await check(login, active)
        if role is None:
            guard.end(login)
        else:
            guard.end_other_roles(login, role)

    while True:
        await asyncio.sleep(every_s)
        # Whatever goes wrong with one of them: the others are looked at, and the next round comes.
        looks = [look(login, active) for login, active in guard.logins().items()]
        done = await asyncio.gather(*looks, guard.sweep(), return_exceptions=True)
        if errors := [error for error in done if isinstance(error, Exception)]:
            said = errors[0] if isinstance(errors[0], PlatformError) else repr(errors[0])
            log.warning("%d of %d logins could not be checked: %s", len(errors), len(looks), said)
