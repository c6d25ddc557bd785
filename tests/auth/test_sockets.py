"""Attacks on NiceGUI's socket, with real sockets and a real browser against a real server."""

import json
import uuid
from typing import Any

import aiohttp
import httpx2
import pytest
from playwright.async_api import async_playwright

from core.domain.records import SYSTEM, User
from tests.auth.socket_world import World, peer
from tests.browser import FLAGS, chromium
from tests.timeouts import PATIENCE_S
from tests.tls import TLS


async def only_the_honest_press_is_heard(world: World) -> None:
    """Assert that after any attack an honest press is the first that the server receives."""
    honest = await world.person("honest")
    page = await world.open(honest)
    async with peer(page) as socket:
        assert await socket.joined()
        await socket.emit(page.press())
        await world.server.printed(f"pressed by {honest.id}")
    assert world.server.pressed() == [f"pressed by {honest.id}"]
    assert world.server.errors() == []


async def test_an_honest_user_works(world: World) -> None:
    await only_the_honest_press_is_heard(world)


async def test_no_cookie_and_a_stolen_client_id_is_refused(world: World) -> None:
    page = await world.open(await world.person("alice"))
    async with peer(page, cookies={}) as socket:
        assert not await socket.joined()
        await socket.emit(page.press())
        assert await socket.closed() < 3
    await only_the_honest_press_is_heard(world)


async def test_another_users_cookie_and_a_stolen_client_id_is_refused(world: World) -> None:
    page, mallory = await world.open(await world.person("alice")), await world.person("mallory")
    for hello in ("true", ""):
        async with peer(page, cookies={"oma": mallory.cookie}, implicit_handshake=hello) as socket:
            assert not await socket.joined()
            await socket.emit(page.press())
            assert await socket.closed() < 3
    await only_the_honest_press_is_heard(world)


async def test_a_second_login_of_the_same_user_is_not_the_login_of_the_page(world: World) -> None:
    page, again = await world.open(await world.person("alice")), await world.person("alice")
    async with peer(page, cookies={"oma": again.cookie}) as socket:
        assert not await socket.joined()


async def test_from_ones_own_page_nothing_can_be_said_about_another_page(world: World) -> None:
    alices = await world.open(await world.person("alice"))
    mallorys = await world.open(await world.person("mallory"))
    async with peer(alices) as victim, peer(mallorys) as socket:
        assert await victim.joined()
        assert await socket.joined()
        await socket.emit(alices.press())
        await socket.emit(mallorys.press())
        await world.server.printed(f"pressed by {mallorys.user}")  # and what came before it has been heard
        hello = {"client_id": alices.client_id, "tab_id": "t1", "document_id": "d9", "next_message_id": 0}
        await socket.emit(["handshake", hello], id="7")
        await socket.emit(["javascript_response", {"client_id": alices.client_id, "request_id": "x", "result": 1}])
        await socket.emit(["ack", {"client_id": alices.client_id, "next_message_id": 10**9}])
        await socket.emit(["log", {"client_id": alices.client_id, "level": "error", "message": "FORGED\nline"}])
        while not (answer := await socket.next()).startswith("437"):
            pass
        assert answer == "437[false]"
        await victim.emit(alices.press())
        await world.server.printed(f"pressed by {alices.user}")
    assert world.server.pressed() == [f"pressed by {user}" for user in (mallorys.user, alices.user)]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.test", "null", None, "http://127.0.0.1", "http://127.0.0.1:1", "BASE.evil.test", "https://BASE"],
)
async def test_a_socket_of_another_origin_is_closed_before_it_opens(world: World, origin: str | None) -> None:
    page = await world.open(await world.person("alice"))
    if origin is not None:
        origin = origin.replace("https://BASE", world.server.base.replace("http", "https"))
        origin = origin.replace("BASE", world.server.base)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with peer(page, origin=origin):
            pass
    assert refused.value.status == 403


async def test_a_login_ended_by_another_process_loses_its_sockets_within_two_seconds(world: World) -> None:
    alice = await world.person("alice")
    page = await world.open(alice)
    async with peer(page) as socket:
        assert await socket.joined()
        await world.logins.revoke(alice.login)
        assert await socket.closed() < 2.5  # 2 s, and a moment for the machine
        assert any("try_reconnect" in message for message in socket.seen)
    async with peer(page) as socket:
        assert not await socket.joined()
    await only_the_honest_press_is_heard(world)


async def test_a_disabled_users_sockets_are_closed(world: World) -> None:
    alice = await world.person("alice-disabled")
    async with peer(await world.open(alice)) as socket:
        assert await socket.joined()
        await world.store.change(User, alice.id, owner=SYSTEM, disabled=True)
        assert await socket.closed() < 2.5


