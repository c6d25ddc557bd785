"""The common view of both kinds of boxes on Kubernetes: each user has one object that sleeps and wakes."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from core.domain.errors import RunnerUnavailable
from core.domain.records import UserId
from core.spawner import Phase, ProgressCallback
from core.spawner.kubernetes_api import Object, ObjectKind

BOX: Final = "oh-my-agent.info/box"  # annotation: the Box that the object's process belongs to
USER: Final = "oh-my-agent.info/user"
PORT: Final = 8080
REFUSED: Final = "box_refused"
# Fields of a pod that our template may have in one version and not in the next.
OURS: Final = ("affinity", "initContainers", "nodeSelector", "priorityClassName", "runtimeClassName", "tolerations")
# The error codes of a start that takes too long, by the phase in which it stopped.
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
# Words of scheduler and API server with their codes. The first match counts, because a message may have several.
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
    """The state of a box's object. `resting`: it sleeps, and no process of it is left. `addresses` are those of a
    process that is ready or was. `pod` is the name of its pod.
    """

    name: str
    pod: str
    version: str
    generation: int
    holder: str  # id of the Box; empty if it has never served one
    awake: bool  # the desired state
    resting: bool
    process: bool  # a process exists, or may exist
    ready: bool
    addresses: tuple[str, ...]
    unknown: bool = False  # its controller could not observe it, so nothing follows from missing fields
    ended: str = ""  # why its process ended for good
    phase: Phase = Phase.STARTING
    why: str = ""  # in the cluster's words
    runtime: str = ""  # the runtime class: gvisor, or the node's own kernel


class BoxBackend(Protocol):
    """The differences between agent-sandbox and StatefulSets."""

    kind: ObjectKind

    async def named(self, user: UserId, progress: "Progress") -> str:
        """Return the name of the user's object, which is created if it does not exist. Raises: RunnerUnavailable."""

    async def find(self, user: UserId) -> str:
        """Return the name of the user's object; empty if there is none. Raises: RunnerUnavailable."""

    def view(self, found: Object) -> BoxView:
        """Return the state of an object, without asking the cluster."""

    def rest(self) -> Object:
        """Return the patch that ends the process and keeps the volume."""

    async def wake(self) -> Object:
        """Return the patch that starts a process by the cluster's present template. Raises: RunnerUnavailable."""

    def images(self, spec: Object) -> list[str]:
        """Return the images of an object's containers. `spec` is the object's or that of `wake`."""

    async def remove(self, user: UserId) -> None:
        """Delete the object with its volume. Idempotent. Raises: RunnerUnavailable."""


class Progress:
    """Reports each phase once, and keeps the error for a start that takes too long."""

    def __init__(self, tell: ProgressCallback) -> None:
        self._tell, self.phase, self.why = tell, Phase.ASKED, ""
        tell(self.phase)

    def see(self, phase: Phase, why: str = "") -> None:
        """Report a phase. `why` has the cluster's words, which may name a more exact phase.

        Raises: RunnerUnavailable: the start can never succeed.
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
    """Return our code for the cluster's words; empty if we do not know them."""
    return next((code for word, code in WORDS if word in why), "")


def name_of(user: UserId) -> str:
    """Return a valid Kubernetes name for any user id: 2 + 32 characters, always the same."""
    return "u-" + sha256(user.encode()).hexdigest()[:32]


def meta_of(user: UserId) -> Object:
    """Return metadata with the user's id as an annotation, for the operator: a label could not hold every id."""
    name = name_of(user)
    labels = {"app.kubernetes.io/managed-by": "oh-my-agent", USER: name}
    return {"name": name, "labels": labels, "annotations": {USER: user}}


def anew(pod: Object) -> Object:
    """Return a pod's spec for merging over an older one: fields that the template has no longer are removed.

    Only our own fields change; fields that a controller or the cluster's rules added stay.
    """
    return {**dict.fromkeys(OURS), **pod}


def images_of(pod: Object) -> list[str]:
    return [str(one.get("image", "")) for one in pod["containers"]]


def condition(of: Object, kind: str) -> Object:
    """Return a condition of an object; empty if it does not have it."""
    found = of.get("status", {}).get("conditions") or []
    return next((one for one in found if one.get("type") == kind), {})


def of_now(of: Object, kind: str) -> Object:
    """Return a condition; empty also if it was observed before the object's last change."""
    found, generation = condition(of, kind), int(of["metadata"].get("generation", 0))
    return found if int(found.get("observedGeneration", generation)) >= generation else {}


def is_true(of: Object, kind: str) -> bool:
    return of_now(of, kind).get("status") == "True"
