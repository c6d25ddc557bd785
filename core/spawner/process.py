"""Start a command behind the walls of a box, or without walls; nothing of ours leaks in, and limits hold first."""

import fcntl
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from core.domain.errors import RunnerUnavailable
from core.spawner import box, landlock, seccomp
from core.spawner.box import BwrapFds, Host
from core.spawner.mount_namespace import staged
from core.spawner.process_tree import children

START_S = 10.0  # bubblewrap makes a box in 10 ms; a machine that swaps may need seconds
SAID_BYTES = 4000  # of its complaint
GIB = 1024**3
FILE_BYTES = 8 * GIB  # of one file; also what bounds the runner's log in the worst case
LIMITS = {
    resource.RLIMIT_CORE: (0, 0),
    resource.RLIMIT_NOFILE: (4096, 65536),
    resource.RLIMIT_NPROC: (4096, 4096),  # threads count, a CLI has about 20; the kernel does not count those of root
}
NAMED = {  # as prlimit(1) calls them
    resource.RLIMIT_CORE: "core",
    resource.RLIMIT_NOFILE: "nofile",
    resource.RLIMIT_NPROC: "nproc",
    resource.RLIMIT_FSIZE: "fsize",
}
TOOLS = {"bwrap": "bubblewrap", "prlimit": "util-linux"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run and what it inherits: one descriptor, one line on its stdin, one file for what it prints."""

    words: Sequence[str]
    fd: int | None = None
    stdin: bytes = b""
    output: IO[bytes]
    enter: Callable[[int], None] = lambda pid: None  # called with its pid before it runs: control groups
    file_bytes: int = FILE_BYTES
    uid: int | None = None  # who it is on this machine; None: who we are


def spawn_bwrap(command: Command, *, host: Host, home: Path, out: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Run it in a box; our child, which is bubblewrap's outer half, and the pid of the box's init.

    Raises: RunnerUnavailable: bubblewrap did not make the box; the text is what it said.
    """
    with ExitStack() as open_files:
        info, info_end = _pipe(open_files)
        wait_end, go = _pipe(open_files)
        filter_ = seccomp.program()
        wires = BwrapFds(
            info=info_end.fileno(),
            block=wait_end.fileno(),
            seccomp=_memory(open_files, filter_) if filter_ else None,
            files={path: _memory(open_files, text.encode()) for path, text in box.files(host).items()},
        )
        words = box.arguments(host, home=home, wires=wires)
        # By descriptor, and with no environment: both of pid 1 can be read inside.
        words_fd = _memory(open_files, "\0".join(words).encode())
        pass_fds = [words_fd, wires.info, wires.block, *wires.files.values()]
        pass_fds += [] if wires.seccomp is None else [wires.seccomp]
        # But for one that is seen outside only: by it a box is found that nobody has written down (ending.holders).
        line = [_tool("bwrap"), *box.way_out(out), "--args", str(words_fd), "--", *command.words]
        child = _popen(line, command, pass_fds, [*box.own(host), home, out], env={})
        info_end.close()
        wait_end.close()
        try:
            pid = _init(info)
            _limit(pid, command)
            command.enter(pid)
            _say(child, command.stdin)
            _let(go)
        except BaseException as error:
            abandon(child)
            if isinstance(error, (ValueError, KeyError, OSError)):
                raise RunnerUnavailable(f"bubblewrap did not start: {tail(command.output)}") from error
            raise
    return child, pid


def unboxed(command: Command, *, home: Path) -> subprocess.Popen[bytes]:
    """Run it as we are, with nothing but limits and an empty environment."""
    child = _popen(list(command.words), command, [], [], env=box.ENVIRONMENT | {"HOME": str(home)}, cwd=home)
    _limit(child.pid, command)
    command.enter(child.pid)
    _say(child, command.stdin)
    return child


def spawn_landlock(command: Command, *, host: Host, home: Path, out: Path) -> subprocess.Popen[bytes]:
    """Run it under Landlock: with nothing of our files. Temporary files are in the home."""
    temporary = str(home / ".oma" / "tmp")
    rules = {
        "read": [*box.readable(host), "/proc", "/dev/urandom", "/dev/random", "/dev/zero", str(out)],
        "names": [str(host.program / folder) for folder in box.LISTED],
        "write": [str(home), "/dev/null"],
        "filter": seccomp.program().hex(),
        "temporary": temporary,
    }
    words = [sys.executable, "-I", "-S", landlock.__file__, json.dumps(rules), "--", *command.words]
    environ = box.ENVIRONMENT | {"HOME": str(home), "TMPDIR": temporary}
    child = _popen(words, command, [], [*box.own(host), Path(landlock.__file__), home, out], env=environ, cwd=home)
    _limit(child.pid, command)
    command.enter(child.pid)
    _say(child, command.stdin)
    return child


def _limit(pid: int, command: Command) -> None:
    """Resource limits of one process and all it will start. One of another user id has come with them."""
    if command.uid is None:
        for what, bounds in _limits(command).items():
            resource.prlimit(pid, what, bounds)


def _limits(command: Command) -> dict[int, tuple[int, int]]:
    """What it is bounded by; never above what we are bounded by ourselves."""
    found: dict[int, tuple[int, int]] = {}
    for what, wanted in (LIMITS | {resource.RLIMIT_FSIZE: (command.file_bytes, command.file_bytes)}).items():
        _, most = resource.getrlimit(what)
        soft, hard = (value if most == resource.RLIM_INFINITY else min(value, most) for value in wanted)
        found[what] = (soft, hard)
    return found


def _tool(name: str) -> str:
    if path := shutil.which(name):
        return path
    raise RunnerUnavailable(f"{TOOLS[name]} is not installed")


def _popen(
    words: list[str], command: Command, pass_fds: list[int], reached: list[Path], **more: Any
) -> subprocess.Popen[bytes]:
    """`reached` are folders that another user id must be able to open."""
    options: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": command.output,
        "stderr": command.output,
        "pass_fds": [*pass_fds, *([] if command.fd is None else [command.fd])],
        "start_new_session": True,  # it outlives us
        **more,
    }
    try:
        if command.uid is None:
            return subprocess.Popen(words, **options)
        # Root in a container has no right to limit others, so they do it themselves before anything else.
        bounds = [f"--{NAMED[what]}={soft}:{hard}" for what, (soft, hard) in _limits(command).items()]
        options |= {"user": command.uid, "group": command.uid, "extra_groups": []}
        limited = [_tool("prlimit"), *bounds, "--", *words]
        return staged([*reached, Path(words[0])], lambda: subprocess.Popen(limited, **options))
    except OSError as error:
        raise RunnerUnavailable(f"cannot run {words[0]}: {error.strerror}") from error


