"""Fifty logins end in every way there is while their sockets are open: all are closed within two seconds, for good."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx2
import pytest

from auth.logins import ABSOLUTE, IDLE
from core.model import SYSTEM, Login, Role, User, now
from tests.auth.socket_world import Page, Peer, Person, World, peer
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.revocation

SOCKETS = 50
WITHIN_S = 2.0
TRIES = 3  # a machine with other work may hold up one round; a product that is late is late in each

End = Callable[[World, Person], Awaitable[None]]


async def at_the_door(world: World, person: Person, path: str) -> None:
    async with httpx2.AsyncClient(timeout=PATIENCE_S, cookies={"oma": person.cookie}) as browser:
        answer = await browser.post(world.server.base + path, headers={"origin": world.server.base})
        assert answer.status_code in (200, 303)


async def here(world: World, person: Person) -> None:
    await at_the_door(world, person, "/auth/logout")


async def everywhere(world: World, person: Person) -> None:
    await at_the_door(world, person, "/api/v1/everywhere")


async def on_another_device(world: World, person: Person) -> None:
    """By another web process, which only the store connects to ours; so are all that follow."""
    await world.logins.revoke(person.login)


async def disabled(world: World, person: Person) -> None:
    await world.store.change(User, person.id, owner=SYSTEM, disabled=True)


async def lowered(world: World, person: Person) -> None:
    await world.store.change(User, person.id, owner=SYSTEM, role=Role.USER)


async def idle(world: World, person: Person) -> None:
    await world.store.change(Login, person.login, owner=SYSTEM, seen_at=now() - IDLE)


async def too_old(world: World, person: Person) -> None:
    await world.store.change(Login, person.login, owner=SYSTEM, expires_at=now() - ABSOLUTE + timedelta(days=6))


ENDS: tuple[End, ...] = (here, everywhere, on_another_device, disabled, lowered, idle, too_old)


async def begun(world: World, number: int) -> tuple[Person, Page]:
    """Somebody who is an administrator until now, at a page."""
    name = f"leaving-{number}"
    person = await world.person(name)
    await world.store.change(User, person.id, owner=SYSTEM, role=Role.ADMIN, disabled=False)
    person = Person(id=person.id, cookie=person.cookie, login=person.login)
    return person, await world.open(person)


async def test_fifty_of_fifty_sockets_are_closed_within_two_seconds_and_stay_closed(world: World) -> None:
    staying = await world.open(await world.person("staying"))
    async with peer(staying) as other:
        assert await other.joined()
        slowest = [await a_round(world, 0)]
        while slowest[-1] >= WITHIN_S and len(slowest) < TRIES:
            slowest.append(await a_round(world, len(slowest)))
        assert min(slowest) < WITHIN_S, slowest
        await other.emit(staying.press())
        await world.server.printed(f"pressed by {staying.user}")
    assert world.server.pressed() == [f"pressed by {staying.user}"]
    assert world.server.errors() == []


async def a_round(world: World, nth: int) -> float:
    """All of them end, and none comes back; the seconds that the slowest took."""
    people = [await begun(world, nth * SOCKETS + number) for number in range(SOCKETS)]

    async def ended(number: int, socket: Peer) -> float:
        await ENDS[number % len(ENDS)](world, people[number][0])
        began = time.monotonic()
        await socket.closed()
        return time.monotonic() - began

    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(peer(page)) for _, page in people]
        assert all([await socket.joined() for socket in sockets])
        took = await asyncio.gather(*(ended(number, socket) for number, socket in enumerate(sockets)))
        print(f"revocation: {sum(s < 2 for s in took)} of {SOCKETS} within 2 s, slowest {max(took):.2f} s")
        for _, page in people:
            async with peer(page) as again:
                assert not await again.joined()
    return max(took)


async def test_what_is_said_after_the_end_is_not_heard(world: World) -> None:
    people = [await begun(world, number) for number in range(2)]
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(peer(page)) for _, page in people]
        assert all([await socket.joined() for socket in sockets])
        for (person, page), socket, end in zip(people, sockets, (here, everywhere), strict=True):
            await end(world, person)
            await socket.emit(page.press())
            await socket.closed()
    assert world.server.pressed() == []
