"""The look at all logins that have sockets: one after the other, for ever, whatever goes wrong with one of them."""

import asyncio
from collections import Counter
from typing import cast

import pytest

from auth.sockets import AT_ONCE, SocketGuard, watch
from core.domain.errors import StoreUnavailable
from tests.timeouts import PATIENCE_S


class Sockets:
    """The part of a SocketGuard that `watch` uses."""

    def __init__(self, *logins: str) -> None:
        self.open = dict.fromkeys(logins, False)
        self.roles: dict[str, str] = {}
        self.sweeps = 0

    def logins(self) -> dict[str, bool]:
        return dict(self.open)

    def end(self, login: str) -> None:
        del self.open[login]

    def end_other_roles(self, login: str, role: str) -> None:
        self.roles[login] = role

    async def sweep(self) -> None:
        self.sweeps += 1
        if self.sweeps == 1:
            raise RuntimeError("a page could not be forgotten")


async def until_swept(sockets: Sockets, times: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while sockets.sweeps < times:
            await asyncio.sleep(0)


@pytest.mark.parametrize("trouble", [StoreUnavailable("it cannot be read"), ValueError("of a library")])
async def test_one_that_cannot_be_looked_up_keeps_nobody_else_signed_in(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    asked: Counter[str] = Counter()
    sockets = Sockets("broken", "ended", "lowered")

    async def check(login: str, active: bool) -> str | None:
        asked[login] += 1
        if login == "broken":
            raise trouble
        return None if login == "ended" else "user"

    looking = asyncio.create_task(watch(cast(SocketGuard, sockets), check, every_s=0))
    await until_swept(sockets, 4)
    assert not looking.done()
    looking.cancel()
    assert set(sockets.open) == {"broken", "lowered"}
    assert sockets.roles == {"lowered": "user"}
    assert asked["broken"] > 2
    assert str(trouble) in caplog.text


async def test_a_store_that_takes_its_time_is_asked_about_many_of_them_together_but_not_about_all() -> None:
    sockets, at_once, most, go_on = Sockets(*map(str, range(3 * AT_ONCE))), 0, 0, asyncio.Event()

    async def check(login: str, active: bool) -> str | None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if most == AT_ONCE:
            go_on.set()
        await go_on.wait()
        at_once -= 1
        return None

    looking = asyncio.create_task(watch(cast(SocketGuard, sockets), check, every_s=0))
    async with asyncio.timeout(PATIENCE_S):
        while sockets.open:
            await asyncio.sleep(0)
    looking.cancel()
    assert most == AT_ONCE
