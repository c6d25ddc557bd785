"""The main job through containers of the image: `make image` builds it and runs this; `make test` does not.

The Pod manifest is the one we ship (k8s/one-machine/pod.yaml), played by podman, with another port and image name.
"""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from aiohttp import ClientSession, ClientTimeout, UnixConnector
from playwright.async_api import expect

from core.protocol import tokens
from tests.cloud.cloud import Cloud
from tests.e2e.conftest import Visit
from tests.e2e.screen import texts
from tests.e2e.test_cloud import box_dies, main_job
from tests.e2e.test_practice import GREETING
from tests.model_server import ModelServer
from tests.product import LINK, free_port

ROOT = Path(__file__).resolve().parents[2]
PODMAN = str(ROOT / "scripts" / "podman")
MANIFEST = ROOT / "k8s" / "one-machine" / "pod.yaml"
IMAGE = os.environ.get("IMAGE", "localhost/oh-my-agent:dev")
NAME = "oh-my-agent-walk"
START_S = 60.0
# The security context of k8s/base/agents.yaml in podman's words.
PODMAN_RUN = [PODMAN, "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"]
PODMAN_RUN += ["--security-opt", "no-new-privileges", "--memory", "2g", "--cpus", "1"]
PODMAN_RUN += ["--tmpfs", "/tmp", "--tmpfs", "/home/agent:mode=1777"]


