"""Runners on this machine: a bubblewrap box for each user, found after a restart of the web by the pid of its init."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, BinaryIO

import msgspec

from core.config.runtime_dir import Process, Runtime, listening, process
from core.config.settings import Settings
from core.domain.errors import BadInput, Misconfigured, RunnerUnavailable
from core.domain.records import Box, UserId
from core.spawner import Isolation, Phase, Poll, ProgressCallback, RunnerEndpoint, cgroup, nobody
from core.spawner.box import HOME, OUT, PROGRAM
from core.spawner.cgroup import Bounds, Groups
from core.spawner.disk import DiskQuota, Used
from core.spawner.host import REPOSITORY, claude_cli, compiled, inspect_host
from core.spawner.probe import ProbeResult, Sandbox, choose, describe, examine
from core.spawner.process import FILE_BYTES, Command, spawn_bwrap, spawn_landlock, tail, unboxed
from core.spawner.process_tree import ended, holders, kill, sweep
from core.spawner.rmtree_safe import remove
from core.spawner.user_ids import UserIds, admit, give, read_owner

log = logging.getLogger("oma.spawner")

KILLED_S = 5.0  # after SIGKILL: the kernel has to free the box's memory first
LOG_BYTES = 8 * 1024**2  # a runner's log is emptied above this
LOGS_KEPT = 100
NO_USER_SITE = "-s"  # Python's option: the agent owns ~/.local, and its modules must not run in the runner


class LocalSpawner:
    """The Spawner of core.spawner on this machine. `program` is the folder whose main.py is run as the runner, in the
    environment of this interpreter.
    """

    shared = False

    def __init__(self, settings: Settings, runtime: Runtime, *, program: Path = REPOSITORY) -> None:
        self._settings, self._runtime, self._program = settings, runtime, program
        self._data = settings.data_dir.resolve()
        self._host = inspect_host(program)
        self._found: ProbeResult | None = None  # by the trial; None: not tried yet
        name = "oma-" + sha256(os.fsencode(runtime.root)).hexdigest()[:12]
        self._groups = Groups(name, Bounds.from_settings(settings), cgroup.find())
        most = Used(settings.box_disk_mb * 1024**2, settings.box_files)
        self._quota, self._file_bytes = DiskQuota(most), min(FILE_BYTES, most.bytes or FILE_BYTES)
        self._owners = UserIds(self._data / "homes")
        self._starting: set[str] = set()
        self._children: dict[str, subprocess.Popen[bytes]] = {}  # to be reaped; empty after a restart of the web

    def isolation(self) -> Isolation:
        found = self._tried()
        return describe(self._settings, found.trouble, self._groups.live, landlock=found.landlock, shared=found.shared)

    def check(self) -> None:
        """Check the sandbox. Raises: Misconfigured: the one that the settings demand does not run here."""
        self._choose()

    def _choose(self) -> Sandbox:
        found = self._tried()
        return choose(self._settings, found.trouble, landlock=found.landlock)

    async def start(self, box: Box, tell: ProgressCallback = nobody) -> dict[str, Any]:
        self._reap()
        self._starting.add(box.id)
        tell(Phase.STARTING)
        starting = asyncio.ensure_future(asyncio.to_thread(self._start, box))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:  # the thread continues; what it starts is ended
            await self.stop(msgspec.structs.replace(box, spawner_state=await starting), grace_s=0)
            raise
        except Misconfigured as error:
            raise RunnerUnavailable(str(error)) from error
        except OSError as error:
            raise RunnerUnavailable(f"the runner's folders could not be made: {error}") from error
        finally:
            self._starting.discard(box.id)

    async def poll(self, box: Box) -> Poll:
        self._reap()
        if box.id in self._starting:
            return Poll.STARTING
        who = Process.read(box.spawner_state)
        if who is None or not who.alive():
            cgroup.remove(_groups(box), within_s=0)
            return Poll.GONE
        if not self._socket(box).exists():  # the socket was deleted, so the runner cannot be reached any more
            await self.stop(box, grace_s=0)
            return Poll.GONE
        self._bound_log(box)
        return Poll.RUNNING

    def endpoint(self, box: Box) -> RunnerEndpoint:
        return RunnerEndpoint(url="http://runner", unix=str(self._socket(box)))

    async def stop(self, box: Box, *, grace_s: float = 5.0) -> None:
        who = Process.read(box.spawner_state)
        try:
            if who and not await ended(who, within_s=grace_s):
                kill(who)
                await ended(who, within_s=KILLED_S)
        except asyncio.CancelledError:  # the caller cannot wait any longer: kill at once
            if who:
                kill(who)
            self._runtime.remove_box(box.id)
            raise
        unknown = [] if who else await asyncio.to_thread(holders, self._runtime.box_out(box.id))
        for one in unknown:  # the web that started it died before it saved the pid
            kill(one)
            await ended(one, within_s=KILLED_S)
        if unknown or box.spawner_state.get("sandbox") in ("none", "landlock"):
            await asyncio.to_thread(cgroup.kill, _groups(box))
            await asyncio.to_thread(sweep, self._home(box.user), read_owner(self._home(box.user)))
        if child := self._children.get(box.id):
            with suppress(subprocess.TimeoutExpired):  # then it is reaped later
                await asyncio.to_thread(child.wait, KILLED_S)
            self._reap()
        if left := await asyncio.to_thread(cgroup.remove, _groups(box)):
            log.warning("control groups of box %s are left: %s", box.id, left)
        self._runtime.remove_box(box.id)

    async def over_quota(self, box: Box) -> bool:
        self._bound_log(box)  # the log is on the same disk, and the box can make it grow
        return await self._quota.exceeded(self._home(box.user))

    async def forget(self, user: UserId) -> None:
        self._quota.forget(self._home(user))
        await asyncio.to_thread(remove, self._home(user))
        self._owners.forget(self._home(user))
        for path in (self._data / "logs").glob("runner-*.log"):
            if path.name.rpartition("-")[0] == f"runner-{user}":
                path.unlink(missing_ok=True)

    def _tried(self) -> ProbeResult:
        if self._found is None:
            compiled(self._program)
            self._groups.tidy()
            self._found = examine(self._settings, self._host)
        return self._found

    def _home(self, user: UserId) -> Path:
        if "/" in user or user in ("", ".", ".."):
            raise BadInput("no user has this name")
        return self._data / "homes" / user

    def _socket(self, box: Box) -> Path:
        # The saved path: XDG_RUNTIME_DIR may have changed since.
        folder = box.spawner_state.get("dir")
        return Path(folder, "runner.sock") if folder else self._runtime.runner_socket(box.id)

    def _start(self, box: Box) -> dict[str, Any]:
        sandbox = self._choose()
        home = self._home(box.user)
        for private in (self._data, home.parent, home):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
        uid = self._uid(home, sandbox)
        give(home, uid)
        folder = self._runtime.make_box(box.id)
        groups: list[str] = []
        run = self._boxed if sandbox == "bubblewrap" else partial(self._unboxed, sandbox=sandbox)
        try:
            if uid is not None:
                admit(self._runtime.box_out(box.id), uid)
            groups = self._groups.make(box.id)
            with listening(self._runtime.runner_socket(box.id)) as listener, self._log(box) as output:
                command = Command(
                    words=(),
                    fd=listener.fileno(),
                    stdin=_boot(box),
                    output=output,
                    enter=partial(cgroup.enter, groups),
                    file_bytes=self._file_bytes,
                    uid=uid,
                )
                who = run(box, home, command)
        except BaseException:
            cgroup.remove(groups)
            self._runtime.remove_box(box.id)
            raise
        return {"pid": who.pid, "start": who.start, "dir": str(folder), "sandbox": sandbox, "groups": groups}

    def _uid(self, home: Path, sandbox: Sandbox) -> int | None:
        """Return the user id of this home on this machine; None means the platform's own."""
        return None if sandbox == "none" or self._tried().shared else self._owners.assign(home)

    def _boxed(self, box: Box, home: Path, command: Command) -> Process:
        words = [self._host.interpreter, NO_USER_SITE, f"{PROGRAM}/main.py"]
        words += _arguments(command, home=HOME, out=OUT, cli=self._host.inside(claude_cli()))
        out = self._runtime.box_out(box.id)
        child, pid = spawn_bwrap(replace(command, words=words), host=self._host, home=home, out=out)
        return self._known(box, child, pid, command.output)

    def _unboxed(self, box: Box, home: Path, command: Command, *, sandbox: Sandbox) -> Process:
        words = [sys.executable, NO_USER_SITE, str(self._program / "main.py")]
        out = self._runtime.box_out(box.id)
        words += _arguments(command, home=str(home), out=str(out), cli=str(claude_cli()))
        command = replace(command, words=words)
        cage = sandbox == "landlock"
        child = spawn_landlock(command, host=self._host, home=home, out=out) if cage else unboxed(command, home=home)
        return self._known(box, child, child.pid, command.output)

    def _known(self, box: Box, child: subprocess.Popen[bytes], pid: int, output: IO[bytes]) -> Process:
        self._children[box.id] = child
        if who := process(pid):
            return who
        raise RunnerUnavailable(f"the runner ended at once: {tail(output)}")

    def _reap(self) -> None:
        for id, child in list(self._children.items()):
            if child.poll() is not None:
                self._children.pop(id, None)

    def _log(self, box: Box) -> BinaryIO:
        """Open the runner's log, emptied, for appending, so that it can be emptied again while the runner writes."""
        folder = self._data / "logs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in sorted(folder.glob("runner-*.log"), key=_written_at, reverse=True)[LOGS_KEPT - 1 :]:
            if not self._runtime.box_out(
                path.stem.rpartition("-")[2]
            ).exists():  # otherwise a runner still writes into it
                path.unlink(missing_ok=True)
        file = self._log_path(box).open("ab", 0)
        file.truncate(0)
        return file

    def _log_path(self, box: Box) -> Path:
        return self._data / "logs" / f"runner-{box.user}-{box.id}.log"

    def _bound_log(self, box: Box) -> None:
        path = self._log_path(box)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            os.truncate(path, 0)


def _written_at(path: Path) -> float:
    with suppress(FileNotFoundError):  # another start has just deleted it
        return path.stat().st_mtime
    return 0.0


def _groups(box: Box) -> list[str]:
    groups = box.spawner_state.get("groups")
    return [group for group in groups if isinstance(group, str)] if isinstance(groups, list) else []


def _arguments(command: Command, *, home: str, out: str, cli: str) -> list[str]:
    return ["runner", "--fd", str(command.fd), "--home", home, "--box-sock", f"{out}/box.sock", "--cli", cli]


def _boot(box: Box) -> bytes:
    return json.dumps({"boot_key": box.key}).encode() + b"\n"
