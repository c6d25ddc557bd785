"""The domain of an agent's programs, wall by wall, without a CLI."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from core.runner.cli import CliProcess
from core.runner.launcher import fork_server
from core.runner.tool_launcher import HARMLESS, ToolLauncher, behind_launcher

FOLDER = str(Path(fork_server.__file__).parent)
OPEN = "open(f'/proc/{os.getppid()}/environ', 'rb').read()"
SIGNAL = "os.kill(os.getppid(), 0)"
MEMORY = "open(f'/proc/{os.getppid()}/mem', 'r+b')"
TRACE = "assert fork_server.LIBC.ptrace(0, 0, None, None) == 0"  # PTRACE_TRACEME
COMPARE = "assert fork_server.LIBC.syscall(312 if os.uname().machine == 'x86_64' else 272, 1, 1, 0, 0, 0) >= 0"


def run(wall: str, attempt: str) -> str:
    """Return the result of an attempt behind one wall: empty, or the last line of its output."""
    start = f"import os, sys; sys.path.insert(0, {FOLDER!r}); import fork_server; "
    lines = f"{start}{wall}; os.execv(sys.executable, [sys.executable, '-IS', '-c', {start + attempt!r}])"
    done = subprocess.run([sys.executable, "-IS", "-c", lines], capture_output=True, text=True, timeout=60, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


@pytest.mark.parametrize("attempt", [OPEN, MEMORY, SIGNAL])
def test_from_the_domain_nothing_outside_it_is_looked_into_or_signalled(attempt: str) -> None:
    assert run("pass", attempt) == ""
    assert run("assert fork_server.enter_domain() >= 6", attempt).startswith("PermissionError")


def test_files_are_still_moved_from_folder_to_folder(tmp_path: Path) -> None:
    """A domain refuses that, too, unless it is allowed: programs would see another file system."""
    for name in "ab":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x").touch()
    assert run("fork_server.enter_domain()", f"os.rename({str(tmp_path / 'a/x')!r}, {str(tmp_path / 'b/x')!r})") == ""


@pytest.mark.parametrize("attempt", [TRACE, COMPARE])
def test_calls_that_look_into_others_are_refused_by_the_filter(attempt: str) -> None:
    assert run("fork_server.LIBC.prctl(38, 1, 0, 0, 0); fork_server.refuse_calls()", attempt) == "AssertionError"


def test_the_filter_lets_everything_else_through_and_is_empty_on_an_unknown_machine() -> None:
    assert run("fork_server.LIBC.prctl(38, 1, 0, 0, 0); fork_server.refuse_calls()", "os.listdir('/')") == ""
    assert fork_server.filter_program("m68k") == b""
    assert len(fork_server.filter_program("aarch64")) == len(fork_server.filter_program("x86_64"))


async def test_the_streams_of_a_cli_cannot_be_opened_again(tmp_path: Path) -> None:
    cli = await CliProcess.start(["/bin/sleep", "60"], env={}, cwd=tmp_path)
    try:
        for fd in range(3):
            with pytest.raises(OSError, match="No such device"):
                os.close(os.open(f"/proc/{cli.pid}/fd/{fd}", os.O_RDWR | os.O_NONBLOCK))
    finally:
        await cli.close()


async def test_variables_that_run_code_in_a_launcher_are_pinned_and_reach_only_the_program(tmp_path: Path) -> None:
    tools = await ToolLauncher.start(tmp_path, set())
    try:
        told = tools.environment()
        assert HARMLESS.items() <= told.items() and "LD_PRELOAD" in HARMLESS and "BASH_ENV" in HARMLESS
        own = {"command": "server", "args": ["-v"], "env": {"LD_PRELOAD": "/evil.so", "TOKEN": "t"}}
        served = behind_launcher({"own": own, "far": {"type": "http", "url": "https://example.com"}}, told)
    finally:
        await tools.close()
    assert served["far"] == {"type": "http", "url": "https://example.com"}
    assert served["own"]["env"] == {"TOKEN": "t", **HARMLESS}
    assert served["own"]["args"][2:] == [f"OMA_TOOLS={tools.address}", "LD_PRELOAD=/evil.so", "--", "server", "-v"]


async def test_another_programs_request_that_makes_no_sense_ends_only_itself(tmp_path: Path) -> None:
    tools = await ToolLauncher.start(tmp_path, set())
    try:
        for nonsense in (b"", b"\xff" * 8, b"\0" * 8, b"\0\0\0\5\0\0\0\1xx"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect("\0" + tools.address)
                client.sendall(nonsense)
                client.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    assert client.recv(4) == b""
        launch = [sys.executable, "-IS", f"{FOLDER}/launch.py", f"OMA_TOOLS={tools.address}", "--", "/bin/echo", "fine"]
        assert subprocess.run(launch, capture_output=True, timeout=60, check=True).stdout == b"fine\n"
    finally:
        await tools.close()


async def test_a_runner_inside_another_program_takes_none_of_its_children_for_an_agents(tmp_path: Path) -> None:
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    launcher = await ToolLauncher.start(tmp_path, set())
    launcher._process.kill()
    await launcher._process.wait()
    try:
        assert launcher.programs() == []  # this process is no subreaper, so nobody's orphans come to it
        await launcher.close()
        assert bystander.returncode is None
    finally:
        bystander.kill()
        await bystander.wait()
