"""The table of attacks on NiceGUI's socket: none succeeds, none leaves an error in the log, and after each of them the
page that was attacked goes on working for the person it belongs to.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import httpx2
import pytest

from auth.logins import Logins
from auth.socket_limits import BURST, MAX_FRAME_BYTES, PER_NETWORK, PER_USER
from core.domain.records import SYSTEM, User, now
from tests.auth.mini_app import KEY
from tests.auth.socket_world import Page, Peer, World, peer
from tests.timeouts import PATIENCE_S
from tests.tls import TLS

pytestmark = pytest.mark.socket_attacks

DEEP = "[" * 10_000 + "]" * 10_000


@dataclass
class Scene:
    """Alice at work on her page, Mallory signed in on a page of her own, and their sockets."""

    world: World
    alices: Page
    alice: Peer
    mallorys: Page
    mallory: Peer

    def event(self, page: Page, **other: object) -> list[Any]:
        """A press on a page, with something changed."""
        word, said = page.press()
        return [word, {**said, **other}]  # type: ignore[dict-item]


Attack = Callable[[Scene], Awaitable[None]]
ATTACKS: dict[str, Attack] = {}


def attack(name: str) -> Callable[[Attack], Attack]:
    def register(function: Attack) -> Attack:
        ATTACKS[name] = function
        return function

    return register


async def refused_before_the_socket_opens(page: Page, **how: Any) -> None:
    """No connection at all."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with peer(page, **how):
            pass
    assert refused.value.status in (400, 401, 403, 404)


async def turned_away(page: Page, **how: Any) -> None:
    """Connected, told to load anew, not heard, closed."""
    async with peer(page, **how) as socket:
        assert not await socket.joined()
        with contextlib.suppress(ConnectionError):
            await socket.emit(page.press())
        assert await socket.closed() < 3


async def cut(socket: Peer) -> None:
    assert await socket.closed() < 3


def with_cookie(value: str) -> dict[str, dict[str, str]]:
    return {"cookies": {"oma": value}}


# --- whose cookie -----------------------------------------------------------------------------------------------------


@attack("a stolen client_id without a cookie")
async def _(scene: Scene) -> None:
    await turned_away(scene.alices, cookies={})


@attack("a stolen client_id with another user's cookie")
async def _(scene: Scene) -> None:
    await turned_away(scene.alices, cookies=scene.mallorys.cookies)


@attack("the same with the handshake as a message of its own")
async def _(scene: Scene) -> None:
    await turned_away(scene.alices, cookies=scene.mallorys.cookies, implicit_handshake="")


@attack("a second login of the same user")
async def _(scene: Scene) -> None:
    await turned_away(scene.alices, **with_cookie((await scene.world.person("alice")).cookie))


@attack("a made-up cookie")
async def _(scene: Scene) -> None:
    await turned_away(scene.alices, **with_cookie("a" * 43 + "." + "b" * 43))


@attack("the login's id as the store has it")
async def _(scene: Scene) -> None:
    signed = await scene.world.logins.find(scene.alices.cookies["oma"])
    assert signed
    await turned_away(scene.alices, **with_cookie(signed.login.id))


@attack("a cookie signed with another key")
async def _(scene: Scene) -> None:
    user = await scene.world.store.get(User, scene.alices.user, owner=SYSTEM)
    await turned_away(scene.alices, **with_cookie(await Logins(scene.world.store, ["x" * 40]).start(user)))


@attack("a login that has run out")
async def _(scene: Scene) -> None:
    user = await scene.world.store.get(User, scene.alices.user, owner=SYSTEM)
    long_ago = now() - timedelta(days=8)
    await turned_away(
        scene.alices, **with_cookie(await Logins(scene.world.store, [KEY], clock=lambda: long_ago).start(user))
    )


@attack("a login that was ended")
async def _(scene: Scene) -> None:
    ended = await scene.world.person("ended")
    page = await scene.world.open(ended)
    await scene.world.logins.revoke(ended.login)
    async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S, cookies={"oma": ended.cookie}) as browser:
        async with asyncio.timeout(PATIENCE_S):  # until the server has noticed
            while (await browser.get(f"{scene.world.server.base}/dashboard")).status_code == 200:
                await asyncio.sleep(0.1)
    await turned_away(page)


@attack("a disabled user")
async def _(scene: Scene) -> None:
    carol = await scene.world.person("carol")
    page = await scene.world.open(carol)
    async with peer(page) as socket:
        assert await socket.joined()
        await scene.world.store.change(User, carol.id, owner=SYSTEM, disabled=True)
        await cut(socket)
    await turned_away(page)
    await scene.world.store.change(User, carol.id, owner=SYSTEM, disabled=False)


@attack("an event after the login has ended")
async def _(scene: Scene) -> None:
    ended = await scene.world.person("ended")
    page = await scene.world.open(ended)
    async with peer(page) as socket:
        assert await socket.joined()
        async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S, cookies={"oma": ended.cookie}) as browser:
            await browser.post(f"{scene.world.server.base}/auth/logout", headers={"origin": scene.world.server.base})
        await socket.emit(page.press())
        await cut(socket)


