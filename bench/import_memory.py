"""`python -m bench.import_memory`: which packages hold the memory that web, gateway and runner have after importing.

Each process is measured in an interpreter of its own. A package's figure is the private memory (in MiB) that became
resident while its modules were imported, without what they imported from other packages.
"""

import builtins
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

PROCESSES = {"web": "web.server", "gateway": "core.gateway.local_server", "runner": "core.runner.daemon"}
SHOWN = 12
MEASURE = "from bench.import_memory import measure; measure({module!r})"

_import = builtins.__import__


def private_mib() -> float:
    """Private resident memory of this process."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


class Attribution:
    """Stands in for `__import__` and adds up the memory that each top-level package took."""

    def __init__(self) -> None:
        self.packages: Counter[str] = Counter()
        self._inner: list[float] = []  # of each import under way: what it imported from elsewhere

    def __call__(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        if level or name in sys.modules:
            return _import(name, globals, locals, fromlist, level)
        before = private_mib()
        self._inner.append(0.0)
        try:
            return _import(name, globals, locals, fromlist, level)
        finally:
            took = private_mib() - before
            self.packages[name.split(".")[0]] += took - self._inner.pop()  # type: ignore[assignment]
            if self._inner:
                self._inner[-1] += took


def measure(module: str) -> None:
    """Import a module and print the figures as one JSON object."""
    before, attribution = private_mib(), Attribution()
    builtins.__import__ = attribution
    __import__(module)
    builtins.__import__ = _import
    packages = {name: round(size, 1) for name, size in attribution.packages.most_common(SHOWN)}
    print(json.dumps({"interpreter": round(before, 1), "all": round(private_mib(), 1), "packages": packages}))


def main() -> None:
    """Print the figures of all three processes as one JSON object."""
    figures = {}
    for process, module in PROCESSES.items():
        command = [sys.executable, "-c", MEASURE.format(module=module)]
        figures[process] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
