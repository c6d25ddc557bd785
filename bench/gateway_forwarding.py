"""P12: what the gateway adds to a model call, until the first byte comes back and in processor time.

A gateway process as it runs in a cluster and the scripted model as another one; the same call goes to the model at once
and through the gateway, in turn, so that whatever the machine does besides befalls both.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import psutil

from bench.figures import Figure, figure, overhead
from bench.setup import Stage
from core.domain.records import Agent, Session, now
from tests.core.gateway.cluster_gateways import ClusterBoxHttp
from tests.core.gateway.cluster_processes import ClusterProcesses
from tests.core.gateway.gateway_harness import ALICE

CALLS = 150
PROMPT_CHARS = 60_000  # a conversation that has gone on for a while, with its tools
LONG = {"answers": "N=20000 GAP=0", "requests": "N=1"}
LONG_CALLS = 5
MEGABYTE = 1_000_000


async def forwarding(stage: Stage) -> dict[str, Figure]:
    """Two rows: latency to the first byte, and processor time a megabyte each way."""
    folder = stage.root / "forwarding"
    folder.mkdir()
    async with (
        ClusterProcesses(folder, ANTHROPIC_BASE_URL=stage.model.url) as world,
        _gateway(world) as (pid, line, key),
    ):
        async with line.session() as gateway, aiohttp.ClientSession() as direct:
            through, raw = [], []
            for number in range(CALLS + 10):
                sent = _body(f"N=1 call {number}", PROMPT_CHARS)
                each = [
                    (raw, await _first_byte_ms(direct, stage.model.url, sent, key)),
                    (through, await _first_byte_ms(gateway, "http://gateway", sent, key)),
                ]
                if number >= 10:
                    for samples, took_ms in each:
                        samples.append(took_ms)
            return {
                "P12_first_byte": overhead(through, raw, budget="≤ 3 ms"),
                "P12_cpu_a_megabyte_of_answers": await _processor(gateway, pid, _body(LONG["answers"], 10), key),
                "P12_cpu_a_megabyte_of_requests": await _processor(
                    gateway, pid, _body(LONG["requests"], MEGABYTE), key
                ),
            }


@asynccontextmanager
async def _gateway(world: ClusterProcesses) -> AsyncIterator[tuple[int, ClusterBoxHttp, str]]:
    """A gateway process, a way to it as a box has it, and the token of a session."""
    moment = now()
    await world.store.put(Agent(id="a1", created_at=moment, updated_at=moment), owner=ALICE)
    await world.store.put(Session(id="s1", agent="a1", created_at=moment, updated_at=moment), owner=ALICE)
    part = await world.gateway()
    line = ClusterBoxHttp(part.port, await world.box())
    spec = await line("POST", "/internal/spec", {"session": "s1"})
    yield part.process.pid, line, str(spec.body["token"])


def _body(words: str, chars: int) -> bytes:
    messages = [{"role": "user", "content": "x " * (chars // 2)}, {"role": "user", "content": words}]
    tools = [{"name": "Bash", "input_schema": {}}]
    return json.dumps({"model": "claude-opus-5", "stream": True, "tools": tools, "messages": messages}).encode()


async def _first_byte_ms(http: aiohttp.ClientSession, url: str, body: bytes, key: str) -> float:
    began = time.perf_counter()
    async with _asked(http, url, body, key) as answer:
        await answer.content.readany()
        took_ms = (time.perf_counter() - began) * 1000
        await answer.read()
    return took_ms


async def _processor(http: aiohttp.ClientSession, pid: int, body: bytes, key: str) -> Figure:
    """Milliseconds of the gateway's processor time a megabyte that went through it, either way."""
    samples, gateway = [], psutil.Process(pid)
    for _ in range(LONG_CALLS + 1):
        before = gateway.cpu_times()
        size = len(body)
        async with _asked(http, "http://gateway", body, key) as answer:
            async for chunk in answer.content.iter_any():
                size += len(chunk)
        await asyncio.sleep(0.05)  # the end of the call is the gateway's work, too
        after = gateway.cpu_times()
        used_s = after.user + after.system - before.user - before.system
        samples.append(used_s * 1000 / (size / MEGABYTE))
    return figure(samples[1:], unit="ms CPU/MB", budget="≤ 20 ms")


@asynccontextmanager
async def _asked(http: aiohttp.ClientSession, url: str, body: bytes, key: str) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"content-type": "application/json", "x-api-key": key}
    async with http.post(f"{url}/v1/messages", data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        yield answer
