"""Starts a command in a box, or without one. It inherits nothing of ours, and its limits hold before it runs."""

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

START_S = 10.0  # bubblewrap creates a box in 10 ms; a machine that swaps may need seconds
SAID_BYTES = 4000  # of an error message
GIB = 1024**3
FILE_BYTES = 8 * GIB  # of one file; in the worst case it also limits the runner's log
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
    """A command and what it inherits: one descriptor, one line on its stdin, one file for its output."""

    words: Sequence[str]
    fd: int | None = None
    stdin: bytes = b""
    output: IO[bytes]
    enter: Callable[[int], None] = lambda pid: None  # called with its pid before it runs: control groups
    file_bytes: int = FILE_BYTES
    uid: int | None = None  # its user id on this machine; None: ours


def spawn_bwrap(command: Command, *, host: Host, home: Path, out: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Run a command in a box. Returns our child, which is bubblewrap's outer half, and the pid of the box's init.

    Raises: RunnerUnavailable: bubblewrap did not create the box; the text is its output.
    """
    with ExitStack() as open_files:
        info, info_end = _pipe(open_files)
        wait_end, go = _pipe(open_files)
        filter_ = seccomp.program()
        fds = BwrapFds(
            info=info_end.fileno(),
            block=wait_end.fileno(),
            seccomp=_memory(open_files, filter_) if filter_ else None,
            files={path: _memory(open_files, text.encode()) for path, text in box.files(host).items()},
        )
        words = box.arguments(host, home=home, fds=fds)
        # The arguments go by descriptor and the environment is empty, because the box can read both of pid 1.
        words_fd = _memory(open_files, "\0".join(words).encode())
        pass_fds = [words_fd, fds.info, fds.block, *fds.files.values()]
        pass_fds += [] if fds.seccomp is None else [fds.seccomp]
        # One argument is visible outside only: it finds a box whose pid was not saved (process_tree.holders).
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
    """Run a command as our own user, with only limits and an empty environment."""
    child = _popen(list(command.words), command, [], [], env=box.ENVIRONMENT | {"HOME": str(home)}, cwd=home)
    _limit(child.pid, command)
    command.enter(child.pid)
    _say(child, command.stdin)
    return child


def spawn_landlock(command: Command, *, host: Host, home: Path, out: Path) -> subprocess.Popen[bytes]:
    """Run a command under Landlock, without access to our files. Its temporary files are in the home."""
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
    """Set the resource limits of a process and its future children. With another user id, prlimit(1) has set them."""
    if command.uid is None:
        for what, bounds in _limits(command).items():
            resource.prlimit(pid, what, bounds)


def _limits(command: Command) -> dict[int, tuple[int, int]]:
    """Return the limits of a command; none is above our own."""
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
    """Start a process. Another user id has to be able to open the folders `reached`."""
    options: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": command.output,
        "stderr": command.output,
        "pass_fds": [*pass_fds, *([] if command.fd is None else [command.fd])],
        "start_new_session": True,  # it has to outlive us
        **more,
    }
    try:
        if command.uid is None:
            return subprocess.Popen(words, **options)
        # Root in a container may not limit other users' processes, so the process limits itself first, by prlimit(1).
        bounds = [f"--{NAMED[what]}={soft}:{hard}" for what, (soft, hard) in _limits(command).items()]
        options |= {"user": command.uid, "group": command.uid, "extra_groups": []}
        limited = [_tool("prlimit"), *bounds, "--", *words]
        return staged([*reached, Path(words[0])], lambda: subprocess.Popen(limited, **options))
    except OSError as error:
        raise RunnerUnavailable(f"cannot run {words[0]}: {error.strerror}") from error


def _say(child: subprocess.Popen[bytes], line: bytes) -> None:
    assert child.stdin is not None  # noqa: S101  # asked for in _popen
    with suppress(BrokenPipeError), child.stdin as stdin:  # if it has ended already, its output tells why
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
    """Return the pid of the box's init, which bubblewrap writes as a JSON object in several pieces.

    Raises: ValueError: bubblewrap ended, or took too long, before the box was complete.
    """
    said = b""
    while not said.endswith(b"}\n") and select.select([info], [], [], START_S)[0] and (piece := info.read(4096)):
        said += piece
    return int(json.loads(said)["child-pid"])


def _let(go: IO[bytes]) -> None:
    """Let the command run once the box is complete: bubblewrap then reads the byte, or it ends without reading it.

    Raises: ValueError: bubblewrap ended, or took too long, before the box was complete.
    """
    go.write(b"\n")
    hung_up = select.poll()
    hung_up.register(go, 0)  # told when the last reading end is closed
    if not hung_up.poll(START_S * 1000) or fcntl.ioctl(go, termios.FIONREAD, b"\0\0\0\0") != b"\0\0\0\0":
        raise ValueError("the box was not made")


def abandon(child: subprocess.Popen[bytes]) -> None:
    """End a box that is incomplete or was only a probe. Killing bubblewrap's outer half would not end the inner one."""
    for pid in (*children(child.pid), child.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if child.stdin:
        child.stdin.close()
    child.wait(START_S)


def tail(output: IO[bytes]) -> str:
    """Return the end of a command's output in this file."""
    said = Path(f"/proc/self/fd/{output.fileno()}").read_bytes()[-SAID_BYTES:]
    return said.decode(errors="replace").strip() or "it said nothing"
