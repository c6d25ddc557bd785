"""A login lives in the store: it ends when we say so, whatever the cookie thinks."""

import asyncio

import pytest

from auth import logins as module
from auth.accounts import OWNER, upsert_user
from auth.logins import Logins
from core.domain.records import SYSTEM, Login, User, UserId
from core.store.sqlite import SqliteStore
from tests.auth.conftest import KEY, Clock
from tests.timeouts import PATIENCE_S

SAME_USER = UserId("local-owner")


@pytest.fixture
async def user(store: SqliteStore) -> User:
    return await upsert_user(store, OWNER, admin=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logins(store: SqliteStore, clock: Clock) -> Logins:
    return Logins(store, [KEY], clock=clock)


async def test_a_cookie_finds_its_login(logins: Logins, user: User) -> None:
    signed = await logins.find(await logins.start(user, device="Firefox", address="1.2.3.4"))
    assert signed
    assert (signed.user, signed.login.device, signed.login.address) == (user, "Firefox", "1.2.3.4")


async def test_the_store_cannot_be_turned_back_into_cookies(logins: Logins, user: User, store: SqliteStore) -> None:
    cookie = await logins.start(user)
    [login] = await store.find(Login, owner=SYSTEM)
    assert cookie.partition(".")[0] not in str(login)
    assert await logins.find(login.id) is None


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: "x" + c, lambda _: "", lambda c: c.partition(".")[0]])
async def test_a_cookie_that_we_did_not_sign_is_nothing(logins: Logins, user: User, change: object) -> None:
    assert callable(change)
    assert await logins.find(change(await logins.start(user))) is None


async def test_an_unknown_cookie_that_we_signed_is_nothing(logins: Logins, user: User, store: SqliteStore) -> None:
    cookie = await logins.start(user)
    for login in await store.find(Login, owner=SYSTEM):
        await store.delete(Login, login.id, owner=SYSTEM)
    assert await logins.find(cookie) is None


async def test_idle_for_twelve_hours_ends_it(logins: Logins, user: User, clock: Clock) -> None:
    cookie = await logins.start(user)
    for _ in range(3):
        clock.forward(hours=11, minutes=59)
        assert await logins.find(cookie)
    clock.forward(hours=12)
    assert await logins.find(cookie) is None


async def test_looking_without_the_user_doing_anything_does_not_keep_it_alive(
    logins: Logins, user: User, clock: Clock
) -> None:
    cookie = await logins.start(user)
    signed = await logins.find(cookie)
    assert signed
    for _ in range(2):
        clock.forward(hours=6)
        alive = await logins.check(signed.login.id, active=False)
    assert alive is None


async def test_seven_days_end_it_however_busy(logins: Logins, user: User, clock: Clock) -> None:
    cookie = await logins.start(user)
    for _ in range(7 * 24 - 1):
        clock.forward(hours=1)
        assert await logins.find(cookie)
    clock.forward(hours=1)
    assert await logins.find(cookie) is None


async def test_last_seen_is_written_at_most_once_a_minute(
    logins: Logins, user: User, clock: Clock, store: SqliteStore
) -> None:
    cookie = await logins.start(user)
    start = clock.at
    seen = set()
    for _ in range(12):
        clock.forward(seconds=10)
        await logins.find(cookie)
        [login] = await store.find(Login, owner=SYSTEM)
        seen.add(login.seen_at)
    assert len(seen - {start}) == 2


async def test_a_revoked_login_is_gone_at_once_and_its_watchers_hear_of_it(logins: Logins, user: User) -> None:
    ended: list[str] = []
    logins.on_end(ended.append)
    cookie, kept = await logins.start(user), await logins.start(user)
    signed = await logins.find(cookie)
    assert signed
    await logins.revoke(signed.login.id)
    assert await logins.find(cookie) is None
    assert await logins.find(kept)
    assert ended == [signed.login.id]


async def test_what_another_process_revoked_is_gone_within_two_seconds(
    logins: Logins, user: User, store: SqliteStore
) -> None:
    cookie = await logins.start(user)
    signed = await logins.find(cookie)
    assert signed
    await Logins(store, [KEY]).revoke(signed.login.id)
    async with asyncio.timeout(PATIENCE_S):
        while await logins.find(cookie):
            await asyncio.sleep(0.05)


async def test_all_logins_of_a_user_but_this_one(logins: Logins, user: User) -> None:
    cookies = [await logins.start(user) for _ in range(3)]
    mine = await logins.find(cookies[0])
    assert mine
    await logins.revoke_all(SAME_USER, but=mine.login.id)
    assert [bool(await logins.find(cookie)) for cookie in cookies] == [True, False, False]
    await logins.revoke_all(SAME_USER)
    assert await logins.find(cookies[0]) is None


async def test_all_logins_end_however_many_there_are(
    logins: Logins, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.logins.PER_USER", 3)
    cookies = [await logins.start(user) for _ in range(10)]
    await logins.revoke_all(SAME_USER)
    assert not any([await logins.find(cookie) for cookie in cookies])


async def test_a_disabled_user_is_out_within_two_seconds(logins: Logins, user: User, store: SqliteStore) -> None:
    cookie = await logins.start(user)
    assert await logins.find(cookie)
    await store.change(User, user.id, owner=SYSTEM, disabled=True)
    async with asyncio.timeout(PATIENCE_S):
        while await logins.find(cookie):
            await asyncio.sleep(0.05)


async def test_a_second_key_signs_nobody_out_and_a_dropped_one_does(store: SqliteStore, user: User) -> None:
    cookie = await Logins(store, ["old " * 10]).start(user)
    assert await Logins(store, ["new " * 10, "old " * 10]).find(cookie)
    assert await Logins(store, ["new " * 10]).find(cookie) is None
    fresh = await Logins(store, ["new " * 10, "old " * 10]).start(user)
    assert await Logins(store, ["new " * 10]).find(fresh)


async def test_dead_logins_are_cleared_away_at_the_next_sign_in(
    logins: Logins, user: User, clock: Clock, store: SqliteStore
) -> None:
    for _ in range(3):
        await logins.start(user)
    clock.forward(days=8)
    await logins.start(user)
    assert len(await store.find(Login, owner=SYSTEM)) == 1


async def test_the_cache_is_bounded(logins: Logins, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHED", 5)
    for _ in range(20):
        assert await logins.find(await logins.start(user))
    assert len(logins._cache) == 5