def _say(child: subprocess.Popen[bytes], line: bytes) -> None:
    assert child.stdin is not None  # noqa: S101  # asked for in _popen
    with suppress(BrokenPipeError), child.stdin as stdin:  # one that has ended already is told of by what it printed
        stdin.write(line)


def _pipe(open_files: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    read, write = os.pipe()
    return open_files.enter_context(open(read, "rb", 0)), open_files.enter_context(open(write, "wb", 0))


def _memory(open_files: ExitStack, content: bytes) -> int:
    file = open_files.enter_context(open(os.memfd_create("box"), "wb", 0))
    file.write(content)
    file.seek(0)
    return file.fileno()


def _init(info: IO[bytes]) -> int:
    """The pid of the box's init, which bubblewrap tells in several pieces of one JSON object.

    Raises: ValueError: it ended, or took too long, before it had made the box.
    """
    said = b""
    while not said.endswith(b"}\n") and select.select([info], [], [], START_S)[0] and (piece := info.read(4096)):
        said += piece
    return int(json.loads(said)["child-pid"])


def _let(go: IO[bytes]) -> None:
    """Let the command run, once the walls stand: bubblewrap reads the byte after the last of them, or ends unread.

    Raises: ValueError: it ended, or took too long, while it made the box.
    """
    go.write(b"\n")
    hung_up = select.poll()
    hung_up.register(go, 0)  # told when the last reading end is closed
    if not hung_up.poll(START_S * 1000) or fcntl.ioctl(go, termios.FIONREAD, b"\0\0\0\0") != b"\0\0\0\0":
        raise ValueError("the box was not made")


def abandon(child: subprocess.Popen[bytes]) -> None:
    """End a box that is half made or only tried: killing bubblewrap's outer half would not end the inner one."""
    for pid in (*children(child.pid), child.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if child.stdin:
        child.stdin.close()
    child.wait(START_S)


def tail(output: IO[bytes]) -> str:
    """The end of what a command printed into this file."""
    said = Path(f"/proc/self/fd/{output.fileno()}").read_bytes()[-SAID_BYTES:]
    return said.decode(errors="replace").strip() or "it said nothing"
