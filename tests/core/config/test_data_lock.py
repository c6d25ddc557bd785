"""A data directory is served by one process; whoever comes second is told by which."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from core.config.data_lock import NAME, data_lock
from core.config.settings import Settings
from core.domain.errors import Misconfigured
from tests.product import MAIN, free_port
from tests.timeouts import START_S


def test_the_second_is_told_which_process_has_it_and_where(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", port=8123)
    with data_lock(settings):
        with pytest.raises(Misconfigured) as refused, data_lock(settings):
            pass
    assert f"process {os.getpid()} at http://127.0.0.1:8123" in str(refused.value)
    assert "OMA_DATA_DIR" in str(refused.value)


def test_it_is_free_again_afterwards_whatever_its_file_says(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    (tmp_path / NAME).write_text("process 1 at http://elsewhere.test and much more than the next one writes\n")
    for _ in range(2):
        with data_lock(settings):
            assert (tmp_path / NAME).read_text() == f"process {os.getpid()} at {settings.url}\n"


async def test_a_second_server_on_another_port_ends_with_one_line_and_leaves_the_first_alone(short_dir: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(short_dir), "XDG_RUNTIME_DIR": str(short_dir)}
    environ |= {"OMA_DATA_DIR": str(short_dir / "data"), "OMA_MODEL": "practice"}

    async def start(port: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, str(MAIN), "--port", str(port), env=environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    first = await start(free_port())
    try:
        assert first.stdout and first.stderr
        async with asyncio.timeout(START_S):
            assert b"/auth/local?code=" in await first.stdout.readline()
            second = await start(free_port())
            out, err = await second.communicate()
        assert (second.returncode, out) == (1, b"")
        [line] = err.decode().splitlines()
        assert f"process {first.pid}" in line and "OMA_DATA_DIR" in line
        assert first.returncode is None
    finally:
        first.send_signal(signal.SIGINT)
        await first.communicate()
