"""Tests of the audit log of sign-ins, devices, roles given by hand, and a new session secret."""

import httpx2
import pytest

from auth.accounts import upsert_user
from auth.claims import Identity
from core.domain.errors import NotFound
from core.domain.records import SYSTEM, Login, Role, User
from core.store.sqlite import SqliteStore
from tests.auth.conftest import Build, House, production, signed_in
from tests.auth.test_oidc import at_provider, sign_in
from tests.oidc_provider import Provider

OLD, NEW = "the old key, long enough to be one: 0123456789", "the new key, long enough to be one: 9876543210"
ORIGIN = {"origin": "http://127.0.0.1:8080"}


async def told(store: SqliteStore) -> list[str]:
    return [act.what for act in await store.audit_entries()]


class TestAudit:
    async def test_coming_and_going_are_told_with_address_and_device(self, build: Build, store: SqliteStore) -> None:
        house = build()
        browser = house.browser()
        browser.headers["user-agent"] = "Browser\u00ff" + "x" * 500
        await browser.get(house.service.local_link())
        await browser.post("/auth/logout", headers=ORIGIN)
        await browser.post("/auth/logout", headers=ORIGIN)  # nobody: nothing to tell
        acts = await store.audit_entries()
        assert [(act.what, act.who, act.address) for act in acts] == [
            ("sign_out", "local-owner", "127.0.0.1"),
            ("sign_in", "local-owner", "127.0.0.1"),
        ]
        assert all(act.device.startswith("Browser") and len(act.device) == 200 for act in acts)

    async def test_who_is_not_on_the_list_is_told_with_their_address(
        self, build: Build, idp: Provider, store: SqliteStore
    ) -> None:
        house = build(production(oidc_issuer=idp.issuer, allowed_emails=("other@example.com",)))
        _, answer = await sign_in(house)
        assert answer.status_code == 403
        [act] = await store.audit_entries()
        assert (act.what, act.who, act.detail) == ("sign_in_refused", "", "not_allowed alice@example.com")
        assert act.about.startswith("u-")

    async def test_who_is_disabled_is_told_once(self, build: Build, idp: Provider, store: SqliteStore) -> None:
        house = build(production(oidc_issuer=idp.issuer))
        await sign_in(house)
        [user] = await store.find(User, owner=SYSTEM)
        await store.change(User, user.id, owner=SYSTEM, disabled=True)
        _, answer = await sign_in(house)
        assert answer.status_code == 403
        assert await told(store) == ["sign_in_refused", "sign_in"]
        assert (await store.audit_entries())[0].about == user.id


class TestDevices:
    async def test_only_living_logins_of_ones_own_are_listed_and_ended(self, build: Build, store: SqliteStore) -> None:
        house = build()
        first, second = await signed_in(house), await signed_in(house)
        [owner] = await store.find(User, owner=SYSTEM)
        other = await upsert_user(store, Identity(issuer="https://idp.test", subject="bob"), admin=False)
        await house.service.logins.start(other)
        assert len(await house.service.devices(owner.user_id)) == 2
        [bobs] = await house.service.devices(other.user_id)
        with pytest.raises(NotFound):
            await house.service.sign_out(bobs.id, user=owner.user_id)
        assert not (await store.get(Login, bobs.id, owner=SYSTEM)).revoked
        newest = max(await house.service.devices(owner.user_id), key=lambda login: login.created_at)
        await house.service.sign_out(newest.id, user=owner.user_id)
        assert [await came_in(browser) for browser in (first, second)] == [True, False]
        await house.service.sign_out_everywhere(owner.user_id)
        assert not await came_in(first)
        assert (await told(store))[:2] == ["login_revoked", "login_revoked"]


class TestRoles:
    async def test_a_role_given_by_hand_stays_and_one_of_the_settings_goes_with_them(
        self, build: Build, idp: Provider, store: SqliteStore
    ) -> None:
        async def role(house: House) -> Role:
            await sign_in(house)
            return (await store.find(User, owner=SYSTEM))[0].role

        named = build(production(oidc_issuer=idp.issuer, admins=("alice@example.com",)))
        assert await role(named) is Role.ADMIN
        plain = build(production(oidc_issuer=idp.issuer))
        assert await role(plain) is Role.USER
        [user] = await store.find(User, owner=SYSTEM)
        await store.change(User, user.id, owner=SYSTEM, role=Role.ADMIN, admin_granted=True)
        assert await role(plain) is Role.ADMIN


class TestANewSecret:
    async def test_nobody_is_signed_out_and_a_sign_in_under_way_ends_well(self, build: Build, idp: Provider) -> None:
        settings = production(oidc_issuer=idp.issuer)
        before = build(settings, keys=(OLD,))
        inside, _ = await sign_in(before)
        half_way = before.browser()
        returning = await at_provider(half_way)
        after = build(settings, keys=(NEW, OLD))
        assert await came_in(moved(inside, after))
        answer = await moved(half_way, after).get(returning)
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")

    async def test_without_the_old_one_everybody_signs_in_again(self, build: Build) -> None:
        inside = await signed_in(build(keys=(OLD,)))
        assert not await came_in(moved(inside, build(keys=(NEW,))))


def moved(browser: httpx2.AsyncClient, house: House) -> httpx2.AsyncClient:
    """The same browser after a restart of the server."""
    there = house.browser()
    there.cookies = browser.cookies
    return there


async def came_in(browser: httpx2.AsyncClient) -> bool:
    return bool((await browser.get("/dashboard")).status_code == 200)
