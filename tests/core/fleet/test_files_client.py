"""A runner of an earlier version knows no files: that is told as such, and no new runner is started for it."""

import pytest
from aiohttp import web

from core.domain.errors import RunnerUnavailable
from core.domain.records import Box, UserId, now
from core.fleet.files_client import FilesClient
from core.fleet.runner_client import RunnerClient
from core.spawner import RunnerEndpoint
from tests.product import free_port


async def test_a_runner_that_knows_no_files_is_told_apart_from_one_that_is_away() -> None:
    served, port = web.AppRunner(web.Application(), access_log=None), free_port()
    await served.setup()
    await web.TCPSite(served, "127.0.0.1", port).start()
    box = Box(id="b", user=UserId("alice"), key="k" * 43, started_at=now())
    runner = RunnerClient(box, RunnerEndpoint(url=f"http://127.0.0.1:{port}"))
    files = FilesClient(runner, "a1")
    for call in (lambda: files.list(), lambda: files.write("a", b"x", limit_bytes=1), lambda: files.delete("a")):
        with pytest.raises(RunnerUnavailable) as told:
            await call()
        assert told.value.code == "runner_outdated"
    await served.cleanup()
    with pytest.raises(RunnerUnavailable) as told:
        await files.list()
    assert told.value.code == "runner_unavailable"
    await runner.close()