# --- where from -------------------------------------------------------------------------------------------------------

ORIGINS = {
    "another site": "https://evil.test",
    "null": "null",
    "none at all": None,
    "our name with a tail": "BASE.evil.test",
    "our name before an @": "BASE@evil.test",
    "another port": "http://127.0.0.1:1",
    "no port": "http://127.0.0.1",
    "another scheme": "https://127.0.0.1:PORT",
    "another name of this machine": "http://localhost:PORT",
    "a subdomain of ours": "http://x.127.0.0.1:PORT",
}


def from_origin(origin: str | None) -> Attack:
    async def run(scene: Scene) -> None:
        server = scene.world.server
        said = origin and origin.replace("BASE", server.base).replace("PORT", str(server.port))
        await refused_before_the_socket_opens(scene.alices, origin=said)

    return run


for _name, _origin in ORIGINS.items():
    attack(f"Origin: {_name}")(from_origin(_origin))


@attack("a name of the attacker's that resolves to us")
async def _(scene: Scene) -> None:
    await refused_before_the_socket_opens(scene.alices, origin="http://evil.test", headers={"Host": "evil.test"})


@attack("forwarded headers that nobody of ours wrote")
async def _(scene: Scene) -> None:
    forged = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.test"}
    await refused_before_the_socket_opens(scene.alices, origin="https://evil.test", headers=forged)


# --- which page -------------------------------------------------------------------------------------------------------


@attack("no client_id")
async def _(scene: Scene) -> None:
    await refused_before_the_socket_opens(scene.alices, client_id="")


@attack("a client_id that is none")
async def _(scene: Scene) -> None:
    for odd in ("unknown", "*", scene.alices.client_id.upper(), scene.alices.client_id + "\n", "../" * 9):
        await refused_before_the_socket_opens(scene.alices, client_id=odd)


@attack("a client_id that nobody has")
async def _(scene: Scene) -> None:
    await turned_away(scene.alices, client_id=str(uuid.uuid4()))


@attack("two client_ids, one's own first")
async def _(scene: Scene) -> None:
    async with peer(scene.mallorys, tail=f"&client_id={scene.alices.client_id}") as socket:
        if await socket.joined():
            await socket.emit(scene.alices.press())


@attack("two client_ids, the other's first")
async def _(scene: Scene) -> None:
    await turned_away(scene.alices, cookies=scene.mallorys.cookies, tail=f"&client_id={scene.mallorys.client_id}")


@attack("a socket that is for no page of NiceGUI")
async def _(scene: Scene) -> None:
    for path in ("/dashboard", "/", "/auth/login", "/_nicegui_ws/other/"):
        await refused_before_the_socket_opens(scene.alices, path=path)


@attack("polling instead of a socket, with the session of another's")
async def _(scene: Scene) -> None:
    sid = json.loads(scene.alice.seen[0][1:])["sid"]
    url = f"{scene.world.server.base}/_nicegui_ws/socket.io/?EIO=4&transport=polling&sid={sid}"
    headers = {"origin": scene.world.server.base}
    async with httpx2.AsyncClient(
        verify=TLS, timeout=PATIENCE_S, cookies=scene.mallorys.cookies, headers=headers
    ) as browser:
        assert (await browser.get(url)).status_code == 400
        assert (await browser.post(url, content=f"42{json.dumps(scene.alices.press())}")).status_code == 400


@attack("a socket that takes over the session of another's")
async def _(scene: Scene) -> None:
    sid = json.loads(scene.alice.seen[0][1:])["sid"]
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with peer(scene.alices, cookies=scene.mallorys.cookies, sid=sid) as socket:
            await socket.socket.send_str("2probe")
            assert await socket.next() == ""
            raise aiohttp.WSServerHandshakeError(None, (), status=403)  # type: ignore[arg-type]  # closed: as good


# --- what is said about the page of another ---------------------------------------------------------------------------


def about_alices(*words: Any) -> Attack:
    async def run(scene: Scene) -> None:
        said = json.loads(json.dumps(words).replace("ID", scene.alices.client_id))
        await scene.mallory.emit(said, id="7")

    return run


@attack("a press on another's page")
async def _(scene: Scene) -> None:
    await scene.mallory.emit(scene.alices.press())


attack("a handshake for another's page")(
    about_alices("handshake", {"client_id": "ID", "tab_id": "t1", "document_id": "d9", "next_message_id": 0})
)
attack("an answer to JavaScript for another's page")(
    about_alices("javascript_response", {"client_id": "ID", "request_id": "x", "result": 1})
)
attack("an ack that empties another's history")(about_alices("ack", {"client_id": "ID", "next_message_id": 10**9}))
attack("a forged line of the log")(
    about_alices("log", {"client_id": "ID", "level": "error", "message": "x\n12:00:00 ERROR forged"})
)
attack("a client_id that is a list")(about_alices("event", {"client_id": ["ID"], "id": 4, "listener_id": "x"}))


