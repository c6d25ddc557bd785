"""Web and gateway on Kubernetes: what they are given agrees with the code, and what they may is what they use."""

import re
import subprocess
import sys

import pytest

from core.config.checks import problems
from core.config.settings import Settings, read, variable
from core.gateway.cluster_server import DRAIN_S as GATEWAY_DRAIN_S
from tests.k8s.rendered import (
    GOOGLE,
    OVERLAYS,
    ROOT,
    container,
    containers,
    kinds,
    one,
    pods,
    port,
    resources,
    settings,
)
from web.server import DRAIN_S, END_S

DIGEST = re.compile(r"[a-z0-9./-]+@sha256:[0-9a-f]{64}")
SECRET_WORDS = re.compile(r"SECRET|KEY|TOKEN|PASSWORD")
CUSTOMER = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}  # MISSION row 14


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_image_is_named_by_its_digest(overlay: str) -> None:
    images = {found["image"] for found in containers(overlay)}
    assert len(images) == 1, "web, gateway and runner are one image"
    assert all(DIGEST.fullmatch(image) for image in images)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_probed_bounded_and_closed(overlay: str) -> None:
    for found in containers(overlay):
        names = {port["name"] for port in found["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert found[probe]["httpGet"]["port"] in names, (found["name"], probe)
        for kind, figures in CUSTOMER.items():
            assert figures.items() <= found["resources"][kind].items(), found["name"]
        context = found["securityContext"]
        assert context["readOnlyRootFilesystem"] is True and context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
    for _, pod in pods(overlay):
        context = pod["spec"]["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_stands_in_a_manifest(overlay: str) -> None:
    assert kinds(overlay, "Secret") == []
    given = [*settings(overlay).items()]
    given += [(env["name"], env.get("value")) for found in containers(overlay) for env in found.get("env", [])]
    assert [name for name, value in given if value and SECRET_WORDS.search(name)] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_code_knows_every_variable_and_reads_it(overlay: str) -> None:
    known = {variable(name) for name in Settings.__dataclass_fields__}
    named = {env["name"] for found in containers(overlay) for env in found.get("env", [])} | settings(overlay).keys()
    assert named <= known
    got = read(settings(overlay))
    assert (got.env, got.host, got.spawner, got.log_format) == ("production", "0.0.0.0", "kubernetes", "json")
    assert got.url.startswith("https://")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_web_would_start_with_it_once_somebody_has_said_who_may_sign_in(overlay: str) -> None:
    made = {
        "OMA_SESSION_SECRET": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "OMA_OIDC_CLIENT_SECRET": "f0e1d2c3b4a5968778695a4b3c2d1e0f",
    }
    given = {**settings(overlay), **made, "OMA_OIDC_CLIENT_ID": "id", "ANTHROPIC_API_KEY": "sk-ant-of-a-test"}
    [objection] = problems(read(given))
    assert "OMA_ALLOWED_DOMAINS" in objection
    assert list(problems(read({**given, "OMA_ALLOWED_DOMAINS": "example.com"}))) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_web_has_the_boot_key_where_the_settings_look_for_it(overlay: str) -> None:
    mounts = {mount["mountPath"]: mount for mount in container(overlay, "web")["volumeMounts"]}
    file = read(settings(overlay)).boot_key_file
    assert (mounts[str(file.parent)]["name"], file.name) == ("boot-key", "boot-key")


@pytest.mark.parametrize("overlay", GOOGLE)
def test_a_gateway_has_the_time_to_finish_what_it_began(overlay: str) -> None:
    pod = one(overlay, "Deployment", "gateway")["spec"]["template"]["spec"]
    sleep_s = container(overlay, "gateway")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep_s + GATEWAY_DRAIN_S + 5 <= pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_ports_are_those_of_the_settings(overlay: str) -> None:
    got, web, gateway = read(settings(overlay)), container(overlay, "web"), container(overlay, "gateway")
    assert (port(web, "http"), port(web, "metrics")) == (got.port, got.metrics_port)
    assert port(gateway, "boxes") == got.gateway_port
    for service in ("web", "gateway"):
        for found in one(overlay, "Service", service)["spec"]["ports"]:
            assert found["targetPort"] in {found["name"] for found in container(overlay, service)["ports"]}
    assert one(overlay, "Service", "gateway")["spec"]["ports"][0]["port"] == got.gateway_port


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_find_the_pods_they_mean(overlay: str) -> None:
    labelled = [(namespace, pod["metadata"]["labels"]) for namespace, pod in pods(overlay)]
    checked = 0
    for resource in resources(overlay):
        match resource["kind"]:
            case "Service":
                selector = resource["spec"]["selector"]
            case "Deployment" | "PodDisruptionBudget":
                selector = resource["spec"]["selector"]["matchLabels"]
            case "NetworkPolicy":
                selector = resource["spec"]["podSelector"].get("matchLabels", {})
            case _:
                continue
        namespace = resource["metadata"]["namespace"]
        found = [1 for where, labels in labelled if where == namespace and selector.items() <= labels.items()]
        assert found, f"{resource['kind']} {resource['metadata']['name']} selects nothing"
        checked += 1
    assert checked >= 8
    for scaler in kinds(overlay, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in one(overlay, target["kind"], target["name"])["spec"], "two would own one number"


@pytest.mark.parametrize("overlay", GOOGLE)
def test_a_deploy_takes_nothing_away_before_something_new_is_ready(overlay: str) -> None:
    for deployment in kinds(overlay, "Deployment"):
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        name = deployment["metadata"]["name"]
        assert one(overlay, "PodDisruptionBudget", name)["spec"]["minAvailable"] == 1
    assert one(overlay, "HorizontalPodAutoscaler", "web")["spec"]["minReplicas"] >= 2
    assert one(overlay, "Deployment", "gateway")["spec"]["replicas"] == 2


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_web_that_ends_has_the_time_it_needs(overlay: str) -> None:
    pod = one(overlay, "Deployment", "web")["spec"]["template"]["spec"]
    sleep_s = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 20 <= sleep_s <= 30, "the balancer's time to stop sending anybody"
    assert sleep_s + DRAIN_S + END_S + 10 <= pod["terminationGracePeriodSeconds"]


READ = ["get", "list", "watch"]
SANDBOXES = [
    {"apiGroups": ["extensions.agents.x-k8s.io"], "resources": ["sandboxclaims"], "verbs": [*READ, "create", "delete"]},
    {
        "apiGroups": ["extensions.agents.x-k8s.io"],
        "resources": ["sandboxtemplates"],
        "resourceNames": ["runner"],
        "verbs": ["get"],
    },
    {"apiGroups": ["agents.x-k8s.io"], "resources": ["sandboxes"], "verbs": [*READ, "patch"]},
]
STATEFUL_SETS = [
    {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": [*READ, "create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["podtemplates"], "resourceNames": ["runner"], "verbs": ["get"]},
]


DEPLOYER = ("User", "deployer@ai-agent-platform-469401.iam.gserviceaccount.com")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_web_alone_has_rights_and_only_those_it_uses(overlay: str) -> None:
    rights = STATEFUL_SETS if overlay == "minimal" else SANDBOXES
    assert one(overlay, "Role", "web")["rules"] == rights
    assert one(overlay, "Role", "web")["metadata"]["namespace"] == "agents"
    assert kinds(overlay, "ClusterRole") == kinds(overlay, "ClusterRoleBinding") == []
    holders = [(found["kind"], found["name"]) for role in kinds(overlay, "RoleBinding") for found in role["subjects"]]
    assert sorted(holders) == [("ServiceAccount", "web"), *([DEPLOYER] * 2 if overlay in GOOGLE else [])]
    tokens = [pod["metadata"]["labels"] for _, pod in pods(overlay) if pod["spec"]["automountServiceAccountToken"]]
    assert tokens == [{"app.kubernetes.io/name": "web"}]
    accounts = {(a["metadata"]["namespace"], a["metadata"]["name"]) for a in kinds(overlay, "ServiceAccount")}
    assert {(namespace, pod["spec"]["serviceAccountName"]) for namespace, pod in pods(overlay)} == accounts


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_the_gateway_holds_the_model_credential(overlay: str) -> None:
    holders = [f["name"] for f in containers(overlay) for env in f.get("env", []) if env["name"] == "ANTHROPIC_API_KEY"]
    assert holders == ["gateway"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_setup_script_makes_every_secret_that_is_asked_for(overlay: str) -> None:
    script = (ROOT / "k8s" / "setup.sh").read_text()
    made = set(re.findall(r"^secret (\S+) (\S+)", script, re.M))
    asked = {
        (namespace, volume["secret"]["secretName"])
        for namespace, pod in pods(overlay)
        for volume in pod["spec"]["volumes"]
        if "secret" in volume
    }
    for namespace, pod in pods(overlay):
        for env in (env for found in pod["spec"]["containers"] for env in found.get("env", [])):
            if reference := env.get("valueFrom", {}).get("secretKeyRef"):
                asked.add((namespace, reference["name"]))
                assert f"{reference['key']}=" in script, reference
    assert asked == made


def test_the_runbook_s_bill_is_the_one_worked_out() -> None:
    script = ROOT / "k8s" / "costs.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() in (ROOT / "docs" / "runbook.md").read_text(), "python k8s/costs.py, into the runbook"
