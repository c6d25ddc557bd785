"""Every route of the web × everybody who must not be served by it. A route that is not in the table fails the build.

The table is compared with the live routes of the application as it is served, and so are the words of the sockets.
"""

import asyncio
import itertools
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from auth.accounts import upsert_user
from auth.claims import Identity
from auth.logins import Logins
from core.domain.notifications import Channel, ChannelKind
from core.domain.records import SYSTEM, Agent, Box, Request, Session, User, UserId, new_agent_id, new_session_id, now
from core.domain.runs import Run, TriggerKind
from core.domain.schedules import Schedule, Trigger
from core.protocol.tokens import sign
from core.store.sqlite import SqliteStore
from tests.auth.socket_world import Page, Peer, peer
from tests.e2e.test_strangers import same
from tests.product import free_port
from tests.serve_front import KEY
from tests.timeouts import PATIENCE_S, START_S
from tests.tls import TLS

CANARY = "앨리스의 비밀"
SIGN_IN = 303  # to /login
ADDRESSES = itertools.cycle(f"127.0.0.{n}" for n in range(2, 250))

# route: what a stranger gets (and who was disabled, and whose login ran out), what another signed-in user gets.
# Where the route names somebody's thing, "another user" asks for Alice's, and for one that never was: the same.
TABLE: dict[str, tuple[int, int]] = {
    "GET /": (SIGN_IN, 303),
    "GET /dashboard": (SIGN_IN, 200),
    "GET /inbox": (SIGN_IN, 200),
    "GET /settings": (SIGN_IN, 200),
    "GET /settings/secrets": (SIGN_IN, 200),
    "GET /settings/notifications": (SIGN_IN, 200),
    "GET /settings/model": (SIGN_IN, 404),
    "GET /push_worker.js": (SIGN_IN, 200),
    "GET /workspace/{agent_id}": (SIGN_IN, 404),
    "GET /agents/{agent_id}": (SIGN_IN, 404),
    "GET /agents/{agent_id}/connections": (SIGN_IN, 404),
    "GET /runs": (SIGN_IN, 200),
    "GET /runs/{run_id}": (SIGN_IN, 404),
    "GET /runs/reasons/{code}": (SIGN_IN, 404),
    "GET /runs.csv": (SIGN_IN, 200),
    "GET /runs.json": (SIGN_IN, 200),
    "GET /agents/{agent_id}/operate": (SIGN_IN, 404),
    "GET /agents/{agent_id}/run": (SIGN_IN, 404),
    "GET /usage": (SIGN_IN, 200),
    "GET /usage.csv": (SIGN_IN, 200),
    "GET /sessions/{session}/export.{ending}": (SIGN_IN, 404),
    "GET /admin": (SIGN_IN, 404),
    "GET /admin/audit.jsonl": (SIGN_IN, 404),
    "POST /settings/export": (401, 200),
    "GET /api/v1/agents": (401, 200),
    "POST /api/v1/agents": (401, 201),
    "POST /api/v1/agents/{agent}/sessions": (401, 404),
    "GET /api/v1/agents/{agent}/outbound": (401, 404),
    "GET /api/v1/agents/{agent}/files/{path:path}": (401, 404),
    "PUT /api/v1/agents/{agent}/files/{path:path}": (401, 404),
    "DELETE /api/v1/agents/{agent}/files/{path:path}": (401, 404),
    "GET /api/v1/agents/{agent}/files:zip": (401, 404),
    "GET /api/v1/agents/{agent}/changes": (401, 404),
    "POST /api/v1/agents/{agent}/changes:revert": (401, 404),
    "POST /api/v1/agents/{agent}/files:move": (401, 404),
    "POST /api/v1/agents/{agent}/files:restore": (401, 404),
    "POST /api/v1/agents/{agent}/tests/run": (401, 404),
    "GET /api/v1/agents/{agent}/tests": (401, 404),
    "GET /api/v1/sessions/{session}/events": (401, 404),
    "POST /api/v1/sessions/{session}/messages": (401, 404),
    "POST /api/v1/agents/{agent}/runs": (401, 404),
    "GET /api/v1/runs": (401, 200),
    "GET /api/v1/runs/{run}": (401, 404),
    "POST /api/v1/runs/{run}/cancel": (401, 404),
    "POST /api/v1/runs/{run}/retry": (401, 404),
    "GET /api/v1/runs/{run}/events": (401, 404),
    "GET /api/v1/agents/{agent}": (401, 404),
    "PATCH /api/v1/agents/{agent}": (401, 404),
    "GET /api/v1/agents/{agent}/instructions": (401, 404),
    "PUT /api/v1/agents/{agent}/instructions": (401, 400),
    "POST /api/v1/agents/{agent}/publish": (401, 404),
    "GET /api/v1/agents/{agent}/export": (401, 404),
    "POST /api/v1/agents/import": (401, 400),
    "POST /api/v1/agents/{agent}/duplicate": (401, 404),
    "GET /api/v1/agents/{agent}/wishes": (401, 404),
    "POST /api/v1/agents/{agent}/wishes": (401, 404),
    "GET /api/v1/agents/{agent}/versions": (401, 404),
    "GET /api/v1/agents/{agent}/versions/{number}/diff": (401, 404),
    "POST /api/v1/agents/{agent}/versions/{number}/restore": (401, 404),
    "POST /api/v1/agents/{agent}/triggers": (401, 404),
    "GET /api/v1/agents/{agent}/triggers": (401, 404),
    "PATCH /api/v1/triggers/{trigger}": (401, 404),
    "DELETE /api/v1/triggers/{trigger}": (401, 404),
    "POST /api/v1/triggers/{trigger}/pause": (401, 404),
    "POST /api/v1/triggers/{trigger}/resume": (401, 404),
    "POST /api/v1/triggers/preview": (401, 400),
    "GET /api/v1/usage": (401, 200),
    "GET /api/v1/search": (401, 200),
    "GET /api/v1/limits": (401, 200),
    "PUT /api/v1/limits": (401, 200),
    "GET /api/v1/admin/usage": (401, 404),
    "GET /api/v1/admin/limits": (401, 404),
    "PUT /api/v1/admin/limits": (401, 404),
    "PUT /api/v1/admin/users/{user_id}/limits": (401, 404),
    "DELETE /api/v1/admin/users/{user_id}/limits": (401, 404),
    "GET /api/v1/notifications": (401, 200),
    "PUT /api/v1/notifications/quiet-hours": (401, 200),
    "GET /api/v1/notifications/channels/{channel}": (401, 404),
    "PUT /api/v1/notifications/channels/{channel}": (401, 400),
    "DELETE /api/v1/notifications/channels/{channel}": (401, 200),
    "POST /api/v1/notifications/channels/{channel}/test": (401, 404),
    "GET /api/v1/openapi.json": (401, 200),
    # what is for everybody
    "GET /healthz": (200, 200),
    "GET /readyz": (200, 200),
    "GET /login": (200, 303),
    "GET /theme/{name}": (404, 404),
    "GET /auth/login": (503, 503),  # the provider of this test does not answer
    "HEAD /auth/login": (503, 503),
    "GET /auth/callback": (400, 400),
    "HEAD /auth/callback": (405, 405),
    "GET /auth/local": (303, 303),
    "HEAD /auth/local": (405, 405),
    "POST /auth/local/link": (303, 303),
    "POST /auth/logout": (303, 303),
    "GET /_nicegui/{version}/components/{key:path}": (404, 404),
    "GET /_nicegui/{version}/dynamic_resources/{name}": (404, 404),
    "GET /_nicegui/{version}/esm/{key}/{path:path}": (404, 404),
    "GET /_nicegui/{version}/libraries/{key:path}": (404, 404),
    "GET /_nicegui/{version}/resources/{key}/{path:path}": (404, 404),
    "ANY /_nicegui/{version}/static": (404, 404),
    "ANY /_nicegui_ws": (401, 400),  # without a socket, which auth/sockets.py guards
}
# word: what is said about Alice's page, `ID` being its client_id.
WORDS: dict[str, list[Any]] = {
    "connect": [{"client_id": "ID"}],
    "disconnect": [],
    "handshake": [{"client_id": "ID", "tab_id": "t9", "document_id": "d9", "next_message_id": 0}],
    "event": [{"client_id": "ID", "id": "ELEMENT", "listener_id": "LISTENER", "args": []}],
    "javascript_response": [{"client_id": "ID", "request_id": "x", "result": 1}],
    "ack": [{"client_id": "ID", "next_message_id": 10**9}],
    "log": [{"client_id": "ID", "level": "error", "message": "FORGED"}],
}
STRANGERS = ("nobody", "disabled", "expired")


