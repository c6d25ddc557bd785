"""A spare that nobody has yet: it waits, and is opened by the boot key for the user that the key's holder names."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from core.protocol import tokens
from core.runner.app import App
from core.runner.runner import Runner
from tests.core.runner.box import BOOT_KEY, BOX, CLI, KEY, ROOT, USER
from tests.product import free_port

WHOSE = {"user": USER, "box": BOX, "key": KEY, "max_live_sessions": 1, "idle_cli_s": 600.0, "orphan_s": 900.0}


class Spare:
    """A runner with a port, in the test's own loop."""

    def __init__(self, runner: Runner, port: int) -> None:
        self.runner, self._url = runner, f"http://127.0.0.1:{port}"

    async def __call__(self, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http:
            async with http.request("POST" if body else "GET", self._url + path, json=body, headers=headers) as answer:
                return answer.status, await answer.json()


@asynccontextmanager
async def opened(home: Path, **more: Any) -> AsyncIterator[Spare]:
    runner = Runner(cli=CLI, home=home, gateway="http://127.0.0.1:1", boot_key=BOOT_KEY, **more)
    await runner.open()
    served = web.AppRunner(App(runner).application(), access_log=None, shutdown_timeout=0.1)
    await served.setup()
    port = free_port()
    await web.TCPSite(served, "127.0.0.1", port).start()
    try:
        yield Spare(runner, port)
    finally:
        await runner.stop()
        await served.cleanup()


def boot(user: str = USER, *, key: str = BOOT_KEY, audience: str = tokens.boot_audience()) -> str:
    return tokens.sign({"sub": user}, key=key, audience=audience)


async def test_nobodys_runner_answers_its_probe_and_the_boot_key(tmp_path: Path) -> None:
    async with opened(tmp_path, spare=True) as spare:
        assert await spare("/healthz") == (200, {"status": "ok", "bound": False, "protocol": 1})
        for path in ("/v1/status", "/v1/hold", "/v1/export", "/v1/sessions/s/events"):
            assert (await spare(path, boot()))[1]["code"] == "dormant"
        assert (await spare("/v1/stop", boot(), {"idle_s": 0.0}))[1]["code"] == "dormant"
        for wrong in ("", "x", boot(key="other"), boot(audience=f"runner:{BOX}"), boot(key=KEY)):
            assert (await spare("/v1/init", wrong, WHOSE))[1]["code"] == "bad_token"
        assert (await spare("/v1/init", boot("google-2"), WHOSE))[1]["code"] == "forbidden"
        assert (await spare("/v1/init", boot(), {"user": USER}))[1]["code"] == "bad_input"
        assert await spare("/healthz") == (200, {"status": "ok", "bound": False, "protocol": 1})
        assert (await spare("/v1/init", boot(), WHOSE))[0] == 200
        assert await spare("/healthz") == (200, {"status": "ok", "bound": True, "protocol": 1})


async def test_what_is_signed_for_another_pod_binds_nobody_here_though_the_key_is_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path, spare=True, pod="u-1-0") as spare:
        for audience in (tokens.boot_audience(), tokens.boot_audience("u-2-0")):
            assert (await spare("/v1/init", boot(audience=audience), WHOSE))[1]["code"] == "bad_token"
        assert (await spare("/v1/init", boot(audience=tokens.boot_audience("u-1-0")), WHOSE))[0] == 200


async def test_a_spare_waits_for_as_long_as_it_takes_and_anybody_elses_runner_does_not(tmp_path: Path) -> None:
    async with opened(tmp_path, spare=True, alone_s=0.1) as spare, opened(tmp_path, alone_s=0.1) as other:
        await asyncio.wait_for(other.runner.ended.wait(), 30)
        assert not spare.runner.ended.is_set()
        await spare("/v1/init", boot(), WHOSE)
        await asyncio.wait_for(spare.runner.ended.wait(), 30)


@pytest.mark.parametrize("text", ["", "\n", "short"])
async def test_a_boot_key_that_everybody_could_guess_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "boot-key").write_text(text)
    words = [f"--listen=127.0.0.1:{free_port()}", f"--home={tmp_path}", "--gateway=http://127.0.0.1:1"]
    code, said = await ended([*words, f"--boot-key={tmp_path / 'boot-key'}"])
    assert code == 2
    assert b"less than 16 characters" in said


async def test_a_web_that_ends_while_it_starts_a_runner_leaves_no_error_behind(tmp_path: Path) -> None:
    code, said = await ended(["--fd=0", f"--home={tmp_path}", f"--box-sock={tmp_path / 'box.sock'}"])
    assert code == 2
    assert b"has ended without a boot key" in said and b"ERROR" not in said


async def ended(words: list[str]) -> tuple[int, bytes]:
    """The exit code of a runner that nobody says anything to, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "main.py"), "runner", f"--cli={CLI}", *words),
        env={"PATH": os.environ["PATH"]},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said
