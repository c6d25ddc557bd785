"""The seam to whatever starts, finds and stops runners: bubblewrap on one machine, agent-sandbox on Kubernetes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from core.domain.records import Box, UserId


class Poll(StrEnum):
    """What there is to say of a runner at this moment; `GONE` also for one that was never started."""

    STARTING = "starting"
    RUNNING = "running"
    GONE = "gone"


class Phase(StrEnum):
    """How far a start is, for who waits (`phase.<phase>` in the catalogues). A spawner tells those that it has."""

    ASKED = "asked"  # nothing is there yet
    ENDING = "ending"  # its last process has not ended yet
    UNMADE = "unmade"  # the cluster does not make it: as many may be awake as may be, or a rule of its own
    QUOTA = "quota"  # as many are awake as may be
    MACHINE = "machine"  # no machine has taken it so far
    DISK = "disk"  # its disk is not there, or not where there is room
    IMAGE = "image"  # a machine has it, fetches the program and attaches the disk
    STARTING = "starting"  # the program is being started
    ANSWERING = "answering"  # it runs, and is not heard yet


ProgressCallback = Callable[[Phase], None]


def nobody(_: Phase) -> None:
    """Who is told of phases where nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerEndpoint:
    """How the web reaches a runner: a unix socket on this machine, or an address."""

    url: str  # base URL without a trailing slash; the host is made up when `unix` is set
    unix: str = ""
    boot_key: str = field(default="", repr=False)  # what a runner that nobody has yet goes by; empty: the box's own key
    pod: str = ""  # the only one that may take what the boot key signs; empty: the key opens this one alone
    named: bool = False  # by a name that may, for a while, lead to whoever had the address before


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One of the walls around a user's agents. `why` it is not there is a code, `mend` a command, where one helps."""

    number: str
    id: str
    live: bool = True
    why: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What stands between a user's agents and the rest. `missing` are sentences with the command that mends.

    For pages: `layers` one by one; `code` is why there is no box, and `command` mends it, where one does.
    """

    name: str  # bubblewrap | none | kubernetes
    layers: tuple[Layer, ...] = ()
    missing: tuple[str, ...] = ()
    code: str = ""
    command: str = ""


class Spawner(Protocol):
    """start / poll / stop, as in JupyterHub: what it must remember is one JSON value, kept by the caller in `Box`.

    A restarted web process gives the same Box and finds the same runner. No method but `start` waits longer than 30 s.
    Where the spawner cannot know (its cluster does not answer), every method but `poll` raises RunnerUnavailable.
    """

    shared: bool  # other web processes start, find and stop the same runners

    def isolation(self) -> Isolation:
        """What protects users from each other here, as found out by running it, not by looking for a program."""

    async def start(self, box: Box, tell: ProgressCallback = nobody) -> dict[str, Any]:
        """Start a dormant runner for this box (it is bound later by POST /v1/init) and return its memory.

        Takes minutes where a machine has to come first, 5 at most; may be cancelled. However it ends without an answer,
        nothing of it is left running. One start of a user at a time, in whatever process: core.fleet sees to it.
        Raises: RunnerUnavailable: with a code for a person who can act on it.
        """

    async def poll(self, box: Box) -> Poll:
        """Answer at every odd moment: before start, half started, after a reboot, with a reused pid.

        GONE only for certain: it is what turns are given up for.
        """

    def endpoint(self, box: Box) -> RunnerEndpoint:
        """Where its API is. Valid as long as `poll` says RUNNING or STARTING."""

    async def stop(self, box: Box, *, grace_s: float = 5.0) -> None:
        """POST /v1/stop has been tried by the caller; end what is left, at once after `grace_s`. Idempotent.

        A runner that another box has been started for meanwhile is left alone.
        """

    async def over_quota(self, box: Box) -> bool:
        """Its home is over its bounds and not less than when this was asked before. Asked often; cheap as a rule."""

    async def forget(self, user: UserId) -> None:
        """Delete everything of the user that the box kept: home, volumes. Only for a deleted account."""
