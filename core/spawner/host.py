"""Examines this machine for boxes: its interpreter, the Claude CLI, and the command that makes bubblewrap run."""

import compileall
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from core.domain.errors import RunnerUnavailable
from core.spawner.box import PARTS, Host

REPOSITORY = Path(__file__).resolve().parents[2]
TOP = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
INSTALL = {
    "apt-get": "apt-get install bubblewrap",
    "dnf": "dnf install bubblewrap",
    "pacman": "pacman -S bubblewrap",
    "zypper": "zypper install bubblewrap",
    "apk": "apk add bubblewrap",
}
# Kernel switches that forbid user namespaces: (file, forbidding value, command that corrects it).
SWITCHES = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=16384"),
)


def inspect_host(program: Path = REPOSITORY) -> Host:
    """Return the paths of this interpreter and its packages."""
    venv = Path(sys.prefix)
    return Host(
        python=Path(sys.executable).resolve(),
        prefix=Path(sys.base_prefix).resolve(),
        venv=venv if sys.prefix != sys.base_prefix else None,
        program=program,
        system=tuple((path, _link(path)) for path in TOP if os.path.lexists(path)),
    )


def _link(path: str) -> str:
    return os.readlink(path) if os.path.islink(path) else ""


def compiled(program: Path) -> None:
    """Compile the modules that a runner imports. A runner cannot write its program's folder, so it would compile at
    every start.
    """
    for part in PARTS:
        if (path := program / part).is_dir():
            compileall.compile_dir(path, quiet=2)  # 2: errors do not matter, a start is only slower


def claude_cli() -> Path:
    """Return the CLI in the SDK's wheel. It does not import the SDK, which would take a second.

    Raises: RunnerUnavailable: it is not there.
    """
    spec = find_spec("claude_agent_sdk")
    if spec and spec.origin:
        cli = Path(spec.origin).parent / "_bundled" / "claude"
        if cli.exists():
            return cli
    raise RunnerUnavailable("the Claude Code CLI is not installed: its wheel did not come with claude-agent-sdk")


def fix_command() -> tuple[str, str]:
    """Return (code of why bubblewrap does not run here, command that corrects it or empty)."""
    if not sys.platform.startswith("linux"):
        return "no_linux", ""
    sudo = "" if os.getuid() == 0 else "sudo "
    if not shutil.which("bwrap"):
        command = next((line for tool, line in INSTALL.items() if shutil.which(tool)), "")
        return "not_installed", f"{sudo}{command}" if command else ""
    for file, forbids, command in SWITCHES:
        if _read(file) == forbids:
            return "forbidden", f"{sudo}{command}"
    return "broken", "docker run --privileged"


def fix_hint(said: str) -> str:
    """Return a sentence with the command that makes bubblewrap run. `said` is bubblewrap's output from the probe."""
    code, command = fix_command()
    if code == "no_linux":
        return "boxes need Linux; here agents run as you do, with all that you can reach"
    if code == "not_installed":
        return f"bubblewrap is not installed: {command}" if command else "install bubblewrap (the command is bwrap)"
    if code == "forbidden":
        return f"the kernel forbids user namespaces: {command}"
    last = said.strip().splitlines()[-1:] or ["no answer"]
    return f"bubblewrap does not run here ({last[0]}); in a container it needs {command}"


def _read(file: str) -> str:
    try:
        return Path(file).read_text().strip()
    except OSError:
        return ""