@dataclass
class Served:
    """The application in a process of its own, and a store beside it."""

    base: str
    store: SqliteStore
    logins: Logins
    alices: dict[str, str]  # name of a parameter → the id of Alice's

    async def login(self, name: str, *, clock: Any = now) -> str:
        """The cookie of a fresh login; `nobody` has none."""
        if name == "nobody":
            return ""
        user = await upsert_user(self.store, Identity(issuer="https://idp.test", subject=name, name=name), admin=False)
        cookie = await Logins(self.store, [KEY], clock=clock).start(user)
        if name == "disabled":
            await self.store.change(User, user.id, owner=SYSTEM, disabled=True)
        return cookie

    async def actor(self, name: str) -> dict[str, str]:
        """The cookies of somebody who asks now."""
        if name == "disabled":
            for user in await self.store.find(User, owner=SYSTEM, where={"subject": "disabled"}):
                await self.store.change(User, user.id, owner=SYSTEM, disabled=False)
        long_ago = now() - timedelta(days=8)
        cookie = await self.login(name, clock=(lambda: long_ago) if name == "expired" else now)
        return {"oma": cookie} if cookie else {}

    async def ask(
        self, route: str, cookies: dict[str, str], ids: dict[str, str], *, headers: Any = None, query: str = ""
    ) -> httpx2.Response:
        method, _, path = route.partition(" ")
        path = re.sub(r"\{(\w+)(:path)?\}", lambda found: ids.get(found[1], "x"), path)
        path += "/socket.io/?EIO=4&transport=polling" if path == "/_nicegui_ws" else ""
        method = "GET" if method == "ANY" else method
        moved = {"source": "a", "target": "b", "trash": "x", "since": "turn", "path": "a"}
        bodies: dict[str, Any] = {
            "POST": {"text": "hello", "message_id": "m1", **moved},
            "PUT": {"user_month_usd": 1.0},
        }
        body = {"json": bodies[method]} if method in bodies else {}
        said = {"origin": self.base, "accept": "text/html", **(headers or {})}
        path += query.replace("?", "&") if "?" in path else query
        # Each from an address of its own: strangers are counted by it, and all of these would be too many.
        transport = httpx2.AsyncHTTPTransport(verify=TLS, local_address=next(ADDRESSES))
        async with httpx2.AsyncClient(
            transport=transport, cookies=cookies, headers=said, timeout=PATIENCE_S
        ) as browser:
            answer: httpx2.Response = await browser.request(method, self.base + path, **body)
            return answer


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, dict[str, list[str]]]]:
    port, folder = free_port(), tmp_path_factory.mktemp("front")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.serve_front", str(port), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    live = json.loads(process.stdout.readline())
    live["routes"] = [re.sub(r"/_nicegui/[\d.]+/", "/_nicegui/{version}/", route) for route in live["routes"]]
    yield f"http://127.0.0.1:{port}", folder, live
    process.send_signal(signal.SIGINT)
    process.wait(15)
    process.stdout.close()


