"""What both ways of having a box on Kubernetes look like from above: one object a user that sleeps and wakes."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from core.domain.errors import RunnerUnavailable
from core.domain.records import UserId
from core.spawner import Phase, ProgressCallback
from core.spawner.kubernetes_api import Object, ObjectKind

BOX: Final = "oh-my-agent.info/box"  # annotation: the Box that the process in it belongs to
USER: Final = "oh-my-agent.info/user"
PORT: Final = 8080
REFUSED: Final = "box_refused"
# Of a pod, what our template may have on one day and not on the next.
OURS: Final = ("affinity", "initContainers", "nodeSelector", "priorityClassName", "runtimeClassName", "tolerations")
# What is said of a start that goes on too long: by the phase it got stuck in, or the words of who knows better.
STUCK: Final = {
    Phase.ASKED: "box_none",
    Phase.ENDING: "box_lingers",
    Phase.UNMADE: "box_unmade",
    Phase.QUOTA: "box_quota",
    Phase.MACHINE: "box_no_machine",
    Phase.DISK: "box_no_volume",
    Phase.IMAGE: "box_unprepared",
    Phase.STARTING: "box_ends",
}
# The scheduler's words and the API server's, the first that fit: of a volume in a zone without room both are said.
WORDS: Final = (
    ("quota", "box_quota"),
    ("is forbidden", REFUSED),
    ("denied the request", REFUSED),
    ("is invalid", REFUSED),
    ("Insufficient", "box_no_machine"),
    ("PersistentVolumeClaim", "box_no_volume"),
    ("persistentvolumeclaim", "box_no_volume"),
    ("volume node affinity", "box_no_volume"),
)
PHASES: Final = {"box_quota": Phase.QUOTA, "box_no_machine": Phase.MACHINE, "box_no_volume": Phase.DISK}


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxView:
    """One look. `resting`: asleep, and no process of it is left. `address`: of a process that is ready, or was.

    `pod`: what the process's pod is called.
    """

    name: str
    pod: str
    version: str
    generation: int
    holder: str  # id of the Box, "" if nobody has had it yet
    awake: bool  # as it should be
    resting: bool
    process: bool  # there is one, or may be
    ready: bool
    addresses: tuple[str, ...]
    unknown: bool = False  # its controller could not see: nothing follows from what is missing
    ended: str = ""  # why its process ended for good
    phase: Phase = Phase.STARTING
    why: str = ""  # in the cluster's words
    runtime: str = ""  # the runtime class: gvisor, or the node's own kernel


class BoxBackend(Protocol):
    """What differs between agent-sandbox and StatefulSets."""

    kind: ObjectKind

    async def named(self, user: UserId, progress: "Progress") -> str:
        """The name of the user's object; there is one from now on. Raises: RunnerUnavailable."""

    async def find(self, user: UserId) -> str:
        """Its name, or nothing if there is none. Raises: RunnerUnavailable."""

    def view(self, found: Object) -> BoxView:
        """Pure."""

    def rest(self) -> Object:
        """The patch that ends the process and keeps the volume."""

    async def wake(self) -> Object:
        """The patch that starts one, by the cluster's template of now. Raises: RunnerUnavailable."""

    def images(self, spec: Object) -> list[str]:
        """Of an object, or of `wake`: what its containers run."""

    async def remove(self, user: UserId) -> None:
        """The object, with its volume; idempotent. Raises: RunnerUnavailable."""


class Progress:
    """Tells each phase once, and keeps what to say if it never ends."""

    def __init__(self, tell: ProgressCallback) -> None:
        self._tell, self.phase, self.why = tell, Phase.ASKED, ""
        tell(self.phase)

    def see(self, phase: Phase, why: str = "") -> None:
        """`phase`: as far as it goes without the cluster's words, which may be more exact.

        Raises: RunnerUnavailable: it will not go on however long one waits.
        """
        code = code_of(why)
        if code == REFUSED:
            raise RunnerUnavailable(why, code=code)
        self.why, phase = why, PHASES.get(code, phase)
        if phase is not self.phase:
            self.phase = phase
            self._tell(phase)

    def failure(self, within_s: float) -> RunnerUnavailable:
        said = f"the box was not ready within {within_s:.0f} s ({self.phase}): {self.why}"
        return RunnerUnavailable(said, code=STUCK[self.phase])


def code_of(why: str) -> str:
    """What the cluster's words mean for a person; nothing if they mean nothing to us."""
    return next((code for word, code in WORDS if word in why), "")


def name_of(user: UserId) -> str:
    """A name for Kubernetes, whatever the user id has in it: 2 + 32 characters, the same for ever."""
    return "u-" + sha256(user.encode()).hexdigest()[:32]


def meta_of(user: UserId) -> Object:
    """For the operator: `kubectl get … -o yaml` says whose it is; a label could not hold every id."""
    name = name_of(user)
    labels = {"app.kubernetes.io/managed-by": "oh-my-agent", USER: name}
    return {"name": name, "labels": labels, "annotations": {USER: user}}


def anew(pod: Object) -> Object:
    """A pod's spec as it is merged over an older one of ours: what the template does not have any more goes.

    Only what we give: what a controller or a cluster's own rules have added stays.
    """
    return {**dict.fromkeys(OURS), **pod}


def images_of(pod: Object) -> list[str]:
    return [str(one.get("image", "")) for one in pod["containers"]]


def condition(of: Object, kind: str) -> Object:
    """Empty if it is not there."""
    found = of.get("status", {}).get("conditions") or []
    return next((one for one in found if one.get("type") == kind), {})


def of_now(of: Object, kind: str) -> Object:
    """Empty also if something has been changed since: an older observation says nothing of now."""
    found, generation = condition(of, kind), int(of["metadata"].get("generation", 0))
    return found if int(found.get("observedGeneration", generation)) >= generation else {}


def is_true(of: Object, kind: str) -> bool:
    return of_now(of, kind).get("status") == "True"
