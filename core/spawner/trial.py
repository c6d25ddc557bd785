"""What protects users from each other on this machine, found out by making a box and looking around in it."""

import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from core.errors import Misconfigured, RunnerUnavailable
from core.settings import Settings
from core.spawner import Isolation
from core.spawner.box import PROGRAM, Host
from core.spawner.host import mend, remedy
from core.spawner.layers import layers
from core.spawner.process import START_S, Command, boxed, tail

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


def choose(settings: Settings, trouble: str) -> Literal["bubblewrap", "none"]:
    """Which sandbox is used, when trying bubblewrap gave `trouble` (nothing: it works).

    Raises: Misconfigured: none would have to be used where one is demanded.
    """
    if settings.sandbox == "none":
        return "none"
    if not trouble:
        return "bubblewrap"
    if settings.production or settings.sandbox == "bubblewrap":
        raise Misconfigured(f"no sandbox for agents: {trouble}")
    return "none"


def describe(settings: Settings, trouble: str, controllers: Collection[str] = ()) -> Isolation:
    """The same for people: what stands, or what is missing and how to mend it."""
    code, command = "", ""
    if settings.sandbox == "none":
        trouble = "agents run without a box because of OMA_SANDBOX=none: unset it"
        code, command = "switched_off", "unset OMA_SANDBOX"
    elif trouble:
        code, command = remedy()
    return Isolation(
        name="none" if trouble else "bubblewrap",
        layers=layers(settings, trouble=code, mend=command, controllers=controllers),
        missing=(trouble,) if trouble else (),
        code=code,
        command=command,
    )
