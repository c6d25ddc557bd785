"""Finds out what isolates users from each other on this machine, by creating a box and running a program in it."""

import subprocess
import sys
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from core.config.settings import Settings
from core.domain.errors import Misconfigured, RunnerUnavailable
from core.spawner import Isolation, user_ids
from core.spawner.box import PROGRAM, Host
from core.spawner.host import fix_command, fix_hint
from core.spawner.isolation_report import layers
from core.spawner.landlock import abi
from core.spawner.process import START_S, Command, abandon, spawn_bwrap, spawn_landlock, tail

# The box has to have its interpreter, our packages and our program, and no network device except loopback.
LOOK = f"""
import os, socket, msgspec
assert os.path.exists("{PROGRAM}/main.py"), "the program is not in the box"
assert [name for _, name in socket.if_nameindex()] == ["lo"], "the box has a network"
print("fine")
"""


def try_box(host: Host, uid: int | None = None) -> str:
    """Create a box and run Python in it. Returns a sentence with the remedy; empty if it works."""
    with tempfile.TemporaryDirectory(prefix="oma-trial-") as folder, tempfile.TemporaryFile() as output:
        home, out = _folders(folder, uid)
        command = Command(words=[host.interpreter, "-c", LOOK], output=output, uid=uid)
        try:
            child, _ = spawn_bwrap(command, host=host, home=home, out=out)
        except RunnerUnavailable:
            return fix_hint(tail(output))
        if not _ended(child):
            return fix_hint(f"no answer within {START_S:.0f} s")
        said = tail(output)
        return "" if said == "fine" else fix_hint(said)


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Wait for the process. Returns False if it took too long; then it is killed."""
    try:
        child.wait(START_S)
    except subprocess.TimeoutExpired:
        abandon(child)
        return False
    return True


def _folders(folder: str, uid: int | None) -> tuple[Path, Path]:
    home, out = Path(folder, "home"), Path(folder, "out")
    home.mkdir(0o700)
    out.mkdir(0o700)
    if uid is not None:
        user_ids.give(home, uid)
        user_ids.admit(out, uid)
    return home, out


# Under Landlock: the process can use its own files and nothing beside them.
LOOK_AROUND = """
import os, sys, msgspec
open(sys.argv[1] + "/home/new", "w").close()
try:
    os.listdir(sys.argv[1])
except PermissionError:
    print("fine")
"""


@cache
def try_cage(host: Host, uid: int | None = None) -> bool:
    """True if Landlock works here."""
    with tempfile.TemporaryDirectory(prefix="oma-trial-") as folder, tempfile.TemporaryFile() as output:
        home, out = _folders(folder, uid)
        Path(folder).chmod(0o755)  # so that only Landlock can refuse
        command = Command(words=[sys.executable, "-c", LOOK_AROUND, folder], output=output, uid=uid)
        try:
            in_time = _ended(spawn_landlock(command, host=host, home=home, out=out))
        except RunnerUnavailable:
            return False
        return in_time and tail(output) == "fine"


class ProbeResult(NamedTuple):
    """The result of the probe: why there is no box (empty: there is), why users have no ids of their own, and whether
    Landlock works.
    """

    trouble: str = ""
    shared: str = "shared"
    landlock: bool = False


def examine(settings: Settings, host: Host) -> ProbeResult:
    """Try the sandboxes that the settings allow, the better first; with an id of its own if the machine can
    give ids.
    """
    if settings.sandbox == "none":
        return ProbeResult(shared="no_box")
    shared = user_ids.trouble(settings.data_dir.resolve() / "homes")
    trouble = ""
    if settings.sandbox != "landlock":
        if not shared and not try_box(host, user_ids.TRIAL):
            return ProbeResult(shared="")
        if not (trouble := try_box(host)):
            return ProbeResult(shared=shared or "closed")
    if not shared and try_cage(host, user_ids.TRIAL):
        return ProbeResult(trouble, "", landlock=True)
    return ProbeResult(trouble, shared or "closed", landlock=try_cage(host))


Sandbox = Literal["bubblewrap", "landlock", "none"]


def choose(settings: Settings, trouble: str, *, landlock: bool = False) -> Sandbox:
    """Return the sandbox to use. `trouble` is the result of trying bubblewrap (empty: it works).

    Raises: Misconfigured: only a weaker sandbox than demanded is available.
    """
    if settings.sandbox == "none":
        return "none"
    if settings.sandbox == "landlock" and landlock:
        return "landlock"
    if not trouble and settings.sandbox != "landlock":
        return "bubblewrap"
    if settings.production or settings.sandbox != "auto":
        raise Misconfigured(f"no sandbox for agents: {trouble or 'Landlock does not run here'}")
    return "landlock" if landlock else "none"


def describe(
    settings: Settings,
    trouble: str,
    controllers: Collection[str] = (),
    *,
    landlock: bool = False,
    shared: str = "shared",
) -> Isolation:
    """Describe the isolation for people: what holds, or what is missing and its remedy."""
    code, command = "", ""
    if settings.sandbox in ("none", "landlock"):
        trouble = f"agents run without a box because of OMA_SANDBOX={settings.sandbox}: unset it"
        code, command = "switched_off", "unset OMA_SANDBOX"
    elif trouble:
        code, command = fix_command()
    caged = bool(trouble) and landlock and settings.sandbox in ("auto", "landlock")
    return Isolation(
        name="landlock" if caged else "none" if trouble else "bubblewrap",
        layers=layers(
            settings,
            trouble=code,
            mend=command,
            controllers=controllers,
            caged=caged,
            shared=shared,
            landlock_abi=abi(),
        ),
        missing=(trouble,) if trouble else (),
        code=code,
        command=command,
    )
