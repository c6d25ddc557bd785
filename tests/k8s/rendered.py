"""The manifests as they are applied: overlays rendered by the real kustomize, once; and words to look around."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = sorted(path.name for path in (ROOT / "k8s" / "overlays").iterdir())
GOOGLE = [name for name in OVERLAYS if name != "minimal"]
Resource = dict[str, Any]


@cache
def resources(overlay: str) -> list[Resource]:
    """Everything that `kubectl apply -k` would send."""
    kubectl = Path(sys.executable).with_name("kubectl")
    command = [kubectl, "kustomize", ROOT / "k8s" / "overlays" / overlay]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def kinds(overlay: str, kind: str) -> list[Resource]:
    return [resource for resource in resources(overlay) if resource["kind"] == kind]


def one(overlay: str, kind: str, name: str) -> Resource:
    found = [resource for resource in kinds(overlay, kind) if resource["metadata"]["name"].startswith(name)]
    assert len(found) == 1, f"{len(found)} of {kind} {name} in {overlay}"
    return found[0]


def settings(overlay: str) -> dict[str, str]:
    """Return the environment that the ConfigMap sets."""
    return dict(one(overlay, "ConfigMap", "settings")["data"])


def pods(overlay: str) -> Iterator[tuple[str, Resource]]:
    """(namespace, pod template) of everything that runs: `metadata.labels` and `spec`."""
    for resource in resources(overlay):
        match resource["kind"]:
            case "Deployment":
                yield resource["metadata"]["namespace"], resource["spec"]["template"]
            case "SandboxTemplate":
                yield resource["metadata"]["namespace"], resource["spec"]["podTemplate"]
            case "PodTemplate":
                yield resource["metadata"]["namespace"], resource["template"]


def box(overlay: str) -> Resource:
    """The pod template of a user's box."""
    return next(pod for namespace, pod in pods(overlay) if namespace == "agents")


def containers(overlay: str) -> Iterator[Resource]:
    for _, pod in pods(overlay):
        yield from pod["spec"]["containers"]


def container(overlay: str, name: str) -> Resource:
    return next(found for found in containers(overlay) if found["name"] == name)


def port(of: Resource, name: str) -> int:
    return next(int(found["containerPort"]) for found in of["ports"] if found["name"] == name)
