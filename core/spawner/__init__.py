"""The seam to the isolation of users: it starts, finds and stops runners, in bubblewrap on one machine or on
Kubernetes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from core.domain.records import Box, UserId


class Poll(StrEnum):
    """The state of a runner at this moment; `GONE` also if it was never started."""

    STARTING = "starting"
    RUNNING = "running"
    GONE = "gone"


class Phase(StrEnum):
    """The progress of a start, for the person who waits (`phase.<phase>` in the catalogues). Each spawner has some of
    them.
    """

    ASKED = "asked"  # nothing exists yet
    ENDING = "ending"  # the box's previous process has not ended yet
    UNMADE = "unmade"  # the cluster does not create it: its quota is used up, or one of its rules forbids it
    QUOTA = "quota"  # the quota of running boxes is used up
    MACHINE = "machine"  # no machine has been assigned so far
    DISK = "disk"  # its disk does not exist, or no machine with room can attach it
    IMAGE = "image"  # the assigned machine fetches the program and attaches the disk
    STARTING = "starting"  # the program is being started
    ANSWERING = "answering"  # the program runs but does not answer yet


ProgressCallback = Callable[[Phase], None]


def nobody(_: Phase) -> None:
    """Do nothing: the callback for a caller that does not show phases."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerEndpoint:
    """The address of a runner for the web: a unix socket on this machine, or a network address."""

    url: str  # base URL without a trailing slash; the host is made up when `unix` is set
    unix: str = ""
    boot_key: str = field(default="", repr=False)  # the key of a runner without a user; empty: the box's own key
    pod: str = ""  # the only pod that may accept the boot key's signature; empty: only this runner has the key
    named: bool = False  # the URL has a DNS name, which may lead to the previous pod for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of isolation around a user's agents. `why` is the code of why it is missing, `mend` a command
    that helps.
    """

    number: str
    id: str
    live: bool = True
    why: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The isolation between a user's agents and everything else. `missing` are sentences with the command that helps.

    For pages: `layers` one by one; `code` tells why there is no box, and `command` helps, if any does.
    """

    name: str  # bubblewrap | none | kubernetes
    layers: tuple[Layer, ...] = ()
    missing: tuple[str, ...] = ()
    code: str = ""
    command: str = ""


class Spawner(Protocol):
    """start / poll / stop, as in JupyterHub. Its state of a runner is one JSON value, which the caller keeps in `Box`.

    A restarted web process passes the same Box and finds the same runner. No method except `start` waits longer than 30
    s. If the spawner cannot know the answer (its cluster does not answer), every method except `poll` raises
    RunnerUnavailable.
    """

    shared: bool  # other web processes start, find and stop the same runners

    def isolation(self) -> Isolation:
        """Return the isolation between users, as found by running a probe, not by looking for a program."""

    async def start(self, box: Box, tell: ProgressCallback = nobody) -> dict[str, Any]:
        """Start an unbound runner for this box and return its state. POST /v1/init binds it later.

        Takes up to 5 minutes if a machine has to be added first; may be cancelled. If it fails or is cancelled, nothing
        is left running. core.fleet makes sure that a user has one start at a time, in whatever process. Raises:
        RunnerUnavailable: with a code for a person.
        """

    async def poll(self, box: Box) -> Poll:
        """Return the state at any moment: before the start, half started, after a reboot, with a reused pid.

        GONE means certainty, because the caller then gives up the open turns.
        """

    def endpoint(self, box: Box) -> RunnerEndpoint:
        """Return the address of the runner's API. Valid while `poll` returns RUNNING or STARTING."""

    async def stop(self, box: Box, *, grace_s: float = 5.0) -> None:
        """End what is left of a runner after `grace_s`. The caller has already tried POST /v1/stop. Idempotent.

        A runner that was started for another box meanwhile is left alone.
        """

    async def over_quota(self, box: Box) -> bool:
        """True if the home is over its limits and has grown since the last call. Called often, and usually cheap."""

    async def forget(self, user: UserId) -> None:
        """Delete everything of the user that the box kept: home, volumes. Only for a deleted account."""
