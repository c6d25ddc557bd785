"""The runner's side of the fork server of one CLI: started before it, and ended with all that it has started.

launcher/fork_server.py says what it is for. The CLI reaches it in two ways that a folder's settings cannot change: its
shell is launcher/bash, and commands of MCP servers are run by launcher/launch.py.
"""

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from core.runner.processes import Marked, below, children, dying_with_us, end_all, is_subreaper

Json = dict[str, Any]
HERE = Path(__file__).parent / "launcher"
ADDRESS = "OMA_TOOLS"
ISOLATED = "-IS"  # Python ignores the agent's environment and site-packages
BACKLOG = 64
WAIT_S = 1.0  # for the kernel to report the end of a killed process

# A folder's settings may set variables of the CLI, which everything it starts inherits, and these would let the agent
# run code in the launcher, before it is in the domain. An empty value is as good as none to each of them.
HARMLESS = dict.fromkeys(("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "GLIBC_TUNABLES", "BASH_ENV", "ENV"), "")


class ToolLauncher:
    """The fork server. `await ToolLauncher.start(cwd, ours)` before the CLI; `close` after it.

    `ours` are the pids that all launchers of a runner have started, including CLIs: every other child of the runner is
    an orphan.
    """

    def __init__(self, address: str, process: asyncio.subprocess.Process, ours: set[int]) -> None:
        self.address, self._process, self._ours = address, process, ours
        self._mine = {process.pid}
        ours.add(process.pid)

    @classmethod
    async def start(cls, cwd: Path, ours: set[int]) -> Self:
        """Start the fork server; its socket accepts connections afterwards. Raises: OSError: no process can
        be started.
        """
        address = f"oma-tools-{secrets.token_hex(16)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind("\0" + address)
            listening.listen(BACKLOG)
            null = asyncio.subprocess.DEVNULL
            words = [sys.executable, ISOLATED, str(HERE / "fork_server.py"), str(listening.fileno())]
            process = await asyncio.create_subprocess_exec(
                *dying_with_us(), *words, pass_fds=[listening.fileno()], cwd=cwd, env={}, stdin=null, stdout=null,
                stderr=null, start_new_session=True,
            )  # fmt: skip
        return cls(address, process, ours)

    def belongs(self, pid: int) -> None:
        """Note the pid of the CLI that this launcher serves."""
        self._mine.add(pid)
        self._ours.add(pid)

    def programs(self) -> list[Marked]:
        """Return all living processes that were started here. If an agent killed the fork server, its orphans are our
        children.
        """
        if self._process.returncode is None:
            return below([self._process.pid])
        if not is_subreaper():
            return []  # a runner inside another program: its other children are no orphans
        orphans = [child for child in children(os.getpid()) if child.pid not in self._ours]
        return [*orphans, *below(orphan.pid for orphan in orphans)]

    def environment(self) -> dict[str, str]:
        """Return the CLI's variables. They have to be pinned, so that no folder's settings change them."""
        return {
            "CLAUDE_CODE_SHELL": str(HERE / "bash"),
            "OMA_PYTHON": sys.executable,
            ADDRESS: self.address,
            **HARMLESS,
        }

    async def close(self) -> None:
        """End it and everything that it started, within about 3 s."""
        await end_all("", more=self.programs)
        if self._process.returncode is None:
            self._process.kill()
            try:
                await asyncio.wait_for(self._process.wait(), WAIT_S)
            except TimeoutError:
                return  # the kernel needs longer, and nobody waits for it
        self._ours -= self._mine


def behind_launcher(servers: Json, variables: Mapping[str, str]) -> Json:
    """Return MCP servers with those that are programs run by the launcher, in the session's domain."""
    return {name: _launched(server, variables) for name, server in servers.items()}


def _launched(server: Json, variables: Mapping[str, str]) -> Json:
    command, arguments, env = server.get("command"), server.get("args"), server.get("env")
    if not isinstance(command, str):
        return server  # a server with an address, or an invalid one
    rest = [word for word in arguments if isinstance(word, str)] if isinstance(arguments, list) else []
    own = {name: str(value) for name, value in env.items()} if isinstance(env, dict) else {}
    late = {name: value for name, value in own.items() if name in HARMLESS or name.startswith("LD_")}
    words = [f"{name}={value}" for name, value in ({ADDRESS: variables[ADDRESS]} | late).items()]
    return {
        **server,
        "command": sys.executable,
        "args": [ISOLATED, str(HERE / "launch.py"), *words, "--", command, *rest],
        "env": {**{name: value for name, value in own.items() if name not in late}, **HARMLESS},
    }
