"""`python main.py doctor`: checks whether this machine can run the platform; each problem is a line with its remedy."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import aiohttp

from core.config import runtime_dir
from core.config.checks import check
from core.config.settings import Settings
from core.domain.errors import PlatformError
from core.domain.records import UserId
from core.gateway.providers.factory import upstream_for
from core.gateway.providers.passthrough import Upstream
from core.gateway.providers.probe import BUSY, PROBE, PROBE_MODEL
from core.services.notify.email import MailServer
from core.services.notify.transport import NotDelivered
from core.spawner import cgroup
from core.spawner import probe as isolation_probe
from core.spawner.cgroup import Bounds, Groups
from core.spawner.host import claude_cli, inspect_host
from core.spawner.isolation_report import FLOOR, NAMES, WHYS
from core.spawner.probe import choose, describe
from core.store.factory import open_store, whereabouts
from core.vault.factory import opened_vault
from core.vault.factory import whereabouts as vault_whereabouts

CHECK_S = 20.0  # for each check; the model's answer takes longest
VERSION_S = 15.0  # less than CHECK_S, so that the process is not left running
FREE_BYTES = 1024**3  # below this agents soon cannot write
NOBODY = UserId("doctor")  # a user without secrets; an unreachable vault fails all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A line of the report. A failed check that is not `needed` is a remark."""

    name: str
    ok: bool
    found: str
    mend: str = ""
    needed: bool = True


async def examine(settings: Settings) -> list[Finding]:
    """Run all checks at once and return them in the order of CHECKS; each ends within CHECK_S."""
    return list(await asyncio.gather(*(_bounded(name, each, settings) for name, each in CHECKS.items())))


def report(findings: list[Finding]) -> int:
    """Print the findings. Returns the exit status: 1 if a needed check failed."""
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        sign = "ok  " if finding.ok else "BAD " if finding.needed else "note"
        mend = f"  ->  {finding.mend}" if finding.mend and not finding.ok else ""
        print(f"{sign}  {finding.name:{width}}  {finding.found}{mend}")
    return int(any(finding.needed and not finding.ok for finding in findings))


async def _bounded(name: str, each: "Check", settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(CHECK_S):
            return await each(name, settings)
    except TimeoutError:
        return Finding(name=name, ok=False, found=f"no answer within {CHECK_S:.0f} s")
    except (PlatformError, OSError, subprocess.SubprocessError) as error:
        return Finding(name=name, ok=False, found=str(error))


async def python(name: str, settings: Settings) -> Finding:
    found = f"{sys.version.split()[0]} at {sys.prefix}"
    return Finding(name=name, ok=sys.version_info >= (3, 11), found=found, mend="install Python 3.11 or newer")


async def configuration(name: str, settings: Settings) -> Finding:
    check(settings)
    return Finding(name=name, ok=True, found=f"{settings.env}, data in {settings.data_dir}")


async def cli(name: str, settings: Settings) -> Finding:
    ran = await asyncio.to_thread(_version, str(claude_cli()))
    found = (ran.stdout or ran.stderr).strip()
    return Finding(name=name, ok=ran.returncode == 0, found=found, mend="remove .venv and type make run")


def _version(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=VERSION_S, env={}, check=False
    )


async def model(name: str, settings: Settings) -> Finding:
    """Check the model credential with the smallest possible request."""
    if settings.provider == "practice":
        return Finding(name=name, ok=True, found="practice model: no key needed; set ANTHROPIC_API_KEY for a real one")
    upstream = await asyncio.to_thread(upstream_for, settings)
    asked = await upstream.upstream_request(PROBE)
    try:
        async with (
            aiohttp.ClientSession() as client,
            client.post(asked.url, data=asked.body, headers=asked.headers, allow_redirects=False) as answer,
        ):
            return _judged(name, upstream, answer.status)
    except aiohttp.ClientError as error:
        found = f"{upstream.base_url} cannot be reached: {type(error).__name__}"
        return Finding(name=name, ok=False, found=found, mend="look at its address in the settings and the network")


def _judged(name: str, upstream: Upstream, status: int) -> Finding:
    where = upstream.base_url
    if status in (401, 403):
        return Finding(name=name, ok=False, found=f"{where} refused us ({status})", mend=f"check {upstream.fix_hint}")
    if status in BUSY:
        return Finding(name=name, ok=True, found=f"{where} is busy ({status}); the credential was not judged")
    found = f"{where} answered {status}" + ("" if status == 200 else f" for {PROBE_MODEL}")
    mend = f"look at its address in the settings, and check {upstream.fix_hint}"
    return Finding(name=name, ok=status == 200, found=found, mend=mend)


async def store(name: str, settings: Settings) -> Finding:
    async with open_store(settings) as opened:
        await opened.ping()
    return Finding(name=name, ok=True, found=f"{whereabouts(settings)} opens and writes")


async def vault(name: str, settings: Settings) -> Finding:
    async with opened_vault(settings) as opened:
        await opened.names(owner=NOBODY)
    return Finding(name=name, ok=True, found=f"{vault_whereabouts(settings)} answers")


async def mail(name: str, settings: Settings) -> Finding:
    """Connect to the server for notifications and sign in; no message is sent."""
    if (server := MailServer.of(settings)) is None:
        found = "no notifications by e-mail; set OMA_SMTP_URL and OMA_MAIL_FROM for them"
        return Finding(name=name, ok=True, found=found)
    try:
        await server.probe()
    except NotDelivered as error:
        found = f"{server.host}:{server.port}: {error}"
        return Finding(name=name, ok=False, found=found, mend="look at OMA_SMTP_URL", needed=False)
    return Finding(name=name, ok=True, found=f"{server.host}:{server.port} lets us send")


async def disk(name: str, settings: Settings) -> Finding:
    there = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK):
        return Finding(
            name=name, ok=False, found=f"{there} cannot be written", mend="set OMA_DATA_DIR to a folder of yours"
        )
    found = f"{free / 1024**3:.1f} GiB free at {there}"
    return Finding(name=name, ok=free >= FREE_BYTES, found=found, mend="make room, or set OMA_DATA_DIR", needed=False)