@attack("a forged line of the log from one's own page")
async def _(scene: Scene) -> None:
    said = {"client_id": scene.mallorys.client_id, "level": "error", "message": "x\nTraceback\x1b[2J"}
    for _ in range(30):
        await scene.mallory.emit(["log", said])


@attack("an event before the socket has joined")
async def _(scene: Scene) -> None:
    async with peer(scene.mallorys) as socket:
        await socket.emit(scene.alices.press())
        await socket.emit(scene.mallorys.press())
        assert await socket.joined()


@attack("a second handshake, then the other's page")
async def _(scene: Scene) -> None:
    hello = {"client_id": scene.mallorys.client_id, "tab_id": "t1", "document_id": "d1", "next_message_id": 0}
    await scene.mallory.emit(["handshake", hello])
    await scene.mallory.emit(scene.alices.press())


# --- what no page says ------------------------------------------------------------------------------------------------

ODD_FRAMES = {
    "the server's own word connect": '42["connect",{"QUERY_STRING":"client_id=x"}]',
    "the server's own word disconnect": '42["disconnect"]',
    "a word that is a dictionary": '42[{"a":1}]',
    "no word": "42[]",
    "no list": '42{"event":1}',
    "no JSON": '42["event",',
    "nesting ten thousand deep": f'42["event",{DEEP}]',
    "a number that is too long": "42" + "9" * 200 + '["event",{}]',
    "another namespace": "40/admin,",
    "an event in another namespace": '42/admin,["event",{}]',
    "a binary event": '451-["event",{"_placeholder":true,"num":0}]',
    "an acknowledgement": "4399[]",
    "an unknown kind of packet": "9",
    "an upgrade": "5",
    "an empty frame": "",
    "base64": "b4AAAA",
    "a frame over the limit": '42["event","' + "x" * MAX_FRAME_BYTES + '"]',
}


def says(text: str) -> Attack:
    async def run(scene: Scene) -> None:
        with contextlib.suppress(ConnectionError):
            await scene.mallory.socket.send_str(text)
        await cut(scene.mallory)

    return run


for _name, _text in ODD_FRAMES.items():
    attack(f"frame: {_name}")(says(_text))


@attack("frame: binary")
async def _(scene: Scene) -> None:
    await scene.mallory.socket.send_bytes(b'42["event",{}]')
    await cut(scene.mallory)


@attack("frame: small on the wire, 64 MB when unpacked")
async def _(scene: Scene) -> None:
    async with peer(scene.mallorys, compress=15) as socket:
        assert await socket.joined()
        before = (await scene.world.census())["rss"]
        with contextlib.suppress(ConnectionError):
            await socket.socket.send_str("4" * 64 * 2**20)
        await cut(socket)
        assert (await scene.world.census())["rss"] - before < 32 * 2**20


@attack("arguments nested ten thousand deep")
async def _(scene: Scene) -> None:
    await scene.mallory.emit(scene.event(scene.mallorys, args=[DEEP]))
    await cut(scene.mallory)


@attack("arguments that are no JSON")
async def _(scene: Scene) -> None:
    await scene.mallory.emit(scene.event(scene.mallorys, args=["{"]))
    await cut(scene.mallory)


@attack("a number of the next message that is none")
async def _(scene: Scene) -> None:
    async with peer(scene.mallorys, next_message_id="x") as socket:
        assert not await socket.joined()


@attack("a thousand events a second")
async def _(scene: Scene) -> None:
    said = f"42{json.dumps(scene.event(scene.mallorys, id=10**6))}"
    with contextlib.suppress(ConnectionError):
        for _ in range(int(BURST) * 5):
            await scene.mallory.socket.send_str(said)
    await cut(scene.mallory)


@attack("more sockets than a user has")
async def _(scene: Scene) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(PER_USER - 1):
            await stack.enter_async_context(peer(scene.mallorys))
        await refused_before_the_socket_opens(scene.mallorys)
    await scene.mallory.socket.close()


@attack("more sockets than strangers have")
async def _(scene: Scene) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(PER_NETWORK):
            await stack.enter_async_context(peer(scene.alices, cookies={}))
        await refused_before_the_socket_opens(scene.alices, cookies={})


@asynccontextmanager
async def scene_of(world: World) -> AsyncIterator[Scene]:
    alices = await world.open(await world.person("alice"))
    mallorys = await world.open(await world.person("mallory"))
    async with peer(alices) as alice, peer(mallorys) as mallory:
        assert await alice.joined()
        assert await mallory.joined()
        yield Scene(world=world, alices=alices, alice=alice, mallorys=mallorys, mallory=mallory)


def test_the_table_has_at_least_twenty_five() -> None:
    assert len(ATTACKS) >= 25


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_on_a_socket_fails_and_the_honest_user_works_on(world: World, name: str) -> None:
    async with scene_of(world) as scene:
        await ATTACKS[name](scene)
        await scene.alice.emit(scene.alices.press())
        await world.server.printed(f"pressed by {scene.alices.user}")
    assert world.server.pressed() == [f"pressed by {scene.alices.user}"]
    assert world.server.errors() == []
    assert [line for line in world.server.lines if scene.alices.client_id in line] == []
