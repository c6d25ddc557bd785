"""The doctor says in one line what is wrong and what mends it, tries the real thing, and leaves no trace of looking."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from core.config.runtime_dir import Runtime
from core.config.settings import Secret, Settings
from core.domain.errors import PlatformError
from core.operations import doctor
from core.operations.doctor import CHECKS, Finding, examine, report
from core.spawner.host import REPOSITORY
from core.spawner.local import LocalSpawner
from tests.core.services.notify.test_email import Mailbox, smtp
from tests.kube.cluster import Cluster
from tests.model_server import ModelServer


@pytest.fixture
def settings(tmp_path: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Settings(data_dir=tmp_path / "data", port=port)


def with_key(settings: Settings, url: str) -> Settings:
    return Settings(
        data_dir=settings.data_dir,
        port=settings.port,
        anthropic_api_key=Secret("sk-ant-canary"),
        anthropic_base_url=url,
    )


@asynccontextmanager
async def upstream(status: int) -> AsyncIterator[str]:
    """A Messages API that answers everything alike."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({}, status=status)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_healthy_machine_has_nothing_to_mend(settings: Settings, tmp_path: Path) -> None:
    findings = await examine(settings)
    assert [finding.name for finding in findings] == list(CHECKS)
    assert [finding for finding in findings if finding.needed and not finding.ok] == []
    assert report(findings) == 0
    assert not settings.runtime_dir.exists()  # looked at, and put back


async def test_the_credential_is_tried_with_one_smallest_request(settings: Settings, model: ModelServer) -> None:
    finding = await doctor.model("model", with_key(settings, model.url))
    assert finding.ok
    assert [(asked.path, asked.key, asked.body["max_tokens"]) for asked in model.asked] == [
        ("/v1/messages", "sk-ant-canary", 1)
    ]


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (401, False), (403, False), (529, True), (429, True), (404, False)]
)
async def test_what_the_model_answers_to_the_key_is_judged(settings: Settings, status: int, ok: bool) -> None:
    async with upstream(status) as url:
        finding = await doctor.model("model", with_key(settings, url))
    assert finding.ok is ok
    assert str(status) in finding.found or status == 200
    assert "canary" not in finding.found + finding.mend


async def test_a_model_out_of_reach_a_taken_port_and_no_place_to_write_are_found_at_once(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ill = Settings(
            data_dir=tmp_path / "file" / "data",
            port=taken.getsockname()[1],
            anthropic_api_key=Secret("sk-ant-canary"),
            anthropic_base_url="http://127.0.0.1:9",
        )
        began = time.monotonic()
        findings = {finding.name: finding for finding in await examine(ill)}
    assert time.monotonic() - began < doctor.CHECK_S
    assert {name for name, finding in findings.items() if not finding.ok} >= {"model", "store", "port"}
    assert report(list(findings.values())) == 1
    told = capsys.readouterr().out
    assert len(told.splitlines()) == len(CHECKS)
    assert "OMA_PORT" in told
    assert "canary" not in told


async def test_a_check_that_hangs_does_not_hang_the_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECK_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        finding = await doctor._bounded("model", doctor.model, with_key(settings, url))
    assert not finding.ok
    assert "no answer" in finding.found


async def test_half_configured_production_is_told_as_the_start_would_tell_it(settings: Settings) -> None:
    production = Settings(env="production", data_dir=settings.data_dir, port=settings.port)
    findings = {
        finding.name: finding for finding in [await doctor._bounded("settings", CHECKS["settings"], production)]
    }
    assert not findings["settings"].ok
    assert "ANTHROPIC_API_KEY" in findings["settings"].found


def test_a_remark_does_not_fail_and_a_mend_stands_only_where_it_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [
        Finding(name="good", ok=True, found="fine", mend="do nothing"),
        Finding(name="so-so", ok=False, found="no box", mend="apt-get install it", needed=False),
    ]
    assert report(findings) == 0
    good, remark = capsys.readouterr().out.splitlines()
    assert good.startswith("ok ")
    assert "do nothing" not in good
    assert remark.startswith("note")
    assert remark.endswith("apt-get install it")


@pytest.mark.parametrize("sandbox", ["auto", "landlock", "none"])
async def test_of_the_sandbox_it_says_what_the_platform_will_do(
    settings: Settings, tmp_path: Path, sandbox: str
) -> None:
    here = replace(settings, sandbox=sandbox)
    there = LocalSpawner(here, Runtime(tmp_path), program=REPOSITORY).isolation()
    live = " ".join(layer.number for layer in there.layers if layer.live)
    assert (await doctor.layers("layers", here)).found.startswith(f"{live} live")
    found = await doctor.sandbox("sandbox", here)
    assert (found.ok, found.found) == (not there.missing, doctor.BOXES[there.name])


async def test_in_a_cluster_it_asks_the_cluster(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "boot-key").write_text("k" * 40)
    async with Cluster(tmp_path / "cluster", overlay="minimal") as cluster:
        there = replace(settings, spawner="kubernetes", kubernetes_url=cluster.url, boot_key_file=tmp_path / "boot-key")
        found = await doctor.sandbox("sandbox", there)
        assert (found.ok, "a pod for each user" in found.found) == (True, True)
        cluster.api.rights.rules.clear()
        with pytest.raises(PlatformError, match="statefulsets"):
            await doctor.sandbox("sandbox", there)


async def test_the_mail_server_is_tried_without_sending_and_without_quoting_its_password(settings: Settings) -> None:
    box = Mailbox()
    with smtp(box) as port:
        there = replace(settings, smtp_url=Secret(f"smtp://127.0.0.1:{port}"), mail_from="agents@example.com")
        assert (await CHECKS["mail"]("mail", there)).ok
    away = replace(there, smtp_url=Secret(f"smtp://agents:a-password@127.0.0.1:{port}"))
    found = await CHECKS["mail"]("mail", away)
    assert (found.ok, found.needed, box.mails) == (False, False, [])
    assert "a-password" not in repr(found)
    assert (await CHECKS["mail"]("mail", settings)).ok
