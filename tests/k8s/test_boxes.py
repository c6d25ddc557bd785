"""A user's box passes what GKE's managed agent-sandbox admits (design D1), and is as closed as the platform says."""

import pytest

from tests.imports import modules, reached
from tests.k8s.rendered import GOOGLE, OVERLAYS, Resource, box, kinds, one, settings

FORBIDDEN_OF_POD = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")


def everything(spec: Resource) -> list[Resource]:
    return [*spec["containers"], *spec.get("initContainers", []), *spec.get("ephemeralContainers", [])]


@pytest.mark.parametrize("overlay", GOOGLE)
def test_gke_admits_the_box(overlay: str) -> None:
    spec = box(overlay)["spec"]
    assert spec["runtimeClassName"] == "gvisor"
    assert spec["nodeSelector"] == {"sandbox.gke.io/runtime": "gvisor"}
    toleration = {"key": "sandbox.gke.io/runtime", "operator": "Equal", "value": "gvisor", "effect": "NoSchedule"}
    assert spec["tolerations"] == [toleration]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert not [word for word in FORBIDDEN_OF_POD if spec.get(word)]
    assert "sysctls" not in spec["securityContext"]
    kinds_of_volume = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds_of_volume == {"emptyDir", "secret"}, "no hostPath, no projected service account token"
    for container in everything(spec):
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not context.get("privileged")
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert not [port for port in container["ports"] if "hostPort" in port]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_box_has_no_identity_and_no_environment(overlay: str) -> None:
    spec = box(overlay)["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    account = one(overlay, "ServiceAccount", spec["serviceAccountName"])
    assert account["metadata"]["namespace"] == "agents"
    assert "annotations" not in account["metadata"], "no identity at Google"
    bound = [found for binding in kinds(overlay, "RoleBinding") for found in binding["subjects"]]
    assert [found["name"] for found in bound if found["kind"] == "ServiceAccount"] == ["web"]
    for container in everything(spec):
        assert "env" not in container and "envFrom" not in container, "readable by whoever may get pods"


@pytest.mark.parametrize("overlay", GOOGLE)
def test_warm_boxes_come_from_the_template_and_claims_cannot_change_it(overlay: str) -> None:
    template = one(overlay, "SandboxTemplate", "runner")
    pool = one(overlay, "SandboxWarmPool", "runners")
    assert pool["spec"]["sandboxTemplateRef"] == {"name": template["metadata"]["name"]}
    assert pool["spec"]["replicas"] >= 2
    assert template["spec"]["envVarsInjectionPolicy"] == "Disallowed"
    assert template["spec"]["volumeClaimTemplatesPolicy"] == "Disallowed"
    assert template["spec"]["networkPolicyManagement"] == "Unmanaged", "its own policy would open the internet"
    claim = template["spec"]["volumeClaimTemplates"][0]
    assert claim["metadata"]["name"] == "home"
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_runner_is_started_with_what_the_other_manifests_say(overlay: str) -> None:
    container = box(overlay)["spec"]["containers"][0]
    command, *rest = container["args"]
    words = dict(word.removeprefix("--").split("=", 1) for word in rest)
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert command == "runner"
    assert words["listen"] == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    service = one(overlay, "Service", "gateway")
    address = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.cluster.local"
    assert words["gateway"] == f"http://{address}:{settings(overlay)['OMA_GATEWAY_PORT']}"
    assert words["home"] in mounts
    assert mounts[words["boot-key"].rpartition("/")[0]]["readOnly"] is True


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_box_of_the_common_image_hides_what_the_runner_does_not_import(overlay: str) -> None:
    packages = {name for name, path in modules().items() if path.name == "__init__.py" and name.count(".") <= 1}
    tops = {name for name in packages if name.count(".") == 1 and name.startswith("core.")} | {"auth", "ui", "web"}
    run = reached("core.runner.daemon")
    unused = {name for name in tops if not any(one == name or one.startswith(name + ".") for one in run)}
    mounts = {mount["mountPath"]: mount for mount in box(overlay)["spec"]["containers"][0]["volumeMounts"]}
    hidden = {path for path, mount in mounts.items() if mount["name"] == "nothing" and mount["readOnly"]}
    assert hidden == {f"/opt/oma/{name.replace('.', '/')}" for name in unused}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_box_fits_into_its_namespace(overlay: str) -> None:
    limits = {limit["type"]: limit for limit in one(overlay, "LimitRange", "boxes")["spec"]["limits"]}
    quota = one(overlay, "ResourceQuota", "boxes")["spec"]["hard"]
    asked = box(overlay)["spec"]["containers"][0]["resources"]
    for name, most in limits["Container"]["max"].items():
        assert quantity(asked["limits"][name]) <= quantity(most), name
    boxes = int(quota["pods"])
    assert quantity(asked["requests"]["cpu"]) * boxes <= quantity(quota["requests.cpu"])
    assert quantity(asked["requests"]["memory"]) * boxes <= quantity(quota["requests.memory"])
    assert quantity(asked["limits"]["cpu"]) * boxes <= quantity(quota["limits.cpu"])
    assert quantity(asked["limits"]["memory"]) * boxes <= quantity(quota["limits.memory"])


def quantity(text: str) -> float:
    units = {"m": 1e-3, "Mi": 2.0**20, "Gi": 2.0**30}
    unit = next((unit for unit in units if text.endswith(unit)), "")
    return float(text.removesuffix(unit)) * units.get(unit, 1)
