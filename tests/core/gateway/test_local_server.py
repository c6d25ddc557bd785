"""Tests of the local gateway: one exists as long as it is needed, finds its boxes again, and leaves nothing behind."""

import asyncio
import os
import signal
import stat
import sys
from dataclasses import replace

import aiohttp
import msgspec
import pytest
from aiohttp import web

from core.config.runtime_dir import Process
from core.config.settings import Secret
from core.domain.errors import Misconfigured
from core.domain.records import SYSTEM, Box
from core.gateway.fingerprint import gateway_digest
from core.gateway.local_server import serve
from tests.canary import KEY
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness, living_process, until
from tests.core.gateway.test_anthropic import served
from tests.timeouts import PATIENCE_S

SOON = {"watch_s": 0.05}


async def test_it_answers_on_its_socket_and_says_who_it_is(harness: GatewayHarness) -> None:
    async with harness.gateway(**SOON):
        assert (await harness.control("GET", "/healthz")).body["status"] == "ok"
        said = msgspec.json.decode(harness.runtime.gateway_file.read_bytes())
        assert said["pid"] == os.getpid()
        assert (who := Process.read(said)) and who.alive()
        assert stat.S_IMODE(harness.runtime.gateway_socket.stat().st_mode) == 0o600
        healthz = await harness.control("GET", "/healthz")
        assert said["digest"] == healthz.body["digest"] == gateway_digest(harness.settings)


async def test_a_second_one_ends_at_once_and_the_first_goes_on(harness: GatewayHarness) -> None:
    async with harness.gateway(**SOON) as first:
        async with harness.gateway(**SOON) as second:
            await asyncio.wait_for(second, PATIENCE_S)
        assert not first.done()
        assert (await harness.control("GET", "/healthz")).status == 200


async def test_unused_it_ends_and_nothing_is_left(harness: GatewayHarness) -> None:
    async with harness.gateway(unused_s=0.2, watch_s=0.05) as gateway:
        harness.runtime.make_box("stray")
        await asyncio.wait_for(gateway, PATIENCE_S)
    assert not harness.settings.runtime_dir.exists()


async def test_a_web_that_holds_it_keeps_it(harness: GatewayHarness) -> None:
    async with harness.gateway(unused_s=2.0, watch_s=0.05) as gateway:
        async with harness.control.session() as http, http.ws_connect("http://gateway/hold"):
            await asyncio.sleep(2.5)
            assert not gateway.done()
        await asyncio.wait_for(gateway, PATIENCE_S)


async def test_a_box_that_lives_keeps_it_and_one_that_dies_is_buried(harness: GatewayHarness) -> None:
    with living_process() as (who, child):
        async with harness.gateway(unused_s=2.0, watch_s=0.05) as gateway:
            await harness.open_box(ALICE, who)
            await asyncio.sleep(2.5)
            assert not gateway.done()
            child.kill()
            child.wait()
            await until(lambda: not harness.runtime.box("box1").exists())
            await asyncio.wait_for(gateway, PATIENCE_S)
    assert await harness.store.get(Box, "box1", owner=SYSTEM), "the web needs it, to recover what was going on in there"


async def test_the_last_box_takes_it_along_if_no_web_was_there_for_long(harness: GatewayHarness) -> None:
    with living_process() as (who, child):
        async with harness.gateway(unused_s=4.0, watch_s=0.05) as gateway:
            await harness.open_box(ALICE, who)
            await asyncio.sleep(4.2)
            assert not gateway.done()
            child.kill()
            child.wait()
            await asyncio.wait_for(gateway, 3.5)  # and not `unused_s` after its last box


async def test_after_a_restart_it_listens_again_for_every_living_box(harness: GatewayHarness, process: Process) -> None:
    await harness.add_session(ALICE)
    async with harness.gateway(**SOON):
        box_http = await harness.open_box(ALICE, process)
        assert (await box_http("POST", "/internal/spec", {"session": "s1"})).status == 200
    with pytest.raises(aiohttp.ClientError):
        await box_http("GET", "/healthz")
    async with harness.gateway(**SOON):
        assert (await box_http("POST", "/internal/spec", {"session": "s1"})).status == 200


