"""The resources and their schemas: agent-sandbox's by its CRDs (without the specs of pods)."""

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema

if TYPE_CHECKING:
    from tests.kube.objects import Key, Object

CRDS = json.loads(Path(__file__).with_name("crds.json").read_text())
OWN = {
    ("", "pods"): ("v1", "Pod"),
    ("", "persistentvolumeclaims"): ("v1", "PersistentVolumeClaim"),
    ("", "podtemplates"): ("v1", "PodTemplate"),
    ("", "secrets"): ("v1", "Secret"),
    ("", "services"): ("v1", "Service"),
    ("apps", "statefulsets"): ("v1", "StatefulSet"),
}
IMMUTABLE = ("volumeClaimTemplates", "serviceName", "selector")  # of a StatefulSet, and of a Sandbox the first


class Schemas:
    """`without_crds`: a cluster in which nobody has installed agent-sandbox."""

    def __init__(self) -> None:
        self.kinds = dict(OWN)
        self._schemas: dict[tuple[str, str], dict[str, Any]] = {}
        for crd in CRDS:
            self.kinds[crd["group"], crd["plural"]] = (crd["version"], crd["kind"])
            self._schemas[crd["group"], crd["plural"]] = crd["schema"]

    def without_crds(self) -> None:
        self.kinds = dict(OWN)
        self._schemas = {}

    def versioned(self, group: str, plural: str) -> tuple[str, str]:
        """apiVersion and kind."""
        version, kind = self.kinds[group, plural]
        return (f"{group}/{version}" if group else version), kind

    def admit(self, key: "Key", given: "Object", *, before: "Object | None" = None) -> None:
        """Give it its kind and defaults, drop what the schema does not know. Raises: Refused: 422."""
        from tests.kube.objects import Refused

        given["apiVersion"], given["kind"] = self.versioned(key.group, key.plural)
        if schema := self._schemas.get((key.group, key.plural)):
            for part in ("spec", "status"):
                if part in given:
                    given[part] = _fit(given[part], schema["properties"].get(part, {}))
            wrong = next(jsonschema.Draft202012Validator(schema).iter_errors(given), None)
            if wrong:
                where = ".".join(str(step) for step in wrong.absolute_path)
                raise Refused(
                    422, "Invalid", f'{given["kind"]} "{key.name}" is invalid: {where}: {wrong.message}'[:500]
                )
        for name in IMMUTABLE if before else ():
            if before and before.get("spec", {}).get(name) != given.get("spec", {}).get(name):
                raise Refused(422, "Invalid", f'{given["kind"]} "{key.name}" is invalid: spec: {name} is immutable')


def _fit(value: Any, schema: dict[str, Any]) -> Any:
    """Apply a structural schema as Kubernetes does: unknown fields vanish silently, defaults appear."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    if isinstance(value, list) and "items" in schema:
        return [_fit(one, schema["items"]) for one in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    known = schema["properties"]
    fitted = {name: _fit(one, known[name]) for name, one in value.items() if name in known}
    for name, rule in known.items():
        if name not in fitted and "default" in rule:
            fitted[name] = copy.deepcopy(rule["default"])
    return fitted
