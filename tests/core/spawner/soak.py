"""`make soak-box`: a thousand starts and kills of a real box; then nothing is left over the baseline. Prints figures.

python -m tests.core.spawner.soak [TIMES]
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from core.spawner.local import LocalSpawner
from tests.core.spawner.boxes import attempt, local, started

TIMES = 1000
LEAVE = "import subprocess; subprocess.Popen(['setsid', 'sleep', '799.25'])"


class Baseline:
    """The counts of everything on this machine that boxes are made of."""

    def __init__(self, folder: Path, groups: set[Path]) -> None:
        self.found = {
            "processes": sorted(pid for pid in os.listdir("/proc") if pid.isdigit() and _ours(pid, folder)),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "control groups": sorted(str(path) for group in groups for path in group.glob("*/")),
            "folders": sorted(str(path) for path in (folder / "run").rglob("*")),
            "temporary": sorted(str(path) for path in Path(tempfile.gettempdir()).glob("oma-trial-*")),
        }


def _ours(pid: str, folder: Path) -> bool:
    try:
        told = Path(f"/proc/{pid}/cmdline").read_text() + Path(f"/proc/{pid}/mountinfo").read_text()
    except OSError:
        return False
    return pid != str(os.getpid()) and (str(folder) in told or "799.25" in told)


async def lives(spawner: LocalSpawner, times: int) -> None:
    """Start and kill: before it is up, when it is up, and with something left running in it."""
    for number in range(times):
        async with started(spawner, id=f"b{number}") as running:
            if number % 3:
                await attempt(spawner, running, LEAVE if number % 3 == 1 else "answer = 1")


async def soak(folder: Path, times: int) -> dict[str, object]:
    """The figures; empty lists and zeros are what is wanted."""
    (folder / "oma-soak").mkdir()
    spawner = local(folder / "oma-soak")
    async with started(spawner, id="first") as first:
        groups = {Path(group).parent for group in first.spawner_state["groups"]}
    before, began = Baseline(folder / "oma-soak", groups).found, time.monotonic()
    await lives(spawner, times)
    took_s, after = time.monotonic() - began, Baseline(folder / "oma-soak", groups).found
    left: dict[str, object] = {}
    for name, there in after.items():
        was = before[name]
        left[name] = (
            there - was if isinstance(there, int) and isinstance(was, int) else [x for x in there if x not in was]
        )  # type: ignore[union-attr, operator]
    return left | {"times": times, "ms each": round(took_s / times * 1000, 1)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="oma-soak-") as place:
        found = asyncio.run(soak(Path(place), int(sys.argv[1]) if len(sys.argv) > 1 else TIMES))
    print(*(f"{name:16} {value}" for name, value in found.items()), sep="\n")
    sys.exit(any(value for name, value in found.items() if name not in ("times", "ms each")))
