"""The web has its gateway: the one it means, started when it is not there, and again, and again."""

import asyncio
import os
import shutil
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from core.config.settings import Secret, Settings
from core.domain.errors import Unavailable
from core.fleet.gateway_link import START_S, LocalGateway
from core.fleet.gateway_process import GatewayProcess
from core.gateway.fingerprint import gateway_digest
from core.gateway.local_server import serve
from core.store.sqlite import SqliteStore
from tests.core.gateway.gateway_harness import GatewayHarness, until
from tests.timeouts import PATIENCE_S

PROGRAM = Path(__file__).resolve().parents[3] / "main.py"


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GatewayHarness]:
    short = tempfile.mkdtemp(prefix="oma")  # pytest's own folders are too long for sockets
    monkeypatch.setenv("XDG_RUNTIME_DIR", short)
    async with await SqliteStore.open(tmp_path / "data" / "oma.db") as store:
        yield GatewayHarness(Settings(data_dir=tmp_path / "data", model="practice"), store)
    shutil.rmtree(short)


@dataclass
class Launcher:
    """Starts gateways in the test's own loop; `troubles` are what the next starts fail with."""

    house: GatewayHarness
    settings: Settings
    troubles: list[Exception] = field(default_factory=list)
    started: list[asyncio.Task[None]] = field(default_factory=list)

    async def __call__(self) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.started.append(asyncio.create_task(serve(self.settings, self.house.store, asyncio.Event())))
        await until((self.settings.runtime_dir / "gateway.sock").is_socket)

    def gate(self, expected: str = "") -> LocalGateway:
        return LocalGateway(self.settings.runtime_dir / "gateway.sock", self, expected)

    async def end(self) -> None:
        if self.started and not self.started[-1].done():
            await self.house.control("POST", "/stop")
        await asyncio.wait_for(asyncio.gather(*self.started), 10)


@pytest.fixture
async def launcher_of(house: GatewayHarness) -> AsyncIterator[Callable[[Settings], Launcher]]:
    made: list[Launcher] = []

    def make(settings: Settings) -> Launcher:
        made.append(Launcher(house, settings))
        return made[-1]

    yield make
    for launcher in made:
        await launcher.end()


async def digest(house: GatewayHarness) -> str:
    return str((await house.control("GET", "/healthz")).body["digest"])


async def test_a_start_that_fails_later_is_tried_again(
    house: GatewayHarness, launcher_of: Callable[[Settings], Launcher]
) -> None:
    launcher = launcher_of(house.settings)
    async with launcher.gate() as gate:
        assert gate.up
        launcher.troubles += [Unavailable("no memory"), OSError("no processes")]
        await house.control("POST", "/stop")
        await until(lambda: not gate.up)
        await until(lambda: gate.up)
        assert launcher.troubles == [] and len(launcher.started) == 2
        await gate.unregister("nobody")


@pytest.mark.parametrize("trouble", [Unavailable("look into the log"), PermissionError(13, "look into the log")])
async def test_the_first_start_fails_at_once_and_says_why(
    house: GatewayHarness, launcher_of: Callable[[Settings], Launcher], trouble: Exception
) -> None:
    launcher = launcher_of(house.settings)
    launcher.troubles.append(trouble)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="look into the log"):
        async with launcher.gate():
            raise AssertionError("there is none")
    assert time.monotonic() - begun < START_S / 2


@pytest.fixture
def rotated(house: GatewayHarness) -> Settings:
    return replace(house.settings, model="anthropic", anthropic_api_key=Secret("sk-new"))


async def test_a_gateway_with_other_settings_is_replaced(
    house: GatewayHarness, rotated: Settings, launcher_of: Callable[[Settings], Launcher]
) -> None:
    old, new = launcher_of(house.settings), launcher_of(rotated)
    await old()
    async with new.gate(gateway_digest(rotated)) as gate:
        assert gate.up
        assert await digest(house) == gateway_digest(rotated) != gateway_digest(house.settings)
        await asyncio.wait_for(old.started[0], PATIENCE_S)


async def test_a_gateway_with_the_same_settings_is_kept(
    house: GatewayHarness, launcher_of: Callable[[Settings], Launcher]
) -> None:
    old, new = launcher_of(house.settings), launcher_of(house.settings)
    await old()
    async with new.gate(gateway_digest(house.settings)):
        assert new.started == [] and not old.started[0].done()


async def test_who_expects_nothing_takes_what_is_there(
    house: GatewayHarness, rotated: Settings, launcher_of: Callable[[Settings], Launcher]
) -> None:
    old, new = launcher_of(house.settings), launcher_of(rotated)
    await old()
    async with new.gate():
        assert await digest(house) == gateway_digest(house.settings)


async def test_two_webs_do_not_end_each_others_gateway_for_ever(
    house: GatewayHarness, rotated: Settings, launcher_of: Callable[[Settings], Launcher]
) -> None:
    first, second = launcher_of(house.settings), launcher_of(rotated)
    async with first.gate(gateway_digest(house.settings)) as earlier:
        async with second.gate(gateway_digest(rotated)) as later:
            await until(lambda: earlier.up and later.up)
            assert await digest(house) == gateway_digest(rotated)
            assert not second.started[-1].done()


async def test_a_real_gateway_is_started_for_its_user_alone(house: GatewayHarness) -> None:
    settings = house.settings
    logs = settings.data_dir / "logs"
    logs.mkdir(mode=0o755)
    (logs / "gateway.log").touch(0o644)
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("OMA_", "ANTHROPIC_"))}
    environ |= {"OMA_DATA_DIR": str(settings.data_dir), "OMA_MODEL": settings.provider}
    launcher = GatewayProcess(
        program=PROGRAM, socket=house.runtime.gateway_socket, log=logs / "gateway.log", environ=environ
    )
    async with LocalGateway(house.runtime.gateway_socket, launcher, gateway_digest(settings)) as gate:
        assert await digest(house) == gateway_digest(settings)
        assert stat.S_IMODE(logs.stat().st_mode) == 0o700
        assert stat.S_IMODE((logs / "gateway.log").stat().st_mode) == 0o600
        await gate.stop()
        await asyncio.to_thread(launcher.reap, wait_s=10.0)
    assert not settings.runtime_dir.exists()