@pytest.fixture
async def served(running: tuple[str, Path, dict[str, list[str]]]) -> AsyncIterator[Served]:
    base, folder, _ = running
    async with await SqliteStore.open(folder / "oma.db") as store:
        await _answers(base)
        alice = UserId((await upsert_user(store, Identity(issuer="https://idp.test", subject="alice"), admin=False)).id)
        at, agent = now(), new_agent_id()
        session = Session(id=new_session_id(), agent=agent, title=CANARY, created_at=at, updated_at=at)
        await store.create(Agent(id=agent, name=CANARY, draft=False, created_at=at, updated_at=at), owner=alice)
        await store.create(session, owner=alice)
        run = Run(
            id="a11ce", agent=agent, session=session.id, trigger_kind=TriggerKind.PERSON, trigger=alice, at=at,
            created_at=at,
            input=CANARY, result=CANARY,
        )  # fmt: skip
        await store.put(run, owner=alice)
        schedule = Schedule(cron="0 9 * * *")
        trigger = Trigger(
            id="a11ce", agent=agent, schedule=schedule, input=CANARY, counted_from=at, created_at=at, updated_at=at
        )
        await store.put(trigger, owner=alice)
        channel = Channel(id="a11ce", kind=ChannelKind.EMAIL, name=CANARY, address="alice@example.com", created_at=at)
        await store.put(channel, owner=alice)
        ids = {
            "agent": agent,
            "agent_id": agent,
            "session": session.id,
            "run": run.id,
            "run_id": run.id,
            "trigger": trigger.id,
            "number": "1",
            "channel": channel.id,
        }
        yield Served(base=base, store=store, logins=Logins(store, [KEY]), alices=ids)


