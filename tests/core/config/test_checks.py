"""Configurations that must not start: `main.py` ends with one line that names the setting, and opens nothing."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from core.config.checks import check
from core.config.settings import read
from core.domain.errors import Misconfigured
from tests.product import MAIN

pytestmark = pytest.mark.unsafe_configurations

SECRET = "k3Tq9vXw2LmR8sZbY5nHcJ7dGf4pAe6u"
GOOD = {
    "OMA_ENV": "production",
    "OMA_PUBLIC_URL": "https://agents.example.com",
    "OMA_SESSION_SECRET": SECRET,
    "OMA_OIDC_CLIENT_ID": "id",
    "OMA_OIDC_CLIENT_SECRET": "its own",
    "OMA_ALLOWED_DOMAINS": "example.com",
    "OMA_TRUSTED_PROXIES": "127.0.0.1",
    "ANTHROPIC_API_KEY": "key",
}
LOCAL = {"OMA_ENV": "local", "OMA_MODEL": "practice"}
# what is wrong: what is changed in GOOD, and the setting that the line must name
UNSAFE: dict[str, tuple[dict[str, str], str]] = {
    "no session secret": ({"OMA_SESSION_SECRET": ""}, "OMA_SESSION_SECRET"),
    "a short secret": ({"OMA_SESSION_SECRET": SECRET[:31]}, "OMA_SESSION_SECRET"),
    "a secret of one letter": ({"OMA_SESSION_SECRET": "a" * 64}, "OMA_SESSION_SECRET"),
    "a well-known secret": ({"OMA_SESSION_SECRET": "please-CHANGE-this-key-in-production-now"}, "OMA_SESSION_SECRET"),
    "the secret of our own tests": (
        {"OMA_SESSION_SECRET": "a key for tests, long enough to be one: 0123456789"}, "OMA_SESSION_SECRET"
    ),
    "a weak old secret behind a good one": ({"OMA_SESSION_SECRET": f"{SECRET},changeme"}, "OMA_SESSION_SECRET"),
    "no sign-in provider": ({"OMA_OIDC_CLIENT_ID": ""}, "OMA_OIDC_CLIENT_ID"),
    "no secret at the provider": ({"OMA_OIDC_CLIENT_SECRET": ""}, "OMA_OIDC_CLIENT_SECRET"),
    "a provider without TLS": ({"OMA_OIDC_ISSUER": "http://accounts.example.com"}, "OMA_OIDC_ISSUER"),
    "Google and nobody named": ({"OMA_ALLOWED_DOMAINS": ""}, "OMA_ALLOWED_DOMAINS"),
    "no public address": ({"OMA_PUBLIC_URL": ""}, "OMA_PUBLIC_URL"),
    "a public address without TLS": ({"OMA_PUBLIC_URL": "http://agents.example.com"}, "OMA_PUBLIC_URL"),
    "a public address with a wildcard": ({"OMA_PUBLIC_URL": "https://*.example.com"}, "OMA_PUBLIC_URL"),
    "a public address with a user": ({"OMA_PUBLIC_URL": "https://x@agents.example.com"}, "OMA_PUBLIC_URL"),
    "no sandbox": ({"OMA_SANDBOX": "none"}, "OMA_SANDBOX"),
    "an emulator as the store": ({"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"}, "FIRESTORE_EMULATOR_HOST"),
    "an emulator as the vault": (
        {"SECRET_MANAGER_EMULATOR_HOST": "127.0.0.1:8080"}, "SECRET_MANAGER_EMULATOR_HOST"
    ),
    "a stranger's address for Vertex": (
        {"ANTHROPIC_VERTEX_BASE_URL": "https://vertex.example.com/v1"}, "ANTHROPIC_VERTEX_BASE_URL"
    ),
    "a vault at Google in no project": ({"OMA_VAULT": "google"}, "OMA_GCP_PROJECT"),
    "Vertex in no project": ({"OMA_MODEL": "vertex", "CLOUD_ML_REGION": "global"}, "ANTHROPIC_VERTEX_PROJECT_ID"),
    "Vertex in no region": ({"OMA_MODEL": "vertex", "ANTHROPIC_VERTEX_PROJECT_ID": "p"}, "CLOUD_ML_REGION"),
    "a region of Vertex that is another host": (
        {"OMA_MODEL": "vertex", "ANTHROPIC_VERTEX_PROJECT_ID": "p", "CLOUD_ML_REGION": "evil.example.com/x"},
        "CLOUD_ML_REGION",
    ),
    "an API server without a credential": ({"OMA_KUBERNETES_URL": "http://127.0.0.1:8001"}, "OMA_KUBERNETES_URL"),
    "a far API server without a credential": ({**LOCAL, "OMA_KUBERNETES_URL": "http://10.0.0.1"}, "OMA_KUBERNETES_URL"),
    "the practice model": ({"OMA_MODEL": "practice"}, "ANTHROPIC_API_KEY"),
    "no model key": ({"ANTHROPIC_API_KEY": ""}, "ANTHROPIC_API_KEY"),
    "the model key in the clear": ({"ANTHROPIC_BASE_URL": "http://api.example.com"}, "ANTHROPIC_BASE_URL"),
    "no proxy named": ({"OMA_TRUSTED_PROXIES": ""}, "OMA_TRUSTED_PROXIES"),
    "every proxy trusted": ({"OMA_TRUSTED_PROXIES": "*"}, "OMA_TRUSTED_PROXIES"),
    "the whole internet trusted": ({"OMA_TRUSTED_PROXIES": "127.0.0.1,0.0.0.0/0"}, "OMA_TRUSTED_PROXIES"),
    "all of IPv6 trusted": ({"OMA_TRUSTED_PROXIES": "::/0"}, "OMA_TRUSTED_PROXIES"),
    "everybody an administrator": ({"OMA_ADMINS": "*"}, "OMA_ADMINS"),
    "a setting that does not exist": ({"OMA_ALOWED_DOMAINS": "example.com"}, "OMA_ALOWED_DOMAINS"),
    "an environment that does not exist": ({"OMA_ENV": "prod"}, "OMA_ENV"),
    "a port for boxes, and boxes on this machine": ({"OMA_GATEWAY_PORT": "8081"}, "OMA_GATEWAY_PORT"),
    "the local link open to a network": ({**LOCAL, "OMA_HOST": "0.0.0.0"}, "OMA_HOST"),
}  # fmt: skip
LIMIT_S = 5.0
AT_ONCE = 4


def test_the_table_has_at_least_twelve_and_begins_with_a_configuration_that_starts() -> None:
    check(read(GOOD))
    check(read(GOOD | {"OMA_ALLOWED_DOMAINS": "*"}))
    check(read(GOOD | {"OMA_ALLOWED_DOMAINS": "", "OMA_OIDC_ISSUER": "https://login.example.com"}))
    check(read(GOOD | {"OMA_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8,fd00::/16"}))
    google = {"OMA_VAULT": "google", "OMA_GCP_PROJECT": "p", "OMA_MODEL": "vertex", "ANTHROPIC_API_KEY": ""}
    check(read(GOOD | google | {"ANTHROPIC_VERTEX_PROJECT_ID": "p", "CLOUD_ML_REGION": "asia-northeast3"}))
    check(read({}))
    assert len(UNSAFE) >= 12


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_configuration_is_refused_with_the_name_of_the_setting(name: str) -> None:
    change, setting = UNSAFE[name]
    with pytest.raises(Misconfigured) as refused:
        check(read({name: value for name, value in (GOOD | change).items() if value}))
    assert setting in str(refused.value)
    assert "\n" not in str(refused.value)


# The gateway of a cluster: it has the model's key and signs tokens, and knows nothing of people.
GATEWAY = {
    "OMA_ENV": "production",
    "OMA_HOST": "0.0.0.0",
    "OMA_SPAWNER": "kubernetes",
    "OMA_GATEWAY_PORT": "8081",
    "OMA_SESSION_SECRET": SECRET,
    "ANTHROPIC_API_KEY": "key",
}
UNSAFE_GATEWAY: dict[str, tuple[dict[str, str], str]] = {
    "no port": ({"OMA_GATEWAY_PORT": ""}, "OMA_GATEWAY_PORT"),
    "no model key": ({"ANTHROPIC_API_KEY": ""}, "ANTHROPIC_API_KEY"),
    "the practice model": ({"OMA_MODEL": "practice"}, "ANTHROPIC_API_KEY"),
    "the model key in the clear": ({"ANTHROPIC_BASE_URL": "http://api.example.com"}, "ANTHROPIC_BASE_URL"),
    "no session secret": ({"OMA_SESSION_SECRET": ""}, "OMA_SESSION_SECRET"),
    "a short secret": ({"OMA_SESSION_SECRET": SECRET[:31]}, "OMA_SESSION_SECRET"),
    "an emulator as the store": ({"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"}, "FIRESTORE_EMULATOR_HOST"),
    "trying out, open to a network": ({"OMA_ENV": "local"}, "OMA_HOST"),
    "boxes on this machine": ({"OMA_SPAWNER": ""}, "OMA_GATEWAY_PORT"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSAFE_GATEWAY)
def test_an_unsafe_gateway_of_a_cluster_is_refused_with_the_name_of_the_setting(name: str) -> None:
    change, setting = UNSAFE_GATEWAY[name]
    with pytest.raises(Misconfigured, match=setting):
        check(read({name: value for name, value in (GATEWAY | change).items() if value}), "gateway")


def test_in_a_cluster_each_part_starts_with_what_it_needs_and_no_more() -> None:
    check(read(GATEWAY), "gateway")
    web = {name: value for name, value in (GOOD | GATEWAY).items() if name != "ANTHROPIC_API_KEY"}
    check(read(web))
    with pytest.raises(Misconfigured, match="OMA_OIDC_CLIENT_ID"):
        check(read({name: value for name, value in web.items() if name != "OMA_OIDC_CLIENT_ID"}))
    with pytest.raises(Misconfigured, match="OMA_OIDC_CLIENT_ID"):  # on one machine it inherits all from the web
        check(read({name: value for name, value in GOOD.items() if name != "OMA_OIDC_CLIENT_ID"}), "gateway")


async def test_main_starts_no_gateway_that_is_half_configured(short_dir: Path) -> None:
    for change, setting in UNSAFE_GATEWAY.values():
        line, _ = await refused({k: v for k, v in (GATEWAY | change).items() if v}, short_dir, "gateway")
        assert setting in line


async def refused(environ: dict[str, str], folder: Path, *command: str) -> tuple[str, float]:
    """The one line with which `main.py` refused, and the seconds it took."""
    began = time.monotonic()
    places = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(MAIN), *command, env=places | {"OMA_DATA_DIR": str(folder / "data")} | environ,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(180):  # the bar is below
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = err.decode().splitlines()
    assert process.returncode == 1, (out, err)
    assert out == b""
    assert len(lines) == 1, lines
    return lines[0], time.monotonic() - began


async def usual() -> float:
    """Seconds that the interpreter takes here and now until it could say anything."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import core.config.settings, core.observability.logs", cwd=MAIN.parent
    )
    assert await process.wait() == 0
    return time.monotonic() - began


async def test_main_refuses_every_one_of_them_within_five_seconds_and_makes_no_files(tmp_path: Path) -> None:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(change: dict[str, str], setting: str) -> float:
        async with turn:
            line, seconds = await refused({k: v for k, v in (GOOD | change).items() if v}, tmp_path)
            assert setting in line
            return seconds

    took = dict(zip(UNSAFE, await asyncio.gather(*(one(*how) for how in UNSAFE.values())), strict=True))
    print(f"unsafe configurations: {len(took)} refused, slowest {max(took.values()):.1f} s")
    for name in [name for name, seconds in took.items() if seconds >= LIMIT_S]:  # was that us, or the machine?
        assert min([await one(*UNSAFE[name]) - await usual() for _ in range(3)]) < LIMIT_S, name
    assert list(tmp_path.iterdir()) == []


async def test_a_secret_that_others_can_read_is_refused(short_dir: Path) -> None:
    (short_dir / "data").mkdir()
    (short_dir / "data" / "secret").write_text(SECRET * 2)
    (short_dir / "data" / "secret").chmod(0o644)
    for command in ("serve", "gateway"):
        line, _ = await refused(LOCAL | {"OMA_PORT": "0"}, short_dir, command)
        assert "secret" in line and "chmod 600" in line
