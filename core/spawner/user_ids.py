"""A user id of this machine for each user's box. The record of it is the owner of the user's home: no two users share
one, it lasts as long as there are files of it, and a home that comes from elsewhere (a backup) is given one anew.

Only root has ids to give. Where it cannot, homes belong to the platform's own, and go back to it.
"""

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock

# Nobody's: above the ranges of people, of services and of containers, below what some programs take for negative.
FIRST, COUNT = 0x7000_0000, 0x0FFE_0000
IDS = range(FIRST, FIRST + COUNT)
TRIAL = IDS[-1]  # nobody's home is given this one


class UserIds:
    """Of the homes in one folder."""

    def __init__(self, homes: Path) -> None:
        self._homes = homes
        self._promised: dict[str, int] = {}  # to homes whose files are not all of it yet
        self._choosing = Lock()

    def assign(self, home: Path) -> int:
        """The id of the user whose home this is; before that is there, the one it will have."""
        with self._choosing:
            owners = {name: uid for name, uid in _owners(self._homes) if uid in IDS}
            known = [*owners.items(), *self._promised.items()]
            taken = {uid for name, uid in known if name != home.name} | {TRIAL}
            uid = (owners | self._promised).get(home.name, _derived(home))
            while uid in taken:  # as good as never, or somebody has copied a home
                uid = FIRST + (uid + 1) % COUNT
            self._promised[home.name] = uid
            return uid

    def forget(self, home: Path) -> None:
        """It has been deleted."""
        self._promised.pop(home.name, None)


def _derived(home: Path) -> int:
    """So that ids of people who have left do not come back, and two platforms on one machine have others."""
    return FIRST + int.from_bytes(sha256(os.fsencode(home)).digest()[:8]) % COUNT


def _owners(homes: Path) -> Iterable[tuple[str, int]]:
    try:
        names = os.listdir(homes)
    except FileNotFoundError:
        return
    for name in names:
        with suppress(FileNotFoundError):  # just now: the others stay whose they are
            yield name, (homes / name).lstat().st_uid


def give(home: Path, uid: int | None) -> None:
    """All of a home to a user id, or back to ours. Nothing of its user may run. Raises: OSError."""
    now = home.lstat().st_uid
    if uid is None:
        if now not in IDS:  # ours, or what a file system shows for us
            return
        uid = os.geteuid()
    if now == uid:
        return
    try:
        # By descriptor and without following: what is in there is its user's doing.
        for _, folders, files, folder in os.fwalk(home, follow_symlinks=False):
            for name in (*folders, *files):
                os.chown(name, uid, uid, dir_fd=folder, follow_symlinks=False)
    except RecursionError as error:
        raise OSError(f"{home} has folders too deep to be given another owner") from error
    os.chown(home, uid, uid, follow_symlinks=False)  # last: a walk that was cut off begins again


def read_owner(home: Path) -> int | None:
    """The id that only its user's processes have; None: there is no such."""
    try:
        uid = home.lstat().st_uid
    except FileNotFoundError:
        return None
    return uid if uid in IDS else None


def admit(folder: Path, uid: int) -> None:
    """Let a user id look into a folder that stays ours, and reach what is made there for its group."""
    os.chown(folder, -1, uid)
    folder.chmod(0o750)


def trouble(homes: Path) -> str:
    """Why no user can have an id of their own here, as a code; empty if nothing speaks against it so far."""
    if os.geteuid():
        return "shared"
    place = next(path for path in (homes, *homes.parents) if path.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix="oma-trial-", dir=place) as folder:
            os.chown(folder, TRIAL, TRIAL)
            return "" if os.stat(folder).st_uid == TRIAL else "no_owners"
    except OSError:  # a file system without owners, a container that knows few ids
        return "no_owners"
