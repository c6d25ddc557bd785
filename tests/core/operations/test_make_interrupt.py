"""A SIGINT that only make gets ends what make runs."""

import signal
import subprocess
import sys
from pathlib import Path

from core.operations import make_interrupt

ROOT = Path(make_interrupt.__file__).parents[2]
SERVER = """
import asyncio, signal
from core.operations.make_interrupt import pass_on_interrupt
from tests.timeouts import PATIENCE_S

async def main():
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    watch = asyncio.create_task(pass_on_interrupt())
    await asyncio.sleep(0)  # it has seen a make that catches interrupts
    print("up", watch.done(), flush=True)
    async with asyncio.timeout(PATIENCE_S):
        await stop.wait()
    print("ended", flush=True)

asyncio.run(main())
"""


def served(command: list[str], folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout and process.stdout.readline().startswith("up")
    return process


def recipe(folder: Path) -> None:
    (folder / "server.py").write_text(SERVER)
    (folder / "Makefile").write_text(f"run:\n\t@PYTHONPATH={ROOT} exec {sys.executable} server.py\n")


def test_an_interrupt_of_make_alone_ends_what_it_runs(tmp_path: Path) -> None:
    recipe(tmp_path)
    with served(["make", "--silent", "run"], tmp_path) as make:
        make.send_signal(signal.SIGINT)
        told, _ = make.communicate(timeout=30)
    assert told == "ended\n"


def test_a_termination_of_make_is_passed_on_by_make_itself(tmp_path: Path) -> None:
    recipe(tmp_path)
    with served(["make", "--silent", "run"], tmp_path) as make:
        make.terminate()
        told, _ = make.communicate(timeout=30)
    assert told == "ended\n"


def test_without_make_nothing_is_watched_and_an_interrupt_is_an_interrupt(tmp_path: Path) -> None:
    with served([sys.executable, "-c", SERVER], ROOT) as alone:
        alone.send_signal(signal.SIGINT)
        told, _ = alone.communicate(timeout=30)
    assert told == "ended\n"