async def _answers(base: str) -> None:
    async with httpx2.AsyncClient(verify=TLS, timeout=START_S) as client, asyncio.timeout(START_S):
        while True:
            try:
                await client.get(f"{base}/healthz")
            except httpx2.ConnectError:
                await asyncio.sleep(0.05)
            else:
                return


def test_every_route_and_every_word_of_the_sockets_is_in_the_table(
    running: tuple[str, Path, dict[str, list[str]]],
) -> None:
    _, _, live = running
    assert set(live["routes"]) == set(TABLE)
    assert set(live["words"]) == set(WORDS)


@pytest.mark.parametrize("route", TABLE)
async def test_whoever_is_not_signed_in_gets_what_the_table_says(served: Served, route: str) -> None:
    for name in STRANGERS:
        answer = await served.ask(route, await served.actor(name), served.alices)
        assert answer.status_code == TABLE[route][0], f"{name}: {answer.text[:300]}"
        if TABLE[route][0] == SIGN_IN:
            assert answer.headers["location"].startswith("/login"), name
        assert CANARY not in answer.text, name


@pytest.mark.parametrize("route", TABLE)
async def test_another_user_gets_what_the_table_says_and_nothing_of_alice(served: Served, route: str) -> None:
    answer = await served.ask(route, await served.actor("bob"), served.alices)
    assert answer.status_code == TABLE[route][1], answer.text[:300]
    assert CANARY not in answer.text
    if "location" in answer.headers and TABLE[route][1] == 303:
        assert answer.headers["location"].startswith(("/dashboard", "/login"))


@pytest.mark.parametrize("route", [route for route in TABLE if TABLE[route][1] == 404 and "/_nicegui" not in route])
async def test_what_is_alices_and_what_never_was_are_the_same_to_bob(served: Served, route: str) -> None:
    random = {
        "agent": new_agent_id(),
        "session": new_session_id(),
        "run": "f00",
        "run_id": "f00",
        "trigger": "f00",
        "number": "1",
        "channel": "f00",
    }
    random["agent_id"] = random["agent"]
    cookies = await served.actor("bob")
    theirs = await served.ask(route, cookies, served.alices)
    nowhere = "GET /api/v1/no/such/thing" if "/api/" in route else "GET /no/such/page"
    nobodys = await served.ask(route if "{" in route else nowhere, cookies, random)
    ids = (*served.alices.values(), *random.values())
    assert theirs.status_code == nobodys.status_code == 404
    assert same(theirs.text, ids) == same(nobodys.text, ids)
    kept = [sorted(name for name in answer.headers if name != "date") for answer in (theirs, nobodys)]
    assert kept[0] == kept[1]


READ_IN_THE_BOX = ("/files", "/changes", "/agents/{agent}/export", "/instructions", "/wishes", "/diff")


async def test_looking_changes_nothing(served: Served) -> None:
    """Holds for every page and list, also for an agent without a session."""
    cookies, agent = await served.actor("alice"), new_agent_id()
    [user] = await served.store.find(User, owner=SYSTEM, where={"subject": "alice"})
    bare = Agent(id=agent, name="Bare", draft=False, created_at=now(), updated_at=now())
    await served.store.create(bare, owner=user.user_id)

    async def kept() -> list[object]:
        own = [await served.store.find(kind, owner=user.user_id) for kind in (Agent, Session, Request)]
        return [*own, await served.store.find(Box, owner=SYSTEM)]

    before = await kept()
    for route in TABLE:
        if any(part in route for part in READ_IN_THE_BOX):
            continue  # a box of the user's own reads them, and is started for it
        if route.startswith("GET ") and not route.startswith(("GET /auth", "GET /_nicegui")):
            for ids in (served.alices, {"agent": agent, "agent_id": agent}):
                assert (await served.ask(route, cookies, ids)).status_code < 500
    assert await kept() == before


FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {},
    {"origin": "null"},
    {"origin": "https://evil.test"},
    {"origin": "BASE.evil.test"},
    {"origin": "BASE", "sec-fetch-site": "cross-site"},
    {"origin": "BASE", "sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
)


async def test_no_route_believes_another_site_or_lets_it_read(served: Served) -> None:
    paths = {route: re.sub(r"\{(\w+)(:path)?\}", "x", route.partition(" ")[2]) for route in TABLE}
    async with httpx2.AsyncClient(verify=TLS, cookies=await served.actor("bob"), timeout=PATIENCE_S) as browser:
        for route, path in paths.items():
            evil = {"origin": f"{served.base}.evil.test", "access-control-request-method": "POST"}
            for method in {"GET", "OPTIONS", route.partition(" ")[0]} - {"ANY", "SOCKET"}:
                answer = await browser.request(method, served.base + path, headers=evil)
                assert [name for name in answer.headers if name.startswith("access-control")] == [], route
            if not route.startswith(("GET", "HEAD", "ANY", "SOCKET")):
                for given in FROM_ELSEWHERE:
                    headers = {name: value.replace("BASE", served.base) for name, value in given.items()}
                    answer = await browser.request(route.partition(" ")[0], served.base + path, headers=headers)
                    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), (route, given)


async def test_nothing_describes_us_to_strangers_or_users(served: Served) -> None:
    for cookies in ({}, await served.actor("bob")):
        async with httpx2.AsyncClient(
            verify=TLS, timeout=PATIENCE_S, cookies=cookies, follow_redirects=True
        ) as browser:
            for path in ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/_nicegui/docs", "/debug"):
                answer = await browser.get(served.base + path)
                assert answer.status_code == 404 or answer.url.path == "/login", path
                assert "server" not in answer.headers
                assert not re.search(r"swagger|traceback", answer.text, re.IGNORECASE)


@asynccontextmanager
async def alices_page(served: Served) -> AsyncIterator[tuple[Page, UserId]]:
    """Alice's /settings, the press that makes it dark, and who she is."""
    cookies = await served.actor("alice")
    async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S, cookies=cookies) as browser:
        text = (await browser.get(f"{served.base}/settings")).text
    client = re.search(r"'client_id': '([^']+)'", text)
    press = re.search(r'"(\d+)":\{(?:(?!"\d+":\{).)*?"theme-dark".*?"listener_id":"([^"]+)"', text)
    assert client
    assert press
    page = Page(
        server=served,  # type: ignore[arg-type]  # only its address is asked for
        cookies=cookies,
        client_id=client[1],
        button=int(press[1]),
        listener=press[2],
        user="alice",
    )
    [user] = await served.store.find(User, owner=SYSTEM, where={"subject": "alice"})
    await served.store.change(User, user.id, owner=SYSTEM, theme="light")
    yield page, user.user_id


def said(word: str, page: Page) -> list[Any]:
    text = json.dumps([word, *WORDS[word]])
    text = text.replace('"ID"', json.dumps(page.client_id)).replace('"ELEMENT"', str(page.button))
    words: list[Any] = json.loads(text.replace('"LISTENER"', json.dumps(page.listener)))
    return words


async def theme(served: Served, user: UserId) -> str:
    return (await served.store.get(User, user, owner=SYSTEM)).theme


async def honest(served: Served, page: Page, user: UserId) -> None:
    """Alice's own press is heard, after whatever was tried: and it is the first one."""
    assert await theme(served, user) == "light"
    async with peer(page) as socket:
        assert await socket.joined()
        await socket.emit(page.press())
        async with asyncio.timeout(PATIENCE_S):
            while await theme(served, user) != "dark":
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("name", [*STRANGERS, "bob"])
async def test_nobody_else_can_say_anything_on_alices_page(served: Served, name: str, word: str) -> None:
    async with alices_page(served) as (page, user):
        async with peer(page, cookies=await served.actor(name)) as socket:
            assert not await socket.joined()
            await socket.emit(said(word, page))
            assert await socket.closed() < 3
        await honest(served, page, user)


