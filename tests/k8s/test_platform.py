"""Web and gateway on Kubernetes: what they are given agrees with the code, and what they may is what they use."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.gateway.far_app import DRAIN_S as GATEWAY_DRAIN_S
from core.safety import unsafe
from core.settings import Settings, read, variable
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
from ui.server import DRAIN_S, END_S

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
    made = {name: "0f1e2d3c4b5a69788796a5b4c3d2e1f0" for name in ("OMA_SESSION_SECRET", "OMA_OIDC_CLIENT_SECRET")}
    given = {**settings(overlay), **made, "OMA_OIDC_CLIENT_ID": "id", "ANTHROPIC_API_KEY": "sk-ant-of-a-test"}
    [objection] = unsafe(read(given))
    assert "OMA_ALLOWED_DOMAINS" in objection
    assert list(unsafe(read({**given, "OMA_ALLOWED_DOMAINS": "example.com"}))) == []


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


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_web_alone_has_rights_and_only_those_it_uses(overlay: str) -> None:
    roles = kinds(overlay, "Role")
    rights = STATEFUL_SETS if overlay == "minimal" else SANDBOXES
    assert [(role["metadata"]["namespace"], role["rules"]) for role in roles] == [("agents", rights)]
    assert kinds(overlay, "ClusterRole") == kinds(overlay, "ClusterRoleBinding") == []
    (binding,) = kinds(overlay, "RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "web", "namespace": "oh-my-agent"}]
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


def set_up(part: str, tools: Path, **answers: str) -> "subprocess.CompletedProcess[str]":
    """A part of the script with tools that do nothing but write down, in `said`, how they were called."""
    for name in ("gcloud", "kubectl"):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\necho "$*" >> {tools / "said"}\n{answers.get(name, "")}\n')
        tool.chmod(0o755)
    path = {"PATH": f"{tools}:/usr/bin:/bin", "PROJECT": "p"}
    script = ROOT / "k8s" / "setup.sh"
    return subprocess.run([script, part], env=path, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("answer", "there"), [("exit 0", True), ("exit 1", False)])
def test_a_cluster_without_agent_sandbox_is_named_when_it_is_set_up(tmp_path: Path, answer: str, there: bool) -> None:
    done = set_up("cluster", tmp_path, kubectl=answer)
    assert done.returncode == 0, done.stderr
    assert ("does not offer agent-sandbox" in done.stderr) is not there
    assert f"--raw /apis/{SANDBOXES[0]['apiGroups'][0]}/v1beta1" in (tmp_path / "said").read_text()


def test_the_machines_may_fetch_the_image_before_there_is_a_cluster(tmp_path: Path) -> None:
    done = set_up("nodes", tmp_path, gcloud='case "$*" in *projectNumber*) echo 123 ;; esac')
    assert done.returncode == 0, done.stderr
    granted = set(re.findall(r"add-iam-policy-binding (?:p|oh-my-agent) .*", (tmp_path / "said").read_text()))
    account = "--member serviceAccount:123-compute@developer.gserviceaccount.com"
    roles = {role for line in granted if account in line for role in re.findall(r"--role (\S+)", line)}
    assert roles == {"roles/container.defaultNodeServiceAccount", "roles/artifactregistry.reader"}
    (parts,) = re.findall(r"^parts=\((.*)\)", (ROOT / "k8s" / "setup.sh").read_text(), re.M)
    order = parts.split()
    assert order.index("registry") < order.index("nodes") < order.index("cluster")


def test_the_runbook_s_bill_is_the_one_worked_out() -> None:
    script = ROOT / "k8s" / "costs.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() in (ROOT / "docs" / "runbook.md").read_text(), "python k8s/costs.py, into the runbook"


DIGEST_OF_A_BUILD = "sha256:" + "ab" * 32


def rendered(overlay: str, digest: str, *, root: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [root / "scripts" / "render", overlay, digest]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False)


def test_what_is_deployed_names_the_image_that_was_built() -> None:
    done = rendered("minimal", DIGEST_OF_A_BUILD)
    assert done.returncode == 0, done.stderr
    images = re.findall(r"image: (\S+)", done.stdout)
    assert images and all(image.endswith(f"@{DIGEST_OF_A_BUILD}") for image in images)


@pytest.mark.parametrize(
    ("overlay", "digest", "reason"),
    [
        ("minimal", "latest", "not a digest"),
        ("minimal", "", "not a digest"),
        ("minimal", "sha256:" + "0" * 64, "without a digest"),
    ],
)
def test_what_must_not_be_deployed_is_refused(overlay: str, digest: str, reason: str) -> None:
    done = rendered(overlay, digest)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr


def test_an_address_that_nobody_has_reserved_is_not_deployed(tmp_path: Path) -> None:
    for folder in ("k8s", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("node_modules"))
    settings_file = tmp_path / "k8s" / "overlays" / "production" / "settings.env"
    said = re.sub(r"(?m)^(OMA_TRUSTED_PROXIES)=.*", r"\1=203.0.113.10", settings_file.read_text())
    said = said.replace("OMA_ALLOWED_DOMAINS=\n", "OMA_ALLOWED_DOMAINS=*\n")
    settings_file.write_text(said)
    done = rendered("production", DIGEST_OF_A_BUILD, root=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "run k8s/setup.sh address" in done.stderr
    settings_file.write_text(said + "OMA_TRUSTED_PROXIES=twice\n")
    broken = rendered("production", DIGEST_OF_A_BUILD, root=tmp_path)
    assert broken.returncode != 0 and broken.stdout == "" and "repeats the key" in broken.stderr


def test_a_web_that_would_refuse_to_start_is_not_deployed(tmp_path: Path) -> None:
    for folder in ("k8s", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("node_modules"))
    file = tmp_path / "k8s" / "overlays" / "production" / "settings.env"
    said = re.sub(r"(?m)^(OMA_TRUSTED_PROXIES)=.*", r"\1=198.51.100.7", file.read_text())
    for people, code in (
        ("", 1),
        ("OMA_ALLOWED_DOMAINS=*", 0),
        ("OMA_ALLOWED_DOMAINS=\nOMA_ALLOWED_EMAILS=a@example.com", 0),
    ):
        file.write_text(said.replace("OMA_ALLOWED_DOMAINS=\n", (people or "OMA_ALLOWED_DOMAINS=") + "\n"))
        done = rendered("production", DIGEST_OF_A_BUILD, root=tmp_path)
        assert (done.returncode, bool(done.stdout)) == (code, not code), done.stderr
        assert ("who may sign in" in done.stderr) == bool(code)
