"""Binding a runner that is reached by a name: for a while the name may lead to an older box at that address."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from core.domain.errors import RunnerUnavailable
from core.domain.records import Box, UserId, now
from core.fleet.runner_client import RunnerClient
from core.protocol.runner_api import Init
from core.spawner import Poll, RunnerEndpoint
from tests.product import free_port

OTHERS = 3  # answers of another user's runner, before the name leads to ours
WHOSE = Init(user="alice", box="b", key="k" * 43)
REFUSAL = {"code": "bound", "detail": "this runner is bound already"}


class Lives:
    async def poll(self, _: Box) -> Poll:
        return Poll.RUNNING


class Address:
    """The runner that answers at an address: at first another user's, which is bound and refuses us."""

    def __init__(self) -> None:
        self.url, self.asked, self.bound = "", 0, False

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"bound": self.asked < OTHERS})

    async def init(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.asked <= OTHERS:
            return web.json_response(REFUSAL, status=409)
        self.bound = True
        return web.json_response({})


@pytest.fixture
async def address() -> AsyncIterator[Address]:
    there, app, port = Address(), web.Application(), free_port()
    app.add_routes([web.get("/healthz", there.health), web.post("/v1/init", there.init)])
    served = web.AppRunner(app, access_log=None)
    await served.setup()
    await web.TCPSite(served, "127.0.0.1", port).start()
    there.url = f"http://127.0.0.1:{port}"
    yield there
    await served.cleanup()


def client(address: Address, *, named: bool) -> RunnerClient:
    box = Box(id="b", user=UserId("alice"), key="k" * 43, started_at=now())
    return RunnerClient(box, RunnerEndpoint(url=address.url, boot_key="b" * 43, pod="u-1-0", named=named))


async def test_a_refusal_behind_a_name_is_taken_for_somebody_elses_and_tried_again(address: Address) -> None:
    ours = client(address, named=True)
    await ours.init(WHOSE, spawner=Lives())  # type: ignore[arg-type]  # poll is all it asks
    assert address.bound
    await ours.close()


async def test_a_refusal_at_an_address_is_an_answer(address: Address) -> None:
    ours = client(address, named=False)
    with pytest.raises(RunnerUnavailable, match="bound already"):
        await ours.init(WHOSE, spawner=Lives())  # type: ignore[arg-type]
    assert (address.asked, ours.closed) == (1, True)
