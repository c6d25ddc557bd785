"""Tests that a user who is removed from a list is signed out, and no administrator any more, after a restart."""

import asyncio

import pytest

from auth.access_lists import enforce
from auth.accounts import OWNER, upsert_user
from auth.claims import Identity
from auth.logins import Logins
from core.config.settings import Settings
from core.domain.errors import StoreUnavailable
from core.domain.records import GOOGLE, SYSTEM, Role, User
from core.services.audit import Audit
from core.store.sqlite import SqliteStore
from tests.auth.conftest import Build, House, production

ALICE = Identity(issuer=GOOGLE, subject="alice", email="alice@example.com", hosted_domain="example.com")
BOB = Identity(issuer=GOOGLE, subject="bob", email="bob@other.com", hosted_domain="other.com")
KEY = "a key that is long enough to be one: 0123456789"


class World:
    """Two people who are signed in, both administrators, and the owner of the machine."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.logins, self.audit = store, Logins(store, [KEY]), Audit(store)
        self.cookies: dict[str, str] = {}

    async def begin(self) -> None:
        for who in (ALICE, BOB, OWNER):
            self.cookies[who.subject] = await self.logins.start(await upsert_user(self.store, who, admin=True))

    async def hold(self, **lists: tuple[str, ...]) -> None:
        await enforce(Settings(**lists), store=self.store, logins=self.logins, audit=self.audit)

    async def role(self, who: Identity) -> Role | None:
        """None: they are signed out."""
        signed = await self.logins.find(self.cookies[who.subject])
        return signed and (await self.store.get(User, signed.user.id, owner=SYSTEM)).role


@pytest.fixture
async def world(store: SqliteStore) -> World:
    made = World(store)
    await made.begin()
    return made


async def test_who_is_on_no_list_any_more_is_signed_out_and_the_others_stay(world: World) -> None:
    await world.hold(allowed_domains=("example.com",), admins=("alice@example.com",))
    assert (await world.role(ALICE), await world.role(BOB), await world.role(OWNER)) == (Role.ADMIN, None, Role.ADMIN)
    told = [(act.what, act.who, act.detail) for act in await world.store.audit_entries()]
    assert told == [("login_revoked", "system", "not on the lists any more"), ("role_changed", "system", "user")]
    await world.hold(allowed_domains=("example.com",), admins=("alice@example.com",))
    assert len(await world.store.audit_entries()) == 2, "at the next start there is nothing to be done"


async def test_who_is_no_administrator_by_the_settings_any_more_is_none(world: World) -> None:
    await world.hold(allowed_domains=("*",), admins=("alice@example.com",))
    assert (await world.role(ALICE), await world.role(BOB)) == (Role.ADMIN, Role.USER)


async def test_who_was_made_one_by_hand_stays_one(world: World) -> None:
    bob = await upsert_user(world.store, BOB, admin=True)
    await world.store.change(User, bob.id, owner=SYSTEM, admin_granted=True)
    await world.hold(allowed_domains=("*",))
    assert (await world.role(ALICE), await world.role(BOB)) == (Role.USER, Role.ADMIN)


async def test_a_store_that_is_away_at_the_start_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.access_lists.RETRY_S", 0.01)
    find, asked = world.store.find, 0

    async def away_at_first(*args: object, **more: object) -> object:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise StoreUnavailable("away")
        return await find(*args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(world.store, "find", away_at_first)
    await world.hold(allowed_domains=("example.com",))
    assert await world.role(BOB) is None


async def test_a_start_holds_everybody_to_the_lists(build: Build, store: SqliteStore) -> None:
    house: House = build(production(allowed_emails=("alice@example.com",), oidc_issuer="https://idp.test"))
    bob = await house.service.logins.start(await upsert_user(store, BOB, admin=False))
    async with house.service.running(), asyncio.timeout(10):
        while await house.service.logins.find(bob):
            await asyncio.sleep(0.01)
