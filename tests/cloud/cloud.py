"""`async with Cloud(folder, model_url=…) as cloud`: people come in at `cloud.url`, whatever dies behind it."""

import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from tests.canary import KEY
from tests.cloud.haproxy import Balancer
from tests.cloud.part import Part
from tests.core.runner.box import CLI
from tests.firestore_emulator import Emulator
from tests.kube.cluster import Cluster
from tests.oidc_provider import provider
from tests.people import ALICE, BOB, CHARLIE, ROOT
from tests.product import MAIN, free_port
from tests.secret_manager import SecretManager

CLIENT = {"client_id": "oh-my-agent", "client_secret": "a-secret-only-for-this-test"}


class Cloud:
    """`webs` and `gateways` are parts that tests end and start again; `cluster` is where the boxes are.

    `overlay`: production has agent-sandbox, minimal has StatefulSets, whose pods are found by name.
    `firestore`: one that runs; the cloud is a project of its own in it. Without, it starts one.
    """

    link = ""  # people come in by the provider

    def __init__(
        self,
        folder: Path,
        *,
        model_url: str = "",
        webs: int = 2,
        gateways: int = 2,
        overlay: str = "production",
        firestore: Emulator | None = None,
        **settings: str,
    ) -> None:
        self.folder, self._model_url, self._overlay, self._settings = folder, model_url, overlay, settings
        self._firestore = firestore
        self._in_cluster: Sequence[str] = ()  # before a command that finds the boxes' names
        self._web_ports = [free_port() for _ in range(webs)]
        self._gateway_ports = [free_port() for _ in range(gateways)]
        self.webs: list[Part] = []
        self.gateways: list[Part] = []
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """The balancer's address for people."""
        return f"http://127.0.0.1:{self.balancer.people}"

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        async with self._stack as stack:
            self.firestore = self._firestore or stack.enter_context(Emulator())
            self.secrets = await stack.enter_async_context(SecretManager())
            self.balancer = Balancer(self.folder, webs=self._web_ports, gateways=self._gateway_ports)
            cluster = Cluster(self.folder / "cluster", pod_command=self._runner(), overlay=self._overlay)
            self.cluster = await stack.enter_async_context(cluster)
            if self._overlay == "minimal":
                self._in_cluster = (await cluster.open_names()).mounted(self.folder, "oh-my-agent")
            issuer = free_port()
            people = provider(port=issuer, redirect_uri=f"{self.url}/auth/callback", **CLIENT)
            stack.enter_context(people).people = [ALICE, BOB, CHARLIE, ROOT]
            common = self._common(f"http://127.0.0.1:{issuer}")
            self.gateways = [self._gateway(n, port, common) for n, port in enumerate(self._gateway_ports)]
            self.webs = [self._web(n, port, common) for n, port in enumerate(self._web_ports)]
            for part in (*self.gateways, *self.webs):
                stack.push_async_callback(part.end)
            await asyncio.gather(*(part.start() for part in (*self.gateways, *self.webs)))
            await stack.enter_async_context(self.balancer)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def log(self) -> str:
        """The logs of all parts and boxes together."""
        logs = sorted({*self.folder.rglob("*.log")})
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in logs)

    async def roll(self, parts: list[Part]) -> None:
        """Restart all webs as a deploy does: each ends in good order and is back before the next one ends."""
        for part in parts:
            await part.end(signal.SIGTERM)
            await part.start()
            await asyncio.sleep(1)  # the balancer sees it

    def _runner(self) -> list[str]:
        key = self.folder / "boot-key"
        key.write_text(secrets.token_urlsafe(32))
        key.chmod(0o600)
        return self.pod(key, f"--gateway=http://127.0.0.1:{self.balancer.boxes}")

    def pod(self, boot_key: Path, gateway: str) -> list[str]:
        """The command of a box; the kubelet fills in {ip}, {home} and {pod}."""
        runner = [
            "runner",
            "--listen={ip}:8080",
            "--home={home}",
            f"--cli={CLI}",
            gateway,
            f"--boot-key={boot_key}",
            "--pod={pod}",
        ]
        return [sys.executable, str(MAIN), *runner]

    def _common(self, issuer: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "OMA_HOST": "127.0.0.1",
            "OMA_PUBLIC_URL": self.url,
            "OMA_TRUSTED_PROXIES": "127.0.0.1",
            "OMA_SESSION_SECRET": "for-this-test-only-" + secrets.token_hex(16),
            "OMA_OIDC_ISSUER": issuer,
            "OMA_OIDC_CLIENT_ID": CLIENT["client_id"],
            "OMA_OIDC_CLIENT_SECRET": CLIENT["client_secret"],
            "OMA_ADMINS": ROOT["email"],
            "OMA_STORE": "firestore",
            "OMA_VAULT": "google",
            "OMA_SPAWNER": "kubernetes",
            "OMA_KUBERNETES_URL": self.cluster.url,
            "OMA_GCP_PROJECT": f"cloud-{secrets.token_hex(4)}",
            "FIRESTORE_EMULATOR_HOST": self.firestore.host,
            "SECRET_MANAGER_EMULATOR_HOST": self.secrets.host,
            "OMA_BOOT_KEY_FILE": str(self.folder / "boot-key"),
            **self._settings,
        }

    def _part(self, name: str, *words: str, ready: str, **environ: str) -> Part:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        runtime = tempfile.mkdtemp(prefix="oma-c-")
        self._stack.callback(shutil.rmtree, runtime, ignore_errors=True)
        own = {"OMA_DATA_DIR": str(folder / "data"), "XDG_RUNTIME_DIR": runtime}
        before = self._in_cluster
        return Part(name, str(MAIN), *words, environ=environ | own, folder=folder, ready=ready, before=before)

    def _gateway(self, number: int, port: int, common: dict[str, str]) -> Part:
        model = {"ANTHROPIC_BASE_URL": self._model_url, "ANTHROPIC_API_KEY": KEY, "OMA_MODEL": "anthropic"}
        environ = common | {"OMA_GATEWAY_PORT": str(port)} | (model if self._model_url else {"OMA_MODEL": "practice"})
        return self._part(f"gateway{number}", "gateway", ready=f"http://127.0.0.1:{port}/healthz", **environ)

    def _web(self, number: int, port: int, common: dict[str, str]) -> Part:
        model = {"OMA_MODEL": "anthropic" if self._model_url else "practice"}
        environ = common | {"OMA_PORT": str(port)} | model
        return self._part(f"web{number}", ready=f"http://127.0.0.1:{port}/readyz", **environ)
