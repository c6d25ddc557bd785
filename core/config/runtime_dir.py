"""The runtime directory, which holds the sockets of our processes on one machine, and the identity of processes.

docs/internals.md has the layout. Everything in the directory can be created again, so it may be removed while no
process uses it. Permanent files are in the data directory.
"""

import os
import secrets
import shutil
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config.settings import Secret, Settings
from core.domain.errors import Misconfigured

SECRET_BYTES = 48  # 64 characters in base64
BACKLOG = 128  # connections that wait to be accepted
LONGEST_SOCKET = 107  # sun_path of Linux without its final NUL; macOS has 103, where we only run unboxed


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of this machine. The start time distinguishes it from a later process with the same pid."""

    pid: int
    start: int  # clock ticks since boot

    @classmethod
    def read(cls, memory: Mapping[str, Any]) -> "Process | None":
        """Return the process in a JSON value with `pid` and `start`; None if they are missing."""
        pid, start = memory.get("pid"), memory.get("start")
        if isinstance(pid, int) and isinstance(start, int) and pid > 0:
            return cls(pid=pid, start=start)
        return None

    def alive(self) -> bool:
        """True if this process still runs and is no zombie; also True if that cannot be read."""
        try:
            return self.is_it()
        except OSError:
            return True

    def is_it(self) -> bool:
        """True if this process still runs and is no zombie. Raises: OSError: too many open files to read it."""
        return started_at(self.pid) == self.start


def started_at(pid: int) -> int:
    """Return the start time of a process in clock ticks since boot; 0 if it does not exist or is a zombie.

    Raises: OSError: too many open files to read it.
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # The name, in parentheses, may hold spaces and parentheses of its own: count from the last one.
    fields = line.rpartition(b")")[2].split()
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return 0
    return int(fields[19])  # field 22 of the line, of which two are the pid and the name


def process(pid: int | None = None) -> Process | None:
    """Return the identity of a living process, by default of this one; None if it does not exist."""
    pid = os.getpid() if pid is None else pid
    start = started_at(pid)
    return Process(pid=pid, start=start) if start else None


@dataclass(frozen=True, slots=True)
class Runtime:
    """The paths of one runtime directory."""

    root: Path

    @property
    def gateway_socket(self) -> Path:
        return self.root / "gateway.sock"

    @property
    def gateway_file(self) -> Path:
        return self.root / "gateway.json"

    @property
    def boxes(self) -> Path:
        return self.root / "b"

    def box(self, box_id: str) -> Path:
        return self.boxes / box_id

    def runner_socket(self, box_id: str) -> Path:
        return self.box(box_id) / "runner.sock"

    def box_out(self, box_id: str) -> Path:
        """The folder that is mounted into the box: the only part of the directory that the box sees."""
        return self.box(box_id) / "out"

    def box_socket(self, box_id: str) -> Path:
        return self.box_out(box_id) / "box.sock"

    def make_box(self, box_id: str) -> Path:
        """Make the directory of one box, with the folder that the box sees."""
        _private(self.root)  # a gateway that just ended may have removed it
        for folder in (self.boxes, self.box(box_id), self.box_out(box_id)):
            folder.mkdir(mode=0o700, exist_ok=True)
        return self.box(box_id)

    def remove_box(self, box_id: str) -> None:
        shutil.rmtree(self.box(box_id), ignore_errors=True)

    def remove_boxes(self) -> None:
        shutil.rmtree(self.boxes, ignore_errors=True)

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def make(settings: Settings) -> Runtime:
    """Create the runtime directory, or check that it is private.

    Raises: Misconfigured: another user owns it or may enter it, or its path is too long for sockets.
    """
    root = settings.runtime_dir
    longest = os.fsencode(root / "b" / ("x" * 12) / "runner.sock")
    if len(longest) > LONGEST_SOCKET:
        raise Misconfigured(f"the runtime directory {root} is too long for sockets: set XDG_RUNTIME_DIR to a short one")
    _private(root)
    runtime = Runtime(root)
    runtime.boxes.mkdir(mode=0o700, exist_ok=True)
    return runtime


def _private(folder: Path) -> None:
    """Make `folder` with mode 0700, or check that it is ours: in /tmp another user could have made it."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise Misconfigured(f"cannot make the runtime directory {folder}: {error.strerror}") from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Misconfigured(f"the runtime directory {folder} belongs to somebody else: remove it")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def listening(path: Path, *, group: int | None = None) -> socket.socket:
    """Return a socket that listens at `path`, for us and the users of `group`; clients may connect before
    it accepts.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        if group is not None:
            os.chown(path, -1, group)
        path.chmod(0o600 if group is None else 0o660)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def guests(folder: Path) -> int | None:
    """Return the group that the spawner gave access to a box's folder; None if only we have access."""
    found = folder.stat()
    return found.st_gid if found.st_mode & stat.S_IXGRP else None


def platform_key(settings: Settings) -> Secret:
    """Return the key that signs our tokens: the setting, or in local mode the content of a file that is created once.

    The file has mode 0600. Web and gateway may start at the same moment: the file appears complete or not at all, and
    the first one stays.
    """
    if settings.session_secret:
        return settings.session_secret[0]
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = settings.data_dir / "secret"
    if not path.exists():
        write_once(path, secrets.token_urlsafe(SECRET_BYTES))
    found = path.stat()
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise Misconfigured(f"others can read {path}: type chmod 600 {path}")
    text = path.read_text(encoding="ascii").strip()
    if len(text) < 32:
        raise Misconfigured(f"{path} is damaged: remove it, then everybody signs in again")
    return Secret(text)


def write_once(path: Path, text: str) -> None:
    """Write `text` to a new file of mode 0600. If another process created it meanwhile, that file stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails if it is there: unlike rename, the first one wins
    except FileExistsError:
        pass
    finally:
        draft.unlink()