def podman(*words: str) -> str:
    done = subprocess.run([PODMAN, *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"podman {words[0]}: {done.stderr}"
    return done.stdout


class Pod:
    """The part of a product that `Screen` uses, from the pod as podman runs it. Its volume outlives it."""

    def __init__(self, manifest: Path, port: int) -> None:
        self.manifest, self.url, self.link = manifest, f"http://127.0.0.1:{port}", ""

    async def up(self) -> None:
        """Start it and wait for the link it prints."""
        await asyncio.to_thread(podman, "kube", "play", str(self.manifest))
        command = [PODMAN, "logs", "--follow", f"{NAME}-web"]
        logs = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert logs.stdout
        try:
            async with asyncio.timeout(START_S):
                said = ""
                while not (found := LINK.search(said)):
                    line = await logs.stdout.readline()
                    assert line, f"the web ended:\n{said}"
                    said += line.decode()
            self.link = found[0]
        finally:
            os.killpg(logs.pid, signal.SIGKILL)  # the script and podman: either keeps the pipe open
            await logs.wait()

    async def down(self) -> None:
        """End and remove it; the volume stays."""
        await asyncio.to_thread(podman, "kube", "down", str(self.manifest))

    def inside(self, line: str) -> str:
        """Return the output of a shell in the web's container."""
        return podman("exec", f"{NAME}-web", "sh", "-c", line)


@pytest_asyncio.fixture(loop_scope="session")
async def pod(tmp_path: Path) -> AsyncIterator[Pod]:
    port, text = free_port(), MANIFEST.read_text()
    text = text.replace("8080", str(port)).replace("localhost/oh-my-agent:dev", IMAGE)
    text = text.replace("name: oh-my-agent\n", f"name: {NAME}\n").replace("oh-my-agent }", f"{NAME} }}")
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(text)
    pod = Pod(manifest, port)
    try:
        await pod.up()
        yield pod
    finally:
        await pod.down()
        await asyncio.to_thread(podman, "volume", "rm", "--force", NAME)


async def test_an_agent_is_built_in_a_container_and_is_there_in_the_next_one(pod: Pod, visit: Visit) -> None:
    screen = await visit(pod, locale="ko-KR")  # type: ignore[arg-type]  # link and url are all it takes of a product
    await screen.sign_in()
    await screen.new_agent()
    await screen.say("안녕?")
    assert texts(await screen.until_turns(1)) == [GREETING]
    agent = screen.agent
    running = pod.inside("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    for part in ("main.py serve", "main.py gateway", "main.py runner", "/claude "):
        assert part in running, f"{part} did not run in the container: {running}"
    assert pod.inside("id -u").strip() == "10001"
    await screen.page.goto("about:blank")
    await pod.down()
    await pod.up()
    later = await visit(pod, locale="ko-KR")  # type: ignore[arg-type]
    await later.sign_in()
    await later.page.goto(f"{pod.url}/workspace/{agent}")
    await expect(later.answers.last).to_have_text(GREETING)


async def test_a_runner_of_the_image_is_bound_in_a_container_as_closed_as_its_pod(tmp_path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "runner.sock"))
    listening.listen()
    command = [
        *PODMAN_RUN,
        "--preserve-fds",
        "1",
        "--interactive",
        IMAGE,
        "runner",
        "--fd",
        "3",
        "--home",
        "/home/agent",
    ]
    command += ["--box-sock", "/tmp/box.sock", "--cli", "/usr/local/bin/claude"]
    given = listening.fileno()
    shell = ["bash", "-c", f'exec "$@" 3<&{given}', "bash"]  # where a box's spawner puts it, too
    runner = subprocess.Popen([*shell, *command], stdin=subprocess.PIPE, pass_fds=(given,))
    try:
        assert runner.stdin
        runner.stdin.write(b'{"boot_key": "the boot key of this walk"}\n')
        runner.stdin.close()
        timeout, connector = ClientTimeout(START_S), UnixConnector(str(tmp_path / "runner.sock"))
        async with ClientSession("http://runner", connector=connector, timeout=timeout) as http:
            async with http.get("/healthz") as answer:
                assert await answer.json() == {"status": "ok", "bound": False}
            body = {"user": "alice", "box": "box", "key": "the key of this binding, long enough"}
            body |= {"max_live_sessions": 2, "idle_cli_s": 60, "orphan_s": 60}  # type: ignore[dict-item]
            boot = bearer("the boot key of this walk", tokens.boot_audience())
            async with http.post("/v1/init", json=body, headers=boot) as answer:
                assert answer.status == 200, await answer.text()
            async with http.get("/healthz") as answer:
                assert (await answer.json())["bound"] is True
            async with http.post("/v1/stop", headers=bearer(str(body["key"]))) as answer:
                assert answer.ok, await answer.text()
        assert await asyncio.to_thread(runner.wait, 30) == 0
    finally:
        listening.close()
        runner.kill()
        runner.wait()


def bearer(key: str, audience: str = "runner:box") -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.sign({'sub': 'alice'}, key=key, audience=audience)}"}


# A pod of tests/kube as podman's container, which ends with it. $1 is its name, $2 its home, $3 the boot key.
POD = """
name=$1 home=$2 key=$3; shift 3
chmod 777 "$home"
trap '"$PODMAN" stop --time 10 "$name" >/dev/null' TERM
"$PODMAN" run --rm --replace --name "$name" --network host --read-only --cap-drop ALL --memory 2g --cpus 1 \\
  --security-opt no-new-privileges --tmpfs /tmp \\
  --volume "$home:/home/agent" --volume "$key:/run/secrets/oma/boot-key:ro" "$@" &
wait $!
wait $!
"""


class ContainerCloud(Cloud):
    """Every box is a container of the image, as closed as its pod."""

    def pod(self, boot_key: Path, gateway: str) -> list[str]:
        boot_key.chmod(0o644)
        shell = ["env", f"PODMAN={PODMAN}", "sh", "-c", POD, "pod", "oma-walk-{pod}", "{home}", str(boot_key), IMAGE]
        runner = ["runner", "--listen={ip}:8080", "--home=/home/agent", "--cli=/usr/local/bin/claude", gateway]
        return [*shell, *runner, "--boot-key=/run/secrets/oma/boot-key", "--pod={pod}"]


async def test_the_main_job_with_boxes_that_are_containers(tmp_path: Path, visit: Visit) -> None:
    async with ContainerCloud(tmp_path / "cloud") as cloud:
        await main_job(cloud, visit)
        running = podman("ps", "--format", "{{.Names}}")
        assert "oma-walk-" in running


async def test_a_container_that_is_killed_in_mid_turn_is_told_and_its_files_are_there(
    tmp_path: Path, visit: Visit, model: ModelServer
) -> None:
    async with ContainerCloud(tmp_path / "cloud", model_url=model.url) as cloud:
        await box_dies(cloud, visit, lambda pod: podman("kill", f"oma-walk-{pod}"))


def test_the_image_holds_no_compiler_no_secret_and_one_cli() -> None:
    look = "for c in cc gcc g++ make; do command -v $c; done; find / -xdev -type f -size +300M; id -u; env"
    said = podman("run", "--rm", "--network", "none", "--entrypoint", "sh", IMAGE, "-c", look).splitlines()
    assert [line for line in said if line.startswith("/")] == ["/usr/local/bin/claude"]
    assert "10001" in said
    assert not [line for line in said if any(word in line for word in ("KEY=", "SECRET=", "TOKEN=", "PASSWORD="))]
    history = podman("history", "--no-trunc", "--format", "{{.CreatedBy}}", IMAGE)
    assert not [word for word in ("API_KEY", "SECRET", "TOKEN", "PASSWORD") if word in history]
