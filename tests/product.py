"""The product as a person starts it: `main.py` in a process tree of its own, in folders of its own, on a free port.

    async with Product(root, model_url=model.url) as product:
        await page.goto(product.link)

Leaving sends SIGINT and raises `LeftBehind` when anything of the tree, its sockets or its log says that something was
wrong. A test that kills the web on purpose calls `kill_web` and `start_web`; one that provokes errors `allows` them.
"""

import asyncio
import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import psutil

from tests.canary import KEY, leaks

MAIN = Path(__file__).resolve().parent.parent / "main.py"
LINK = re.compile(r"http://127\.0\.0\.1:\d+/auth/local\?code=\S+|https://\S+")  # https: production has no link
ERROR_LINE = re.compile(r"\b(ERROR|CRITICAL)\b|^Traceback ", re.M)
START_S = 60.0  # 2 s on a machine with nothing else to do
LAST_S = 2.0
END_S = 10.0  # G4: SIGINT ends everything within this


class LeftBehind(AssertionError):
    """The product did not end as it must, or its log has errors that no test asked for."""


class Product:
    """A running `python main.py` with its gateway and boxes. `settings` are further environment variables."""

    def __init__(self, root: Path, *, model_url: str = "", port: int = 0, **settings: str) -> None:
        self.root, self.data_dir = root, root / "data"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.link = ""
        self.started_in_s = 0.0
        self.runtime = Path(tempfile.mkdtemp(prefix="oma-"))  # a socket's path has 108 bytes at most
        (root / "home").mkdir(parents=True, exist_ok=True)
        model = {"ANTHROPIC_BASE_URL": model_url, "ANTHROPIC_API_KEY": KEY, "OMA_MODEL": "anthropic"}
        self.environ = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(root / "home"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "OMA_DATA_DIR": str(self.data_dir),
            "OMA_PORT": str(self.port),
            **(model if model_url else {"OMA_MODEL": "practice"}),
            **settings,
        }
        self._allowed: list[re.Pattern[str]] = []
        self._web: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._linked = asyncio.Event()
        self._log = root / "web.log"

    async def __aenter__(self) -> Self:
        try:
            await self.start_web()
        except BaseException:
            await self._clear_away()
            raise
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        try:
            await self.stop()
            with contextlib.suppress(LeftBehind):  # a gateway that another web has started ends a moment after ours
                await self.until_gone(within_s=LAST_S)
            left = [f"{p.pid} {' '.join(p.cmdline())[:200]}" for p in self.processes() if p.is_running()]
            sockets = [str(path) for path in self.runtime.rglob("*")]
            errors = self.errors()
            await asyncio.to_thread(self.look_for_the_key)
        finally:
            await self._clear_away()
        if kind is None and (left or sockets or errors):
            raise LeftBehind("\n".join(["the product did not end clean:", *left, *sockets, *errors]))

    # --- the web process --------------------------------------------------------------------------------------------

    async def start_web(self, *command: str) -> None:
        """Start `main.py` (or `command`) and wait for the link it prints. Raises: AssertionError: it ended instead."""
        self._linked = asyncio.Event()
        began = time.monotonic()
        with self._log.open("ab") as log:
            self._web = await asyncio.create_subprocess_exec(
                *(command or (sys.executable, str(MAIN))),
                env=self.environ,
                cwd=MAIN.parent,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # so that it can be given Ctrl-C as a terminal does
            )
        self._reader = asyncio.create_task(self._read(), name="stdout of main.py")
        waited = asyncio.create_task(self._linked.wait())
        await asyncio.wait({waited, self._reader}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        waited.cancel()
        if not self._linked.is_set():
            raise AssertionError(f"main.py printed no link within {START_S} s:\n{self.log()[-4000:]}")
        self.started_in_s = time.monotonic() - began

    async def _read(self) -> None:
        assert self._web and self._web.stdout
        async for line in self._web.stdout:
            if found := LINK.search(line.decode()):
                self.link = found[0]
                self._linked.set()

    @property
    def web_pid(self) -> int:
        """The process id of the web."""
        assert self._web
        return self._web.pid

    async def kill_web(self) -> None:
        """SIGKILL the web process alone, and wait until the kernel has taken it."""
        await self._end(signal.SIGKILL)

    async def terminate_web(self) -> None:
        """SIGTERM the web process, as a deploy does."""
        await self._end(signal.SIGTERM)

    async def stop(self) -> float:
        """Ctrl-C: SIGINT to the foreground group; seconds until the web had ended. Raises: LeftBehind: over 10."""
        began = time.monotonic()
        await self._end(signal.SIGINT)
        return time.monotonic() - began

    async def _end(self, number: signal.Signals) -> None:
        if self._web is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number is signal.SIGINT:
                os.killpg(self._web.pid, number)
            else:
                self._web.send_signal(number)
        try:
            async with asyncio.timeout(END_S):
                await self._web.wait()
        except TimeoutError as error:
            raise LeftBehind(f"the web did not end within {END_S} s of {number.name}") from error
        if self._reader:
            await self._reader
        self._web = self._reader = None

    async def _clear_away(self) -> None:
        """End all our processes and remove our folders, whatever went wrong."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self._web:
            await self._web.wait()
        if self._reader:
            self._reader.cancel()
        await self.until_gone(within_s=5.0)
        shutil.rmtree(self.runtime, ignore_errors=True)

    # --- what runs --------------------------------------------------------------------------------------------------

    def processes(self, role: str = "") -> list[psutil.Process]:
        """Everything that belongs to this product, or what has one role: web, gateway, box, runner, cli."""
        mine: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            if process.pid not in mine and self._is_mine(process):
                mine[process.pid] = process
                with contextlib.suppress(psutil.Error):
                    mine |= {child.pid: child for child in process.children(recursive=True)}
        found = sorted(mine.values(), key=lambda process: process.pid)
        return [process for process in found if not role or role_of(process) == role]

    def _is_mine(self, process: psutil.Process) -> bool:
        """True if it is one of our processes, by its arguments, its environment, or (for a box, where both are empty)
        by the home that is mounted in it.
        """
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            words = [*process.cmdline(), process.environ().get("OMA_DATA_DIR", "")]
            if process.name() == "bwrap":
                words += [mounts(pid) for pid in (process.pid, *(child.pid for child in process.children()))]
        except psutil.Error:
            return False
        marks = (str(self.root), str(self.runtime), f"{self.root.parent.name}/{self.root.name}/data/homes")
        return any(mark in word for mark in marks for word in words)

    async def until_gone(self, role: str = "", *, within_s: float) -> None:
        """Wait for the end of everything (of one role). Raises: LeftBehind."""
        end = time.monotonic() + within_s
        while left := self.processes(role):
            if time.monotonic() > end:
                raise LeftBehind(f"after {within_s} s there is still {[' '.join(p.cmdline())[:120] for p in left]}")
            await asyncio.sleep(0.05)

    async def kill(self, role: str) -> int:
        """SIGKILL all of one role, and wait until they are gone; how many they were."""
        found = self.processes(role)
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        end = time.monotonic() + 30
        while any(alive(process) for process in found) and time.monotonic() < end:
            await asyncio.sleep(0.01)
        return len(found)

    # --- what it wrote ----------------------------------------------------------------------------------------------

    def allow(self, *patterns: str) -> None:
        """Error lines that match are what the test provokes."""
        self._allowed += [re.compile(pattern) for pattern in patterns]

    def log(self) -> str:
        """All that web, gateway and runners have logged."""
        return "\n".join(path.read_text(errors="replace") for path in self._logs() if path.is_file())

    def errors(self) -> list[str]:
        """Lines of the logs that say ERROR and that no test allowed, each with what follows it."""
        found = []
        for path in self._logs():
            lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
            for number, line in enumerate(lines):
                if ERROR_LINE.search(line) and not any(pattern.search(line) for pattern in self._allowed):
                    found.append(f"{path.name}:{number + 1}: " + "\n    ".join(lines[number : number + 25]))
        return found

    def look_for_the_key(self) -> None:
        """Raises: LeftBehind: the platform's key is in something that was written."""
        if found := [*leaks(self.root), *leaks(self.runtime)]:
            raise LeftBehind("\n".join(["the platform's key was left behind:", *found]))

    def _logs(self) -> Iterable[Path]:
        return [self._log, *sorted((self.data_dir / "logs").rglob("*.log"))]


def role_of(process: psutil.Process) -> str:
    """web, gateway, box (bubblewrap), runner, cli, or tool for the rest."""
    try:
        argv = process.cmdline()
    except psutil.Error:
        return ""
    name = Path(argv[0]).name if argv else ""
    if name == "bwrap":
        return "box"
    if "claude" in name or "--output-format" in argv:
        return "cli"
    for at in (1, 2):  # after the interpreter, or after a flag of it
        if Path("".join(argv[at : at + 1])).name == "main.py":
            return next((part for part in argv[at + 1 : at + 2] if part in ("gateway", "runner")), "web")
    return "tool"


def mounts(pid: int) -> str:
    """Return the mounts of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/mountinfo").read_text()
    except OSError:
        return ""


def alive(process: psutil.Process) -> bool:
    """Running, and no zombie that waits for its parent."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def free_port() -> int:
    """A port nobody listens on, and that nobody is given before we use it.

    Not from where the kernel takes ports for connections (32768 and up), and each test process looks from a place of
    its own.
    """
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


_PORTS = itertools.cycle(random.Random(os.getpid()).sample(range(10_000, 32_000, 2), 11_000))  # the next is for metrics
