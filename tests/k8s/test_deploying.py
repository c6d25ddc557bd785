"""Tests of a deploy from nothing, and its undoing: k8s/setup.sh, scripts/render and scripts/deployed with recording
tools.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.k8s.rendered import GOOGLE, ROOT, kinds, resources

MARK = "oh-my-agent.info"


def plural(kind: str) -> str:
    """Return the API's plural of a kind."""
    word = kind.lower()
    return f"{word[:-1]}ies" if word.endswith("policy") else f"{word}es" if word.endswith("s") else f"{word}s"


def set_up(part: str, tools: Path, *, gcloud: str = "", kubectl: str = "") -> "subprocess.CompletedProcess[str]":
    """A part of the script with tools that do nothing but write down, in `said`, how they were called."""
    answers = {"gcloud": gcloud, "kubectl": kubectl}
    for name in ("gcloud", "kubectl"):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\necho "$*" >> {tools / "said"}\n{answers[name]}\n')
        tool.chmod(0o755)
    path = {"PATH": f"{tools}:/usr/bin:/bin", "PROJECT": "p", "GITHUB_REPOSITORY": "o/r"}
    script = ROOT / "k8s" / "setup.sh"
    return subprocess.run([script, part], env=path, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("answer", "there"), [("exit 0", True), ("exit 1", False)])
def test_a_cluster_without_agent_sandbox_is_named_when_it_is_set_up(tmp_path: Path, answer: str, there: bool) -> None:
    done = set_up("cluster", tmp_path, kubectl=answer)
    assert done.returncode == 0, done.stderr
    assert ("does not offer agent-sandbox" in done.stderr) is not there
    (template,) = kinds("production", "SandboxTemplate")
    assert f"--raw /apis/{template['apiVersion']}" in (tmp_path / "said").read_text()


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


@pytest.mark.parametrize("overlay", GOOGLE)
def test_whoever_deploys_may_what_a_deploy_does_and_no_more(overlay: str) -> None:
    """The rights hold by kind and namespace: all kinds that are rendered, and none that gives rights or
    shows secrets.
    """
    rules = {
        (role["metadata"]["namespace"], group, kind): rule["verbs"]
        for role in kinds(overlay, "Role")
        if role["metadata"]["name"] == "deployer"
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for kind in rule["resources"]
    }
    asked = set()
    for resource in resources(overlay):
        if resource["metadata"].get("labels", {}).get(f"{MARK}/applied-by") != "setup":
            group = resource["apiVersion"].rpartition("/")[0]
            asked.add((resource["metadata"]["namespace"], group, plural(resource["kind"])))
    assert asked <= rules.keys()
    assert all({"get", "create", "patch"} <= set(verbs) for verbs in rules.values())
    assert not any("delete" in verbs or "*" in verbs for verbs in rules.values())
    for _, group, kind in rules:
        assert group != "rbac.authorization.k8s.io" and "*" not in (group, kind)
        assert kind not in ("secrets", "pods", "pods/exec", "namespaces", "serviceaccounts/token")


def test_no_right_of_whoever_deploys_is_for_nothing() -> None:
    rendered_kinds = {
        (found["metadata"].get("namespace"), plural(found["kind"]))
        for overlay in GOOGLE
        for found in resources(overlay)
    }
    for role in kinds("production", "Role"):
        if role["metadata"]["name"] == "deployer":
            named = {(role["metadata"]["namespace"], kind) for rule in role["rules"] for kind in rule["resources"]}
            assert named <= rendered_kinds


def test_the_deployer_of_the_script_is_the_one_who_has_the_role(tmp_path: Path) -> None:
    done = set_up("github", tmp_path, gcloud='case "$*" in *projectNumber*) echo 123 ;; esac')
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "said").read_text()
    assert "roles/container." not in said, "Google's own roles reach every namespace"
    permissions = re.search(r"iam roles update omaClusterVisitor .*--permissions (\S+)", said)
    assert permissions and set(permissions[1].split(",")) == {
        f"container.clusters.{verb}" for verb in ("get", "list", "connect")
    }


