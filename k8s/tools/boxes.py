"""Pods and volume claims out of SandboxTemplates, so that tools which know only Kubernetes' own kinds see them, too.

usage: boxes.py RENDERED …   YAML on stdout. Exit 1: a resource of agent-sandbox does not fit its schema.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

GROUP = "extensions.agents.x-k8s.io/"
SCHEMA = Path(__file__).with_name("agent-sandbox.schema.json")


def inner(template: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """Return the objects that the controller creates from a template: a pod, and its claims."""
    namespace = template["metadata"]["namespace"]
    pod = template["spec"]["podTemplate"]
    claims = template["spec"].get("volumeClaimTemplates", [])
    volumes = [
        *pod["spec"].get("volumes", []),
        *(
            {"name": c["metadata"]["name"], "persistentVolumeClaim": {"claimName": c["metadata"]["name"]}}
            for c in claims
        ),
    ]
    meta = {**pod.get("metadata", {}), "name": name, "namespace": namespace}
    yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {**pod["spec"], "volumes": volumes}}
    for claim in claims:
        meta = {**claim["metadata"], "namespace": namespace}
        yield {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": claim["spec"]}


def main(files: list[str]) -> int:
    check = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    wrong, out = 0, []
    for file in files:
        for resource in yaml.safe_load_all(Path(file).read_text()):
            if not resource["apiVersion"].startswith(GROUP):
                continue
            for error in check.iter_errors(resource):
                wrong += 1
                best = jsonschema.exceptions.best_match([error]) or error
                sys.stderr.write(f"{file}: {resource['kind']}: {best.json_path}: {best.message}\n")
            if resource["kind"] == "SandboxTemplate":
                out += inner(resource, f"{resource['metadata']['name']}-{Path(file).stem}")
    yaml.safe_dump_all(out, sys.stdout)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
