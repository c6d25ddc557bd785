"""Runs inside the box: in which files below the given places words are, which are told backwards, and as JSON.

    python box_search.py BACKWARDS.json PLACE…       # prints {"name": [paths]}

Standard library only. It does not cross from one mount into another, so it never reads the machine's own folders.
"""

import contextlib
import json
import os
import stat
import sys
from collections.abc import Iterator

FILE_BYTES = 64 << 20


def files(place: str) -> Iterator[str]:
    """Regular files on the same mount as `place`."""
    mount = os.stat(place).st_dev
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in folders if os.lstat(os.path.join(folder, name)).st_dev == mount]
        for path in (os.path.join(folder, name) for name in names):
            about = os.lstat(path)
            if stat.S_ISREG(about.st_mode) and about.st_dev == mount and about.st_size < FILE_BYTES:
                yield path


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as told:
        words = {name: word[::-1].encode() for name, word in json.load(told).items()}
    found: dict[str, list[str]] = {name: [] for name in words}
    for path in sorted({path for place in sys.argv[2:] for path in files(place)}):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            content = file.read()
            for name, word in words.items():
                if word in content:
                    found[name].append(path)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