@pytest.mark.parametrize(
    ("answer", "code"),
    [("ERROR: ALREADY_EXISTS: index already exists", 0), ("ERROR: PERMISSION_DENIED: no right", 1)],
)
def test_an_index_that_is_there_is_well_and_any_other_failure_is_not(tmp_path: Path, answer: str, code: int) -> None:
    refuse = f'case "$*" in *indexes*) echo "{answer}" >&2; exit 1 ;; *schedules\\ list*) echo one ;; esac'
    done = set_up("database", tmp_path, gcloud=refuse)
    assert done.returncode == code, done.stderr
    assert ("PERMISSION_DENIED" in done.stderr) == bool(code)


KUBECTL = """case "$*" in
  *dry-run=client*) exec {real} "$@" ;;
  *"get configmap deployed"*.data.now*) cat {state}/now ;;
  *"get configmap deployed"*.data.before*) cat {state}/before ;;
  *rollout*web*) exit $(cat {state}/rollout) ;;
  *apply*) cat >> {state}/applied; echo --- >> {state}/applied ;;
esac"""


class Cluster:
    """The state of a cluster for `scripts/deployed`: its objects, what was applied, and whether it rolls out."""

    def __init__(self, folder: Path, *, now: str = "", before: str = "", rolls_out: bool = True) -> None:
        self._folder = folder
        for name, text in (("now", now), ("before", before), ("rollout", str(int(not rolls_out)))):
            (folder / name).write_text(text)
        kubectl = folder / "kubectl"
        real = Path(sys.executable).with_name("kubectl")
        kubectl.write_text(f'#!/bin/sh\necho "$*" >> {folder}/said\n{KUBECTL.format(real=real, state=folder)}\n')
        kubectl.chmod(0o755)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [ROOT / "scripts" / "deployed", *words]
        env = {"PATH": f"{self._folder}:/usr/bin:/bin"}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    def read(self, name: str) -> str:
        file = self._folder / name
        return file.read_text() if file.exists() else ""


def test_what_works_is_kept_with_what_worked_before(tmp_path: Path) -> None:
    rendered_now = tmp_path / "rendered.yaml"
    rendered_now.write_text("kind: New\n")
    cluster = Cluster(tmp_path, now="kind: Old\n")
    done = cluster.run("good", str(rendered_now))
    assert done.returncode == 0, done.stderr
    assert "kind: New" in cluster.read("applied") and "kind: Old" in cluster.read("applied")
    again = Cluster(tmp_path, now="kind: New\n", before="kind: Old\n")
    (tmp_path / "applied").unlink()
    assert again.run("good", str(rendered_now)).returncode == 0
    assert again.read("applied") == "", "the same deploy twice, and the way back would lead to itself"


@pytest.mark.parametrize("way", ["now", "before"])
def test_the_way_back_puts_everything_back_and_not_only_programs(tmp_path: Path, way: str) -> None:
    cluster = Cluster(tmp_path, now="of: now\n", before="of: before\n")
    done = cluster.run("back", way)
    assert done.returncode == 0, done.stderr
    assert cluster.read("applied") == f"of: {way}\n---\n"
    apply = next(line for line in cluster.read("said").splitlines() if line.startswith("apply"))
    assert "--server-side --force-conflicts --field-manager deploy" in apply  # fields of the newer one go
    assert "applied-by!=setup" in apply
    assert cluster.read("said").count("rollout status") == 2


def test_a_way_back_that_leads_nowhere_says_so(tmp_path: Path) -> None:
    done = Cluster(tmp_path).run("back", "now")
    assert (done.returncode, done.stdout) == (1, "")
    assert "git revert" in done.stderr
    stuck = Cluster(tmp_path, now="of: now\n", rolls_out=False).run("back", "now")
    assert stuck.returncode == 1, "a way back that does not come up is no way back"


def test_a_deploy_undoes_itself_with_it() -> None:
    workflow = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    steps = re.findall(r"run: (scripts/\w+(?: \w+)?)", workflow)
    assert steps == [
        *("scripts/render production", "scripts/deployed apply", "scripts/smoke"),
        *("scripts/deployed good", "scripts/deployed back"),
    ]