async def sockets(name: str, settings: Settings) -> Finding:
    there = settings.runtime_dir.exists()
    made = runtime_dir.make(settings)
    if not there:  # rmdir keeps the files of a platform that starts meanwhile
        with suppress(OSError):
            made.boxes.rmdir()
            made.root.rmdir()
    return Finding(name=name, ok=True, found=f"sockets in {made.root}")


async def cluster(name: str, settings: Settings) -> Finding:
    """Check that the API server answers our credential and rights, and describe the cluster's boxes."""
    from core.spawner.factory import boot_key
    from core.spawner.kubernetes import opened

    async with opened(settings, boot_key=boot_key(settings)) as spawner:
        await spawner.refresh()
        isolation = spawner.isolation()
    unseen = [layer.id for layer in isolation.layers if not layer.live]
    found = "; ".join(["a pod for each user", *(f"no {id} of their own seen" for id in unseen)])
    return Finding(name=name, ok=not isolation.missing, found=found, mend=" ".join(isolation.missing), needed=False)


async def sandbox(name: str, settings: Settings) -> Finding:
    if settings.spawner == "kubernetes":
        return await cluster(name, settings)
    tried = await asyncio.to_thread(isolation_probe.examine, settings, inspect_host())
    choose(settings, tried.trouble, landlock=tried.landlock)
    isolation = describe(settings, tried.trouble, landlock=tried.landlock, shared=tried.shared)
    found = BOXES[isolation.name]
    return Finding(
        name=name, ok=not isolation.missing, found=found, mend=" ".join(isolation.missing), needed=settings.production
    )


async def layers(name: str, settings: Settings) -> Finding:
    """Report which layers L0-L7 hold; production needs those of FLOOR. In a cluster the pods provide them."""
    if settings.spawner == "kubernetes":
        return Finding(name=name, ok=True, found="those of the pods: see sandbox, and /admin")
    tried = await asyncio.to_thread(isolation_probe.examine, settings, inspect_host())
    groups = await asyncio.to_thread(lambda: Groups(f"oma-doctor-{os.getpid()}", Bounds(), cgroup.find()).live)
    all_layers = describe(settings, tried.trouble, groups, landlock=tried.landlock, shared=tried.shared).layers
    absent = [layer for layer in all_layers if not layer.live]
    live = " ".join(layer.number for layer in all_layers if layer.live)
    told = [f"{layer.number} absent ({NAMES[layer.id]}): {WHYS.get(layer.why, layer.why)}" for layer in absent]
    floor = " ".join(layer.number for layer in all_layers if layer.id in FLOOR)
    return Finding(
        name=name,
        ok=not any(layer.id in FLOOR or layer.mend for layer in absent),
        found="; ".join([f"{live} live", *told, f"production needs {floor}"]),
        mend=", ".join(filter(None, (layer.mend for layer in absent))),
        needed=settings.production and any(layer.id in FLOOR for layer in absent),
    )


async def port(name: str, settings: Settings) -> Finding:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            found = f"{settings.host}:{settings.port}: {error.strerror}"
            return Finding(name=name, ok=False, found=found, mend="stop what listens there, or set OMA_PORT")
    return Finding(name=name, ok=True, found=f"{settings.host}:{settings.port} is free")


BOXES = {
    "bubblewrap": "each user in a bubblewrap box of their own",
    "landlock": "each user under Landlock: reduced isolation",
    "none": "agents run without a box",
}
Check = Callable[[str, Settings], Awaitable[Finding]]
CHECKS: dict[str, Check] = {
    "Python": python,
    "settings": configuration,
    "Claude CLI": cli,
    "model": model,
    "store": store,
    "vault": vault,
    "mail": mail,
    "disk": disk,
    "sockets": sockets,
    "sandbox": sandbox,
    "layers": layers,
    "port": port,
}
