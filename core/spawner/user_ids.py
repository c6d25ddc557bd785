"""Assigns a user id of this machine to each user's box.

The owner of the user's home is the record of it: no two users share an id, it lasts as long as the files do, and a home
that comes from elsewhere (a backup) gets a new one. Only root can give ids. Otherwise homes belong to the platform's
own user.
"""

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock

# Unused ids: above the ranges of people, services and containers, below what some programs read as negative.
FIRST, COUNT = 0x7000_0000, 0x0FFE_0000
IDS = range(FIRST, FIRST + COUNT)
TRIAL = IDS[-1]  # only for the probe


class UserIds:
    """The ids of the homes in one folder."""

    def __init__(self, homes: Path) -> None:
        self._homes = homes
        self._promised: dict[str, int] = {}  # to homes whose files do not all have the id yet
        self._choosing = Lock()

    def assign(self, home: Path) -> int:
        """Return the id of the user with this home, or the one that the home will have."""
        with self._choosing:
            owners = {name: uid for name, uid in _owners(self._homes) if uid in IDS}
            known = [*owners.items(), *self._promised.items()]
            taken = {uid for name, uid in known if name != home.name} | {TRIAL}
            uid = (owners | self._promised).get(home.name, _derived(home))
            while uid in taken:  # practically never, unless somebody has copied a home
                uid = FIRST + (uid + 1) % COUNT
            self._promised[home.name] = uid
            return uid

    def forget(self, home: Path) -> None:
        """Forget a home that was deleted."""
        self._promised.pop(home.name, None)


def _derived(home: Path) -> int:
    """Return the first id to try. It follows from the path, so that ids of deleted users are not reused soon, and two
    platforms on one machine have different ones.
    """
    return FIRST + int.from_bytes(sha256(os.fsencode(home)).digest()[:8]) % COUNT


def _owners(homes: Path) -> Iterable[tuple[str, int]]:
    try:
        names = os.listdir(homes)
    except FileNotFoundError:
        return
    for name in names:
        with suppress(FileNotFoundError):  # it was just deleted
            yield name, (homes / name).lstat().st_uid


def give(home: Path, uid: int | None) -> None:
    """Give a whole home to a user id, or back to ours. No process of its user may run. Raises: OSError."""
    now = home.lstat().st_uid
    if uid is None:
        if now not in IDS:  # it is ours already
            return
        uid = os.geteuid()
    if now == uid:
        return
    try:
        # By descriptor and without following links, because its user controls the contents.
        for _, folders, files, folder in os.fwalk(home, follow_symlinks=False):
            for name in (*folders, *files):
                os.chown(name, uid, uid, dir_fd=folder, follow_symlinks=False)
    except RecursionError as error:
        raise OSError(f"{home} has folders too deep to be given another owner") from error
    os.chown(home, uid, uid, follow_symlinks=False)  # last, so that an interrupted walk starts again


def read_owner(home: Path) -> int | None:
    """Return the id that only this user's processes have; None if there is none."""
    try:
        uid = home.lstat().st_uid
    except FileNotFoundError:
        return None
    return uid if uid in IDS else None


def admit(folder: Path, uid: int) -> None:
    """Let a user id read a folder that stays ours, and use what is created in it for its group."""
    os.chown(folder, -1, uid)
    folder.chmod(0o750)


def trouble(homes: Path) -> str:
    """Return the code of why users cannot have ids of their own here; empty if they can."""
    if os.geteuid():
        return "shared"
    place = next(path for path in (homes, *homes.parents) if path.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix="oma-trial-", dir=place) as folder:
            os.chown(folder, TRIAL, TRIAL)
            return "" if os.stat(folder).st_uid == TRIAL else "no_owners"
    except OSError:  # a file system without owners, a container that knows few ids
        return "no_owners"