async def test_signing_out_closes_all_sockets_of_the_login_and_no_others(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    pages = [await world.open(alice), await world.open(alice)]
    bobs = await world.open(bob)
    async with peer(pages[0]) as first, peer(pages[1]) as second, peer(bobs) as other:
        assert [await socket.joined() for socket in (first, second, other)] == [True] * 3
        async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S, cookies={"oma": alice.cookie}) as browser:
            answer = await browser.post(f"{world.server.base}/auth/logout", headers={"origin": world.server.base})
            assert answer.status_code == 303
        await first.emit(pages[0].press())  # too late
        assert await first.closed() < 2
        assert await second.closed() < 2
        await other.emit(bobs.press())
        await world.server.printed(f"pressed by {bob.id}")
    assert world.server.pressed() == [f"pressed by {bob.id}"]


async def test_an_anonymous_page_belongs_to_the_browser_that_loaded_it(world: World) -> None:
    page, elsewhere = await world.open(None), await world.open(None)
    mallory = await world.person("mallory")
    for cookies in ({}, elsewhere.cookies, {"oma-visit": "a" * 32}, {"oma": mallory.cookie}):
        async with peer(page, cookies=cookies) as thief:
            assert not await thief.joined()
            await thief.emit(page.press())
    async with peer(page) as socket:
        assert await socket.joined()
        await socket.emit(page.press())
        await world.server.printed("pressed by nobody")
    assert world.server.pressed() == ["pressed by nobody"]


async def test_a_socket_for_a_page_that_has_gone_is_told_to_load_anew_and_closed(world: World) -> None:
    page = await world.open(await world.person("alice"))
    async with peer(page, client_id=str(uuid.uuid4())) as socket:
        assert not await socket.joined()
        assert "Implicit handshake failed" in socket.seen[-1]
        assert await socket.closed() < 3


async def test_a_socket_that_says_nothing_is_closed(world: World) -> None:
    async with peer(await world.open(await world.person("alice"))) as socket:
        assert (await socket.next()).startswith("0")
        assert await socket.closed() < 8


async def test_polling_is_no_way_in(world: World) -> None:
    alice = await world.person("alice")
    page = await world.open(alice)
    url = f"{world.server.base}/_nicegui_ws/socket.io/?EIO=4&transport=polling&client_id={page.client_id}"
    async with (
        httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S) as stranger,
        httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S, cookies={"oma": alice.cookie}) as browser,
    ):
        assert (await stranger.get(url)).status_code == 401
        assert (await browser.get(url)).status_code == 400


async def test_refused_sockets_leave_nothing_behind(world: World) -> None:
    page = await world.open(await world.person("alice"))
    await world.settled()
    for _ in range(30):
        async with peer(page, cookies={}) as socket:
            assert not await socket.joined()
    await world.settled()


@pytest.mark.parametrize(
    "words",
    [
        ["event"], ["event", None], ["event", 7], ["event", {}], ["event", {}, {}], ["event", {"client_id": "ID"}],
        ["event", {"client_id": "ID", "id": "x", "listener_id": 1, "args": 1}],
        ["event", {"client_id": "ID", "id": 4, "listener_id": "x", "args": [{"a": 1}]}],
        ["event", {"client_id": ["ID"]}], ["handshake"], ["handshake", {"client_id": "ID"}],
        ["ack", {"client_id": "ID"}],
        ["ack", {"client_id": "ID", "next_message_id": "x"}], ["javascript_response", {"client_id": "ID"}],
        ["log", {"client_id": "ID", "level": "x", "message": 1}], ["log", {"client_id": "ID"}], ["nonsense", 1],
        ["connect", {}], ["disconnect"],
    ],
)  # fmt: skip
async def test_malformed_words_change_nothing_and_write_no_error(world: World, words: list[Any]) -> None:
    alice = await world.person("alice")
    page = await world.open(alice)
    sent = json.loads(json.dumps(words).replace('"ID"', f'"{page.client_id}"'))
    async with peer(page) as socket:
        assert await socket.joined()
        await socket.emit(sent)
    await only_the_honest_press_is_heard(world)


async def test_in_a_real_browser_the_honest_user_works_and_is_sent_to_sign_in_when_the_login_ends(
    world: World,
) -> None:
    alice = await world.person("김앨리스")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        context = await browser.new_context()
        await context.add_cookies([{"name": "oma", "value": alice.cookie, "url": world.server.base}])
        page = await context.new_page()
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
        await page.goto(f"{world.server.base}/dashboard")
        await page.get_by_text("김앨리스").wait_for()
        await page.wait_for_function("window.did_handshake === true")
        await page.get_by_text("press").click()
        await world.server.printed(f"pressed by {alice.id}")
        assert broken == []
        await world.logins.revoke(alice.login)
        await page.wait_for_url("**/login?next=%2Fdashboard", timeout=30_000)
        await page.wait_for_function("window.did_handshake === true")
        await page.get_by_text("press").click()
        await world.server.printed("pressed by nobody")
        await browser.close()
