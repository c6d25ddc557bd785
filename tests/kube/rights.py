"""The rights of our own Role `web`, as kustomize renders them. Nothing else is allowed to the web."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.k8s.rendered import kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Rules by namespace."""

    rules: dict[str, Sequence[dict[str, Any]]]

    def allow(self, verb: str, group: str, resource: str, namespace: str, name: str = "") -> bool:
        return any(
            group in rule["apiGroups"]
            and resource in rule["resources"]
            and verb in rule["verbs"]
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for rule in self.rules.get(namespace, ())
        )


def of_web(overlay: str) -> Rights:
    """Return the rights that the overlay gives to the web's service account."""
    bound = {
        (binding["metadata"]["namespace"], binding["roleRef"]["name"])
        for binding in kinds(overlay, "RoleBinding")
        if any(subject["name"] == "web" for subject in binding["subjects"])
    }
    roles = {
        (role["metadata"]["namespace"], role["metadata"]["name"]): role["rules"] for role in kinds(overlay, "Role")
    }
    return Rights(rules={namespace: roles[namespace, name] for namespace, name in bound})
