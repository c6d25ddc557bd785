"""The agent's own Bash, in a real box with the real CLI: what its programs reach through the gateway, and what not.

Only the internet is made up: its public addresses lead to a server on loopback.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from core.config.settings import Secret
from core.domain.records import Agent, Connection, new_session_id
from core.fleet.gateway_link import LocalGateway
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_client import RunnerClient, opening
from core.fleet.runner_pool import RunnerPool
from core.protocol.runner_api import SendMessage
from core.spawner.local import LocalSpawner
from tests.canary import KEY
from tests.core.gateway.egress.proxy import server
from tests.core.gateway.egress.world import PUBLIC, World
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness
from tests.model_server import ModelServer

TURN_S = 60.0
CANARY = "a page that only this machine may see"


class Bash:
    """`await bash("echo 1")`: what the agent's shell printed. The rows are read from the store."""

    def __init__(self, client: RunnerClient, session: str) -> None:
        self._client, self._session, self._turns = client, session, 0

    async def __call__(self, command: str) -> str:
        self._turns += 1
        message = SendMessage(message_id=f"m{self._turns}", text=f"TOOL((({command} ; true)))")
        await self._client.say(self._session, message)
        async with (
            asyncio.timeout(TURN_S),
            self._client.watch(self._session, after=0) as socket,
        ):
            seen: list[dict[str, Any]] = []
            while sum(event["type"] == "turn_finished" for event in seen) < self._turns:
                seen += await socket.receive_json()
        return str([event for event in seen if event["type"] == "tool_returned"][-1]["content"])


@asynccontextmanager
async def box_of_alice(harness: GatewayHarness, world: World) -> AsyncIterator[Bash]:
    async with ModelServer() as model:
        key = Secret(KEY)
        settings = replace(harness.settings, model="anthropic", anthropic_api_key=key, anthropic_base_url=model.url)
        spawner = LocalSpawner(replace(settings, sandbox="bubblewrap"), harness.runtime)
        if missing := spawner.isolation().missing:
            pytest.skip(missing[0])
        session = await harness.add_session(ALICE, id=new_session_id(), kind="chat")
        await harness.store.change(Agent, "a1", owner=ALICE, rules=("Bash",))
        async with (
            GatewayHarness(settings, harness.store).gateway(outside=world.outside),
            LocalGateway(settings.runtime_dir / "gateway.sock", asyncio.Event().wait) as gate,
            RunnerPool(store=harness.store, spawner=spawner, gateway_link=gate, limits=IdleLimits()) as runners,
        ):
            client = await runners.get_or_start(ALICE)
            try:
                await client.open(session.id, opening(session))
                yield Bash(client, session.id)
            finally:
                await runners.stop(ALICE)
                await gate.unregister(client.box.id)


async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that says the same to everybody."""
    await reader.readuntil(b"\r\n\r\n")
    body = CANARY.encode()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    writer.close()


REACHES = (
    "curl -sS -m 10 --proxytunnel http://example.com:443/",
    "curl -sS -m 10 http://example.com/",
    "wget -qO- -T 10 http://example.com/",
    "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://example.com/\", timeout=10).read().decode())'",
)
REFUSED = (
    "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.17.0.1", "100.64.0.1", "127.0.0.1:{port}", "localhost:{port}",
    "[::1]:{port}", "[::ffff:127.0.0.1]:{port}", "2130706433:{port}", "metadata.google.internal", "rebind.evil.test",
    "example.com:25", "0.0.0.0:{port}",
)  # fmt: skip


async def test_programs_reach_the_internet_through_the_gateway_and_the_user_can_read_where_to(
    harness: GatewayHarness,
) -> None:
    async with server(page) as port:
        world = World(names={"example.com": [[PUBLIC]]}, ports={PUBLIC: port})
        async with box_of_alice(harness, world) as bash:
            said = await bash("; echo; ".join(REACHES))
            assert said.split("\n").count(CANARY) == len(REACHES), said
        rows = await harness.store.find(Connection, owner=ALICE)
    assert {(row.agent, row.host, row.address, row.decision) for row in rows} == {
        ("a1", "example.com", PUBLIC, "connected")
    }, "the CLI itself went nowhere"
    assert {row.port for row in rows} == {80, 443}
    assert sum(row.times for row in rows) == len(REACHES)
    assert all(row.sent_bytes and row.received_bytes > len(CANARY) for row in rows)


async def test_this_machine_its_networks_and_its_cloud_are_not_reached_by_any_way(harness: GatewayHarness) -> None:
    async with server(page) as port:
        world = World(names={"rebind.evil.test": [["127.0.0.1"]]}, ports={"127.0.0.1": port, "10.0.0.1": port})
        async with box_of_alice(harness, world) as bash:
            hosts = " ".join(f"'{host.format(port=port)}'" for host in REFUSED)
            curl = "curl -sS -g -m 10 --noproxy '' --proxytunnel -w 'code %{http_connect}\\n' http://$h/"
            tried = await bash(f"for h in {hosts}; do {curl} 2>&1; done")
            assert tried.count("code 403") == len(REFUSED) and CANARY not in tried, tried
            direct = await bash(
                f"for a in {PUBLIC} 10.0.0.1 127.0.0.1:{port}; do curl -sS -m 5 --noproxy '*' http://$a/ 2>&1; done; "
                "python3 -c 'import socket; socket.getaddrinfo(\"example.com\", 80)' 2>&1; ls /run/oma"
            )
            assert CANARY not in direct and direct.count("curl: (7)") == 3, direct
            assert "gaierror" in direct and direct.split()[-1] == "box.sock", direct
            sock = harness.settings.runtime_dir / "gateway.sock"
            stolen = (
                "curl -sS -m 5 -x http://oma:stolen@${HTTPS_PROXY##*@} -p -w 'code %{http_connect}' http://example.com/"
            )
            others = await bash(f"curl -sS -m 5 --unix-socket {sock} http://gateway/healthz 2>&1; {stolen} 2>&1")
            assert "curl: (7)" in others and "code 407" in others, others
    assert world.dialled == []
