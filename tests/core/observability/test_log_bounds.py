"""The gateway's log stays small, whatever boxes send."""

import asyncio
import logging
import sys
from pathlib import Path

import pytest

from core.observability import log_bounds
from core.observability.log_bounds import AGAIN_S, FloodFilter
from tests.timeouts import PATIENCE_S

SERVER = """
import asyncio, sys
from aiohttp import web
from core.observability import log_bounds, logs
log_bounds.FILE_BYTES = int(sys.argv[2])
logs.configure_logging("json", part="gateway")
async def broken(_):
    raise RuntimeError("x" * 300)
async def main():
    app = web.Application()
    app.router.add_get("/", broken)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, sys.argv[1]).start()
    print("up", flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""
NONSENSE = (
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",  # the handler of the test breaks
    b"\x16\x03\x01\x02\x00",
    b"GET / HTTP/9.9\r\nbroken\r\n\r\n",
)


async def sent(socket: Path, what: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    writer.write(what)
    writer.write_eof()
    await reader.read()
    writer.close()


async def test_nonsense_of_boxes_is_a_line_a_minute_and_no_traceback(tmp_path: Path) -> None:
    with (tmp_path / "gateway.log").open("ab") as log:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVER, str(tmp_path / "s"), "1000000",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert server.stdout and server.stdin
    await asyncio.wait_for(server.stdout.readline(), PATIENCE_S)
    for _ in range(50):
        await asyncio.gather(*(sent(tmp_path / "s", what) for what in NONSENSE))
    server.stdin.close()
    await asyncio.wait_for(server.wait(), PATIENCE_S)
    text = (tmp_path / "gateway.log").read_text()
    assert 1 <= len(text.splitlines()) <= 2 * len(NONSENSE) and "Traceback" not in text and len(text) < 8_000


def entry(text: str, *args: object, name: str = "oma.gateway", level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 7, text, args, None)


def test_entries_of_one_kind_are_counted_and_those_of_another_box_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(log_bounds.time, "monotonic", lambda: now[0])
    flood = FloodFilter()
    said = [entry("box %s did not finish", box) for box in ("a", "a", "b", "a")]
    assert [flood.filter(one) for one in said] == [True, False, True, False]
    assert flood.filter(entry("failed", level=logging.ERROR)) and flood.filter(entry("failed", level=logging.ERROR))
    now[0] += AGAIN_S
    assert flood.filter(last := entry("box %s did not finish", "a"))
    assert last.getMessage() == "box a did not finish (and 2 more since)"


def test_what_a_stranger_varies_makes_no_new_kind_and_the_kinds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_bounds, "KINDS", 3)
    flood = FloodFilter()
    assert [flood.filter(entry("bad %s", n, name="aiohttp.server", level=logging.ERROR)) for n in range(3)] == [
        True,
        False,
        False,
    ]
    assert all(flood.filter(entry("box %s", n)) for n in range(10))
    assert len(flood._known) == 3


def test_a_log_that_is_too_large_goes_on_in_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_bounds, "FILE_BYTES", 10_000)
    path = tmp_path / "gateway.log"
    with path.open("a") as file:
        monkeypatch.setattr(log_bounds.sys, "stderr", file)
        handler = log_bounds.RotatingStderr()
        for n in range(100):
            handler.emit(entry(f"{n} " + "x" * 500))
    sizes = {found.name: found.stat().st_size for found in tmp_path.iterdir()}
    assert sizes.keys() == {"gateway.log", "gateway.1"} and max(sizes.values()) < 11_000
    text = (tmp_path / "gateway.1").read_text() + path.read_text()
    assert text.splitlines()[-1].startswith("99 ")
