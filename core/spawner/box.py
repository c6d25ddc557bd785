"""The box as arguments of bubblewrap: which files of this machine are inside, and that they are read-only.

This module is pure: host.py examines the machine, process.py runs the command.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.protocol import managed_settings

HOME = "/home/agent"
OUT = "/run/oma"
PROGRAM = "/opt/oma"
VENV = "/opt/venv"
UID = "1000"  # inside the box; outside it is the user's own id (user_ids.py) or the platform's
# The files that main.py imports for `runner`: a box has nothing of the web, the gateway or the store.
PARTS = (
    "main.py",
    "core/__init__.py",
    "core/domain",
    "core/lib",
    "core/observability/__init__.py",
    "core/observability/log_bounds.py",
    "core/observability/logs.py",
    "core/observability/redaction.py",
    "core/observability/secret_patterns.py",
    "core/observability/tracing.py",
    "core/protocol",
    "core/runner",
)
LISTED = ("", "core", "core/observability")  # their parent folders, which Python lists to find a module
TMP_BYTES = 256 * 1024**2  # of memory, for /tmp and again for /dev/shm
ENVIRONMENT = {"HOME": HOME, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}

# Of /etc only the files that programs need to start, to find time zones and to check certificates. Never a whole
# directory that may hold keys: if the platform is root, the box could read them.
ETC = (
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/pki/ca-trust/extracted",
    "/etc/pki/tls/certs",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The paths of this machine that a box needs."""

    python: Path  # the real interpreter, no symlink
    prefix: Path  # its installation
    venv: Path | None  # the environment with our packages, if it is not the installation itself
    program: Path  # the folder that PARTS are in
    system: tuple[tuple[str, str], ...]  # (/bin, usr/bin): symlinks into /usr; ("/lib", "") where it is a real folder

    def inside(self, path: Path) -> str:
        """Return the path that a file of the Python environment has in the box."""
        if self.venv and path.is_relative_to(self.venv):
            return f"{VENV}/{path.relative_to(self.venv)}"
        return str(path)

    @property
    def interpreter(self) -> str:
        """The path of Python in the box, with our packages."""
        return f"{VENV}/bin/python" if self.venv else str(self.python)


def own(host: Host) -> list[Path]:
    """Return the paths of this machine that a box needs and that may lie in a private folder."""
    return [host.prefix, *([host.venv] if host.venv else []), *(host.program / part for part in PARTS)]


def readable(host: Host) -> list[str]:
    """Return all paths that a process may read where access is only restricted, not mounted (Landlock)."""
    names = ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/mime.types")
    return ["/usr", *(path for path, _ in host.system), *ETC, *names, *map(str, own(host))]


def files(host: Host) -> dict[str, str]:
    """Return small files that exist only in the box. The machine's own would reveal its users and names."""
    made = {
        "/etc/passwd": f"agent:x:{UID}:{UID}:agent:{HOME}:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
        "/etc/group": f"agent:x:{UID}:\nnogroup:x:65534:\n",
        "/etc/hosts": "127.0.0.1 localhost box\n::1 localhost\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
        managed_settings.MANAGED_PATH: json.dumps(managed_settings.file_settings(), indent=1),
    }
    if host.venv:
        made[f"{VENV}/pyvenv.cfg"] = f"home = {host.python.parent}\ninclude-system-site-packages = false\n"
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class BwrapFds:
    """The descriptors that bubblewrap reads, writes and closes before the command runs."""

    info: int  # bubblewrap writes the pid of the box's init here
    block: int  # bubblewrap waits for a byte from here
    seccomp: int | None  # the filter of seccomp.py
    files: Mapping[str, int]  # path inside → its content


def arguments(host: Host, *, home: Path, fds: BwrapFds) -> list[str]:
    """Return the arguments before the command, except those of `way_out`."""
    seccomp = [] if fds.seccomp is None else ["--seccomp", str(fds.seccomp)]
    return [
        *("--unshare-user", "--unshare-all", "--disable-userns", "--uid", UID, "--gid", UID, "--cap-drop", "ALL"),
        *("--new-session", "--hostname", "box", "--clearenv"),
        "--as-pid-1",  # the runner protects itself; bubblewrap's own init could be traced and taken over
        *_system(host),
        *_private(),
        *(word for path in ETC for word in ("--ro-bind-try", path, path)),
        *(word for path, fd in fds.files.items() for word in ("--perms", "0444", "--file", str(fd), path)),
        *_program(host),
        *("--bind", str(home), HOME),
        *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
        *("--chdir", HOME, "--remount-ro", "/"),  # last: bubblewrap's own root is a writable tmpfs
        *("--info-fd", str(fds.info), "--block-fd", str(fds.block), *seccomp),
    ]


def way_out(out: Path) -> list[str]:
    """Return the first arguments: they mount the folder of the gateway's socket."""
    return ["--ro-bind", str(out), OUT]


def _system(host: Host) -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for path, target in host.system:
        words += ["--symlink", target, path] if target else ["--ro-bind", path, path]
    return words


def _private() -> list[str]:
    size = ("--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs")
    # /proc is read-only: if the platform is root, the box could change the kernel's settings, and core_pattern runs
    # programs outside.
    system = ("--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev")
    return [*system, *size, "/dev/shm", "--remount-ro", "/dev", *size, "/tmp"]  # noqa: S108  # the box's own


def _program(host: Host) -> list[str]:
    words: list[str] = []
    if not host.prefix.is_relative_to("/usr"):
        words += ["--ro-bind", str(host.prefix), str(host.prefix)]
    if host.venv:
        words += ["--ro-bind", str(host.venv / "lib"), f"{VENV}/lib", "--symlink", "lib", f"{VENV}/lib64"]
        words += ["--symlink", str(host.python), f"{VENV}/bin/python"]
    for part in PARTS:
        words += ["--ro-bind", str(host.program / part), f"{PROGRAM}/{part}"]
    return words
