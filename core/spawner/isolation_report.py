"""The layers of isolation around a user's agents: which of them hold here, and what corrects those that do not.

The values are for pages: `id` and `why` are codes with sentences in the catalogues (`layer.<id>`, `layer.why.<why>`).
The doctor speaks English only and has its own sentences below.
"""

from collections.abc import Collection

from core.config.settings import Settings
from core.spawner import Layer, cgroup

FLOOR = ("key", "namespaces", "egress", "settings")  # production does not start with less
NAMES = {
    "key": "the model credential stays with the gateway",
    "namespaces": "a box of namespaces, without capabilities, with a filter on system calls",
    "uid": "a user id of the machine for each user",
    "egress": "no network except through the gateway",
    "limits": "memory, processes and processors bounded by control groups",
    "disk": "disk space counted and bounded",
    "settings": "Claude settings that no folder can override",
    "fallback": "reduced isolation by Landlock, where there is no box",
    "tools": "an agent's programs in a Landlock domain apart from the CLI that asks about them",
}
WHYS = {
    "no_box": "needs the box of L1",
    "shared": "only root can give users ids; all boxes have the platform's, and L1 keeps them apart",
    "no_owners": "files cannot have other owners here; all boxes have the platform's id, and L1 keeps them apart",
    "closed": "other user ids cannot reach the program here; all boxes have the platform's, and L1 keeps them apart",
    "no_cgroups": "control groups cannot be written; only limits of single processes hold",
    "unbounded": "switched off by a setting",
    "not_needed": "not needed beside L1",
    "no_domain": "no Landlock in the kernel: sockets, a filter on system calls and the check of each decision are left",
    "no_signal_scope": "the kernel's Landlock is older than version 6: an agent's programs can send signals to the CLI",
    "no_landlock": "Landlock is switched off, or the kernel does not have it",
}
SIGNALS_SINCE = 6  # the version of Landlock that keeps signals inside a domain
DELEGATE = "systemd-run --property=Delegate=yes"


def layers(
    settings: Settings,
    *,
    trouble: str,
    mend: str,
    controllers: Collection[str],
    caged: bool = False,
    shared: str = "shared",
    landlock_abi: int = SIGNALS_SINCE,
) -> tuple[Layer, ...]:
    """Return all layers. `trouble` tells why there is no box, `shared` why users have no ids of their own; empty: they
    do.

    `landlock_abi` is the version of the kernel's Landlock, 0 for none.
    """
    boxed = not trouble
    bounded = bool(settings.box_memory_mb and settings.box_pids and settings.box_cpus)
    whole = set(controllers) >= set(cgroup.CONTROLLERS)
    limits = "" if bounded and whole else "no_cgroups" if bounded else "unbounded"
    return (
        _layer("L0", "key"),
        _layer("L1", "namespaces", trouble, mend),
        _layer("L2", "uid", shared),
        _layer("L3", "egress", "" if boxed else "no_box"),
        _layer("L4", "limits", limits, DELEGATE if limits == "no_cgroups" else ""),
        _layer("L5", "disk", "" if settings.box_disk_mb and settings.box_files else "unbounded"),
        _layer("L6", "settings"),
        _layer("L7", "fallback", "" if caged else "not_needed" if boxed else "no_landlock"),
        _layer("L8", "tools", _tools(landlock_abi)),
    )


def _tools(landlock_abi: int) -> str:
    return "" if landlock_abi >= SIGNALS_SINCE else "no_signal_scope" if landlock_abi else "no_domain"


def _layer(number: str, id: str, why: str = "", mend: str = "") -> Layer:
    return Layer(number=number, id=id, live=not why, why=why, mend=mend if why else "")