@pytest.mark.parametrize("word", WORDS)
async def test_bob_on_his_own_page_can_say_nothing_about_alices(served: Served, word: str) -> None:
    cookies = await served.actor("bob")
    async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S, cookies=cookies) as browser:
        own = re.search(r"'client_id': '([^']+)'", (await browser.get(f"{served.base}/settings")).text)
    assert own
    bobs = Page(server=served, cookies=cookies, client_id=own[1], button=0, listener="", user="bob")  # type: ignore[arg-type]
    async with alices_page(served) as (page, user):
        async with peer(bobs) as socket:
            assert await socket.joined()
            await socket.emit(said(word, page), id="7" if word == "handshake" else "")
            if word == "handshake":
                assert await answered(socket) == "437[false]"
        await honest(served, page, user)


async def answered(socket: Peer) -> str:
    while not (answer := await socket.next()).startswith("437"):
        assert answer, "closed instead"
    return answer


def tokens_of(cookie: str) -> Iterator[tuple[str, dict[str, str], str, dict[str, str]]]:
    """Words that open something somewhere, said where they open nothing: what, headers, query, cookies."""
    between = {
        "a runner's": sign({"sub": "u-alice"}, key=KEY, audience="runner:b1"),
        "a box's": sign({"user": "u-alice", "agent": "a1", "session": "s1"}, key=KEY, audience="model:b1"),
        "a login's": cookie,
    }
    for whose, token in between.items():
        yield f"{whose} token as a bearer", {"authorization": f"Bearer {token}"}, "", {}
        yield f"{whose} token as a key", {"x-api-key": token}, "", {}
        yield f"{whose} token in the address", {}, f"?token={token}&access_token={token}&oma={token}", {}
    for name in ("a runner's", "a box's"):
        yield f"{name} token as the cookie", {}, "", {"oma": between[name]}
    yield "a login under another name", {}, "", {"__Host-oma": cookie, "session": cookie, "oma-visit": cookie}


@pytest.mark.parametrize(
    "route", [route for route in TABLE if TABLE[route][0] in (SIGN_IN, 401) and not re.search("/auth/|_nicegui", route)]
)
async def test_a_token_of_another_scope_or_in_another_place_is_no_token(served: Served, route: str) -> None:
    [cookie] = (await served.actor("alice")).values()
    for what, headers, query, cookies in tokens_of(cookie):
        answer = await served.ask(route, cookies, served.alices, headers=headers, query=query)
        assert answer.status_code == TABLE[route][0], f"{what}: {answer.text[:300]}"
        assert CANARY not in answer.text, what


@pytest.mark.parametrize("route", sorted({route.partition(" ")[2] for route in TABLE if "_nicegui" not in route}))
async def test_methods_that_are_not_in_the_table_do_nothing(served: Served, route: str) -> None:
    cookies = await served.actor("alice")
    others = {"PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - {
        one.split()[0] for one in TABLE if one.split()[1] == route
    }
    for method in sorted(others):
        answer = await served.ask(f"{method} {route}", cookies, served.alices)
        assert answer.status_code in (404, 405, 429), f"{method}: {answer.text[:300]}"  # 429: of sign-in, too fast
        assert CANARY not in answer.text


@pytest.mark.parametrize("route", [route for route in TABLE if route.startswith("POST /api/") and "{" in route])
async def test_nothing_is_made_under_what_is_somebody_elses(served: Served, route: str) -> None:
    async def written() -> tuple[int, int]:
        users = await served.store.find(User, owner=SYSTEM)
        owners = [user.user_id for user in users]
        sessions = [await served.store.find(Session, owner=owner, limit=10_000) for owner in owners]
        events = [await served.store.events(served.alices["session"], owner=owner) for owner in owners]
        return sum(map(len, sessions)), sum(map(len, events))

    cookies = await served.actor("bob")
    before = await written()
    assert (await served.ask(route, cookies, served.alices)).status_code == 404
    assert await written() == before


async def test_another_users_session_in_the_address_of_ones_own_page_shows_nothing_of_it(served: Served) -> None:
    cookies = await served.actor("bob")
    mine = (await served.ask("POST /api/v1/agents", cookies, {})).json()["agent"]["id"]
    pages = []
    for session in (served.alices["session"], new_session_id()):
        answer = await served.ask(f"GET /workspace/{mine}", cookies, {}, query=f"?session={session}")
        assert answer.status_code in (200, 404)
        assert CANARY not in answer.text
        pages.append((answer.status_code, session in re.sub(r"\?session=[0-9a-f-]+", "", answer.text)))
    assert pages[0] == pages[1], "hers and one that never was are the same to him"