async def test_boxes_that_died_while_nobody_looked_are_buried_at_the_start(harness: GatewayHarness) -> None:
    with living_process() as (who, _):
        await harness.box(ALICE, who)
    async with harness.gateway(**SOON):
        assert not harness.runtime.box("box1").exists()
    assert await harness.store.get(Box, "box1", owner=SYSTEM)


async def test_told_to_stop_it_ends_and_what_living_boxes_have_stays(harness: GatewayHarness, process: Process) -> None:
    async with harness.gateway(**SOON) as gateway:
        await harness.open_box(ALICE, process)
        assert (await harness.control("POST", "/stop")).status == 202
        await asyncio.wait_for(gateway, PATIENCE_S)
    assert harness.runtime.box("box1").exists()
    assert not harness.runtime.gateway_socket.exists()
    assert not harness.runtime.gateway_file.exists()


async def test_a_holder_is_let_go_when_it_stops(harness: GatewayHarness) -> None:
    async with harness.gateway(**SOON) as gateway, harness.control.session() as http:
        async with http.ws_connect("http://gateway/hold") as held:
            await harness.control("POST", "/stop")
            assert (await held.receive(timeout=PATIENCE_S)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        await asyncio.wait_for(gateway, PATIENCE_S)


async def test_a_gateway_that_google_does_not_know_is_refused_in_one_line(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", True)
    monkeypatch.setenv("HOME", str(harness.settings.data_dir))  # nobody's gcloud login
    with pytest.raises(Misconfigured, match="Workload Identity"):
        await serve(replace(harness.settings, model="vertex"), harness.store, asyncio.Event())
    assert not harness.settings.runtime_dir.exists()


async def test_a_box_that_hangs_up_ends_the_call_of_the_model(harness: GatewayHarness, process: Process) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def model(request: web.Request) -> web.StreamResponse:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return web.Response()

    await harness.add_session(ALICE)
    async with served(model) as url:
        real = replace(harness.settings, model="anthropic", anthropic_api_key=Secret(KEY), anthropic_base_url=url)
        async with GatewayHarness(real, harness.store).gateway(**SOON):
            box_http = await harness.open_box(ALICE, process)
            token = (await box_http("POST", "/internal/spec", {"session": "s1"})).body["token"]
            call = asyncio.create_task(box_http("POST", "/v1/messages", {"stream": True}, headers={"x-api-key": token}))
            await asyncio.wait_for(begun.wait(), PATIENCE_S)
            call.cancel()
            await asyncio.wait_for(ended.wait(), PATIENCE_S)


async def test_a_killed_one_leaves_a_socket_that_the_next_one_takes_over(harness: GatewayHarness) -> None:
    program = (
        "import asyncio\n"
        "from core.gateway.local_server import serve\n"
        "from core.config.settings import read\n"
        "from core.store.sqlite import SqliteStore\n"
        "async def main():\n"
        "    settings = read()\n"
        "    async with await SqliteStore.open(settings.data_dir / 'oma.db') as store:\n"
        "        await serve(settings, store, asyncio.Event())\n"
        "asyncio.run(main())\n"
    )
    environ = os.environ | {"OMA_DATA_DIR": str(harness.settings.data_dir), "OMA_MODEL": "practice"}
    first = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=environ)
    try:
        await until(harness.settings.runtime_dir.joinpath("gateway.sock").is_socket)
        assert (await harness.control("GET", "/healthz")).status == 200
    finally:
        first.send_signal(signal.SIGKILL)
        await first.wait()
    async with harness.gateway(**SOON) as second:
        await until(
            lambda: second.done() or harness.runtime.gateway_file.read_bytes().find(str(os.getpid()).encode()) > 0
        )
        assert not second.done()
        assert (await harness.control("GET", "/healthz")).status == 200
