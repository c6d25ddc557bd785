"""What protects users from each other on this machine, found out by making a box and looking around in it."""

import sys
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Literal

from core.errors import Misconfigured, RunnerUnavailable
from core.settings import Settings
from core.spawner import Isolation
from core.spawner.box import PROGRAM, Host
from core.spawner.host import mend, remedy
from core.spawner.layers import layers
from core.spawner.process import START_S, Command, boxed, caged, tail

# The box's own interpreter with our packages and our program, and no other way out than the loopback device.
LOOK = f"""
import os, socket, msgspec
assert os.path.exists("{PROGRAM}/main.py"), "the program is not in the box"
assert [name for _, name in socket.if_nameindex()] == ["lo"], "the box has a network"
print("fine")
"""


def try_box(host: Host) -> str:
    """Make one box and run Python in it; the sentence that mends, or nothing if all is well."""
    with tempfile.TemporaryDirectory(prefix="oma-trial-") as folder, tempfile.TemporaryFile() as output:
        home, out = Path(folder, "home"), Path(folder, "out")
        home.mkdir()
        out.mkdir()
        try:
            child, _ = boxed(
                Command(words=[host.interpreter, "-c", LOOK], output=output), host=host, home=home, out=out
            )
        except RunnerUnavailable:
            return mend(tail(output))
        child.wait(START_S)
        said = tail(output)
        return "" if said == "fine" else mend(said)


# Under Landlock: what is ours can be read, and nothing beside it.
LOOK_AROUND = """
import os, sys, msgspec
open(sys.argv[1] + "/home/new", "w").close()
try:
    os.listdir(sys.argv[1])
except PermissionError:
    print("fine")
"""


@cache
def try_cage(host: Host) -> bool:
    """Landlock holds here."""
    with tempfile.TemporaryDirectory(prefix="oma-trial-") as folder, tempfile.TemporaryFile() as output:
        home = Path(folder, "home")
        home.mkdir()
        command = Command(words=[sys.executable, "-c", LOOK_AROUND, folder], output=output)
        try:
            caged(command, host=host, home=home, out=home).wait(START_S)
        except RunnerUnavailable:
            return False
        return tail(output) == "fine"


Sandbox = Literal["bubblewrap", "landlock", "none"]


def choose(settings: Settings, trouble: str, *, landlock: bool = False) -> Sandbox:
    """Which sandbox is used, when trying bubblewrap gave `trouble` (nothing: it works).

    Raises: Misconfigured: one that is less than what is demanded would have to be used.
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
    settings: Settings, trouble: str, controllers: Collection[str] = (), *, landlock: bool = False
) -> Isolation:
    """The same for people: what stands, or what is missing and how to mend it."""
    code, command = "", ""
    if settings.sandbox in ("none", "landlock"):
        trouble = f"agents run without a box because of OMA_SANDBOX={settings.sandbox}: unset it"
        code, command = "switched_off", "unset OMA_SANDBOX"
    elif trouble:
        code, command = remedy()
    caged = bool(trouble) and landlock and settings.sandbox in ("auto", "landlock")
    return Isolation(
        name="landlock" if caged else "none" if trouble else "bubblewrap",
        layers=layers(settings, trouble=code, mend=command, controllers=controllers, caged=caged),
        missing=(trouble,) if trouble else (),
        code=code,
        command=command,
    )
