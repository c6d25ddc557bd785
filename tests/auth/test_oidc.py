"""Signing in at a provider: the honest way, and every way it must not work."""

import asyncio
import base64
import hmac
import json
import socket
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from auth import oidc
from core.config.settings import Secret
from core.domain.errors import Misconfigured, Unavailable
from core.domain.records import SYSTEM, Login, Role, User, UserId
from core.store.sqlite import SqliteStore
from tests.auth.conftest import CLIENT_ID, CLIENT_SECRET, PUBLIC, Build, House, production
from tests.oidc_provider import ALICE, Provider
from tests.product import free_port
from tests.timeouts import PATIENCE_S
from tests.tls import TLS

Twist = Callable[[dict[str, Any]], dict[str, Any]]


async def at_provider(browser: httpx2.AsyncClient, path: str = "/auth/login") -> str:
    """Go to the provider and consent: the address it sends the browser back to."""
    begun = await browser.get(path)
    assert begun.status_code == 303
    async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S) as elsewhere:
        answer = await elsewhere.get(begun.headers["location"])
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def sign_in(house: House, path: str = "/auth/login") -> tuple[httpx2.AsyncClient, httpx2.Response]:
    browser = house.browser()
    return browser, await browser.get(await at_provider(browser, path))


@pytest.fixture
def house(build: Build, idp: Provider) -> House:
    return build(production(oidc_issuer=idp.issuer, admins=("Root@Example.com",)))


async def logins(store: SqliteStore) -> list[Login]:
    return await store.find(Login, owner=SYSTEM)


class TestTheWayIn:
    async def test_it_ends_signed_in_at_the_page_that_was_asked_for(self, house: House, store: SqliteStore) -> None:
        browser, answer = await sign_in(house, "/auth/login?next=/workspace/abc%3Fsession%3D1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/workspace/abc?session=1")
        assert (await browser.get("/dashboard")).text.startswith("u-")
        [user] = await store.find(User, owner=SYSTEM)
        assert (user.subject, user.name, user.email, user.role) == ("101", "김앨리스", "alice@example.com", Role.USER)

    async def test_without_next_it_leads_to_the_dashboard(self, house: House) -> None:
        _, answer = await sign_in(house)
        assert answer.headers["location"] == "/dashboard"

    async def test_the_cookie_is_a_host_cookie_that_scripts_cannot_read(self, house: House) -> None:
        _, answer = await sign_in(house)
        [cookie] = [c for c in answer.headers.get_list("set-cookie") if c.startswith("__Host-oma=")]
        assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "101" not in cookie
        assert "alice" not in cookie

    async def test_the_request_carries_pkce_state_and_nonce(self, house: House) -> None:
        asked = parse_qs(urlsplit((await house.browser().get("/auth/login")).headers["location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["scope"] == ["openid email profile"]
        assert all(len(asked[name][0]) >= 32 for name in ("state", "nonce", "code_challenge"))

    async def test_the_account_is_issuer_and_subject_never_the_address(
        self, house: House, idp: Provider, store: SqliteStore
    ) -> None:
        first, _ = await sign_in(house)
        idp.people = [{**ALICE, "sub": "202"}]
        second, _ = await sign_in(house)
        assert (await first.get("/dashboard")).text != (await second.get("/dashboard")).text
        idp.people = [{**ALICE, "email": "married@example.com", "name": "김앨리스 박"}]
        third, _ = await sign_in(house)
        assert (await first.get("/dashboard")).text == (await third.get("/dashboard")).text
        assert {user.name for user in await store.find(User, owner=SYSTEM)} == {"김앨리스", "김앨리스 박"}

    async def test_signing_in_again_keeps_what_the_provider_does_not_say(
        self, house: House, idp: Provider, store: SqliteStore
    ) -> None:
        browser, _ = await sign_in(house)
        id = (await browser.get("/dashboard")).text
        await house.service.prefer(await store.get(User, id, owner=SYSTEM), locale="en", theme="dark")
        idp.people = [{"sub": "101"}]
        await sign_in(house)
        user = await store.get(User, id, owner=SYSTEM)
        assert (user.name, user.email, user.locale, user.theme) == ("김앨리스", "alice@example.com", "en", "dark")

    async def test_admins_are_named_by_verified_address_and_lose_it_with_the_name(
        self, build: Build, idp: Provider, store: SqliteStore
    ) -> None:
        admins = build(production(oidc_issuer=idp.issuer, admins=("ROOT@example.com",)))
        idp.people = [{"sub": "1", "email": "root@EXAMPLE.com", "email_verified": True}]
        browser, _ = await sign_in(admins)
        id = (await browser.get("/dashboard")).text
        assert (await store.get(User, id, owner=SYSTEM)).role is Role.ADMIN
        await sign_in(build(production(oidc_issuer=idp.issuer)))
        assert (await store.get(User, id, owner=SYSTEM)).role is Role.USER

    async def test_a_new_id_at_every_sign_in_and_the_old_one_ends(self, house: House, store: SqliteStore) -> None:
        browser, _ = await sign_in(house)
        before = browser.cookies["__Host-oma"]
        await browser.get(await at_provider(browser))
        assert browser.cookies["__Host-oma"] != before
        thief = house.browser()
        thief.cookies.set("__Host-oma", before)
        assert (await thief.get("/dashboard")).status_code == 303

    async def test_there_is_no_local_link_in_production(self, house: House) -> None:
        assert house.service.sign_in_methods == ("oidc",)
        assert (await house.browser().get("/auth/local?code=x")).status_code == 404

    def test_an_issuer_without_tls_is_refused_at_the_start(self, build: Build) -> None:
        with pytest.raises(Misconfigured):
            build(production(oidc_issuer="http://accounts.example.com"))

    async def test_a_provider_that_is_away_is_told_so_and_nothing_is_begun(self, build: Build) -> None:
        house = build(production(oidc_issuer=f"http://127.0.0.1:{free_port()}"))
        answer = await house.browser().get("/auth/login")
        assert answer.status_code == 503
        assert "error=provider_unavailable" in answer.text

    async def test_who_waits_for_a_provider_that_does_not_answer_waits_no_longer_because_others_do(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("auth.oidc.TIMEOUT_S", 1.0)
        with socket.create_server(("127.0.0.1", 0), backlog=200) as deaf:  # takes connections and says nothing
            issuer = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            silent = oidc.OidcProvider(issuer=issuer, client_id="a", client_secret=Secret("b"), redirect_uri=PUBLIC)
            async with asyncio.timeout(PATIENCE_S):  # one after the other it would be 100 s
                answers = await asyncio.gather(*(silent.begin() for _ in range(100)), return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unavailable}


class TestStateAndCode:
    pytestmark = pytest.mark.hostile_signins

    async def refused(self, answer: httpx2.Response, store: SqliteStore) -> None:
        assert answer.status_code == 400
        assert not any(c.startswith("__Host-oma=") for c in answer.headers.get_list("set-cookie"))
        assert await logins(store) == []

    async def test_a_callback_in_another_browser_is_refused(self, house: House, store: SqliteStore) -> None:
        back = await at_provider(house.browser())
        await self.refused(await house.browser().get(back), store)

    @pytest.mark.parametrize("state", ["", "&state=other", "&state=%00%ff"])
    async def test_a_callback_without_our_state_is_refused(self, house: House, store: SqliteStore, state: str) -> None:
        browser = house.browser()
        code = parse_qs(urlsplit(await at_provider(browser)).query)["code"][0]
        await self.refused(await browser.get(f"/auth/callback?code={code}{state}"), store)

    async def test_a_callback_works_once_even_with_a_kept_cookie_and_a_provider_that_forgets(
        self, house: House, idp: Provider, store: SqliteStore
    ) -> None:
        browser = house.browser()
        back = await at_provider(browser)
        kept, codes = dict(browser.cookies), dict(idp.codes)
        assert (await browser.get(back)).status_code == 303
        idp.codes.update(codes)
        again = house.browser()
        again.cookies.update(kept)
        assert (await again.get(back)).status_code == 400
        assert len(await logins(store)) == 1

    async def test_a_code_that_the_provider_refuses_signs_nobody_in(self, house: House, store: SqliteStore) -> None:
        browser = house.browser()
        state = parse_qs(urlsplit(await at_provider(browser)).query)["state"][0]
        await self.refused(await browser.get(f"/auth/callback?code=made-up&state={state}"), store)

    async def test_a_code_of_another_sign_in_is_refused_by_its_pkce(self, house: House, store: SqliteStore) -> None:
        stolen = parse_qs(urlsplit(await at_provider(house.browser())).query)["code"][0]
        mallory = house.browser()
        state = parse_qs(urlsplit(await at_provider(mallory)).query)["state"][0]
        await self.refused(await mallory.get(f"/auth/callback?code={stolen}&state={state}"), store)

    async def test_no_at_the_provider_is_told_and_a_fresh_sign_in_works(self, house: House) -> None:
        browser = house.browser()
        state = parse_qs(urlsplit(await at_provider(browser)).query)["state"][0]
        answer = await browser.get(f"/auth/callback?error=access_denied&state={state}")
        assert answer.status_code == 400
        assert "/login?error=declined" in answer.text
        assert (await browser.get(await at_provider(browser))).status_code == 303

    async def test_the_answer_of_another_issuer_is_refused(self, house: House, store: SqliteStore) -> None:
        browser = house.browser()
        await self.refused(await browser.get(await at_provider(browser) + "&iss=https://evil.test"), store)

    async def test_an_answer_without_issuer_of_a_provider_that_promises_one_is_refused(
        self, house: House, idp: Provider, store: SqliteStore
    ) -> None:
        idp.names_itself = True
        await self.refused(await (browser := house.browser()).get(await at_provider(browser)), store)
        back = await at_provider(browser)
        assert (await browser.get(f"{back}&iss={idp.issuer}")).status_code == 303

    async def test_who_only_looks_whether_the_callback_is_there_signs_nobody_in(
        self, house: House, store: SqliteStore
    ) -> None:
        browser = house.browser()
        back = await at_provider(browser)
        answer = await browser.head(back)
        assert (answer.status_code, answer.headers.get("allow")) == (405, "GET")
        assert await logins(store) == []
        assert (await browser.get(back)).status_code == 303

    async def test_the_log_has_one_line_and_never_the_code(
        self, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        back = await at_provider(house.browser())
        caplog.clear()
        await house.browser().get(back)
        ours = [record for record in caplog.records if record.name == "oma.auth"]
        assert len(ours) == 1
        assert parse_qs(urlsplit(back).query)["code"][0] not in caplog.text


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(token: dict[str, Any]) -> dict[str, Any]:
    body = token["id_token"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def signed(idp: Provider, change: Callable[[dict[str, Any]], object], **header: object) -> Twist:
    """An id_token of the provider's own key that says something else."""

    def twist(token: dict[str, Any]) -> dict[str, Any]:
        claims = claims_of(token)
        change(claims)
        return {**token, "id_token": jwt.encode({"alg": "RS256", "kid": "k1", **header}, claims, idp.key)}

    return twist


def says(**claims: object) -> Callable[[Provider], Twist]:
    """A claim with value None is left out."""

    def change(known: dict[str, Any]) -> None:
        known.update(claims)
        for name in [name for name, value in claims.items() if value is None]:
            del known[name]

    return lambda idp: signed(idp, change)


def forged(idp: Provider, make: Callable[[dict[str, Any]], object]) -> Twist:
    return lambda token: {**token, "id_token": make(claims_of(token))}


def hs256(claims: object, key: bytes, **header: object) -> str:
    text = f"{part({'alg': 'HS256', **header})}.{part(claims)}"
    mac = hmac.digest(key, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def resigned_text(idp: Provider, token: dict[str, Any], claims: bytes) -> str:
    """The provider's own signature over a body of our making."""
    body = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
    return _resigned(idp, {"id_token": f"x.{body}.x"}, {"alg": "RS256", "kid": "k1"})


OTHER_KIND = ECKey.generate_key("P-256", {"kid": "k1"})
STRANGER = RSAKey.generate_key(2048, {"kid": "k1"})
NOW = int(time.time())

HOSTILE: dict[str, Callable[[Provider], Twist]] = {
    "no id_token at all": lambda _: lambda t: {name: value for name, value in t.items() if name != "id_token"},
    "id_token is null": lambda _: lambda t: {**t, "id_token": None},
    "id_token is a number": lambda _: lambda t: {**t, "id_token": 7},
    "not a token": lambda _: lambda t: {**t, "id_token": "a.b.c"},
    "megabytes": lambda _: lambda t: {**t, "id_token": "a" * 2_000_000},
    "alg none": lambda idp: forged(idp, lambda c: f"{part({'alg': 'none'})}.{part(c)}."),
    "alg None in odd letters": lambda idp: forged(idp, lambda c: f"{part({'alg': 'nOnE'})}.{part(c)}."),
    "HS256 with the client's secret": lambda idp: forged(idp, lambda c: hs256(c, CLIENT_SECRET.encode())),
    "HS256 with the public key": lambda idp: forged(idp, lambda c: hs256(c, idp.key.as_pem(private=False))),
    "another key": lambda idp: forged(idp, lambda c: jwt.encode({"alg": "RS256", "kid": "k1"}, c, STRANGER)),
    "its own key in the header": lambda idp: forged(
        idp, lambda c: jwt.encode({"alg": "RS256", "jwk": STRANGER.as_dict(private=False)}, c, STRANGER)
    ),
    "its keys' address in the header": lambda idp: forged(
        idp, lambda c: jwt.encode({"alg": "RS256", "jku": "http://127.0.0.1:1/jwks"}, c, STRANGER)
    ),
    "a certificate in the header": lambda idp: forged(
        idp, lambda c: jwt.encode({"alg": "RS256", "kid": "k1", "x5c": ["AAAA"]}, c, STRANGER)
    ),
    "kid that is a path": lambda idp: forged(
        idp, lambda c: hs256(c, b"", kid="../../../../dev/null")
    ),
    "signed by another kind of key": lambda idp: forged(
        idp, lambda c: jwt.encode({"alg": "ES256", "kid": "k1"}, c, OTHER_KIND, algorithms=["ES256"])
    ),
    "encrypted instead of signed": lambda _: lambda t: {**t, "id_token": "e30.e30.e30.e30.e30"},
    "two tokens in one": lambda _: lambda t: {**t, "id_token": f"{t['id_token']}.{t['id_token']}"},
    "a token in a list": lambda _: lambda t: {**t, "id_token": [t["id_token"]]},
    "claims that are a list": lambda idp: lambda t: {**t, "id_token": resigned_text(idp, t, b"[]")},
    "claims that are no JSON": lambda idp: lambda t: {**t, "id_token": resigned_text(idp, t, b"sub=101")},
    "expiry far below zero": says(exp=-1),
    "expiry is true": says(exp=True),
    "audience is a dictionary": says(aud={CLIENT_ID: 1}),
    "audience in a list in a list": says(aud=[[CLIENT_ID]]),
    "issuer is a list": says(iss=["https://evil.test"]),
    "nonce is a list": says(nonce=["x"]),
    "subject longer than a subject": says(sub="1" * 256),
    "subject in another script": says(sub="１０１"),
    "unknown kid": lambda idp: forged(idp, lambda c: jwt.encode({"alg": "RS256", "kid": "k9"}, c, STRANGER)),
    "signature cut off": lambda _: lambda t: {**t, "id_token": t["id_token"].rpartition(".")[0] + "."},
    "claims exchanged": lambda idp: lambda t: {
        **t,
        "id_token": ".".join(
            [(p := t["id_token"].split("."))[0], part({**claims_of(t), "sub": "admin"}), p[2]]
        ),
    },
    "wrong issuer": says(iss="https://evil.test"),
    "issuer with a tail": lambda idp: signed(idp, lambda c: c.update(iss=c["iss"] + "/")),
    "no issuer": says(iss=None),
    "wrong audience": says(aud="other"),
    "audience other, azp us": says(aud="other", azp=CLIENT_ID),
    "two audiences, no azp": says(aud=[CLIENT_ID, "other"]),
    "us in the audience, azp other": says(aud=[CLIENT_ID, "other"], azp="other"),
    "audience us, azp other": says(azp="other"),
    "audience us, azp empty": says(azp=""),
    "audience that only begins like us": says(aud=CLIENT_ID + "-2"),
    "no audience": says(aud=None),
    "expired": says(exp=NOW - 3600),
    "no expiry": says(exp=None),
    "expiry is text": says(exp="tomorrow"),
    "issued tomorrow": says(iat=NOW + 86_400, exp=NOW + 90_000),
    "no time of issue": says(iat=None),
    "not valid before tomorrow": says(nbf=NOW + 86_400),
    "another nonce": says(nonce="another"),
    "no nonce": says(nonce=None),
    "no subject": says(sub=None),
    "empty subject": says(sub=""),
    "subject is a number": says(sub=101),
    "subject is a list": says(sub=["101"]),
    "subject with a line break": says(sub="101\nadmin"),
    "another access token's hash": says(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
}  # fmt: skip


def test_the_table_of_hostile_sign_ins_has_at_least_forty() -> None:
    assert len(HOSTILE) >= 40


@pytest.mark.hostile_signins
@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_id_token_signs_nobody_in(house: House, idp: Provider, store: SqliteStore, kind: str) -> None:
    idp.twist = HOSTILE[kind](idp)
    _, answer = await sign_in(house)
    assert answer.status_code == 400
    assert await logins(store) == []
    assert await store.find(User, owner=SYSTEM) == []


@pytest.mark.hostile_signins
async def test_the_table_of_hostile_tokens_begins_with_a_good_one(house: House, idp: Provider) -> None:
    idp.twist = says()(idp)  # signed anew by the test's own tools, nothing changed
    _, answer = await sign_in(house)
    assert answer.status_code == 303


@pytest.mark.hostile_signins
async def test_an_unknown_critical_header_is_refused(house: House, idp: Provider, store: SqliteStore) -> None:
    idp.twist = lambda token: {
        **token,
        "id_token": _resigned(idp, token, {"alg": "RS256", "kid": "k1", "crit": ["exp-in-header"], "exp-in-header": 1}),
    }
    _, answer = await sign_in(house)
    assert answer.status_code == 400
    assert await logins(store) == []


def _resigned(idp: Provider, token: dict[str, Any], header: dict[str, Any]) -> str:
    """A valid RS256 signature over a header that no library would write."""
    text = f"{part(header)}.{token['id_token'].split('.')[1]}"
    signature = idp.key.private_key.sign(text.encode(), PKCS1v15(), SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_a_provider_that_changed_its_keys_a_moment_ago_is_believed(house: House, idp: Provider) -> None:
    await sign_in(house)
    idp.key = RSAKey.generate_key(2048, {"kid": "k1-new", "use": "sig"})
    idp.twist = lambda t: {**t, "id_token": jwt.encode({"alg": "RS256", "kid": "k1-new"}, claims_of(t), idp.key)}
    _, answer = await sign_in(house)
    assert answer.status_code == 303


@pytest.mark.hostile_signins
class TestWhoMayComeIn:
    @pytest.mark.parametrize(
        ("person", "comes_in"),
        [
            ({"email": "bob@allowed.com", "email_verified": True}, True),
            ({"email": "BOB@ALLOWED.COM", "email_verified": True}, True),
            ({"email": "guest@else.org", "email_verified": True}, True),
            ({"email": "other@else.org", "email_verified": True}, False),
            ({"email": "bob@allowed.com", "email_verified": False}, False),
            ({"email": "bob@allowed.com", "email_verified": "false"}, False),
            ({"email": "bob@allowed.com", "email_verified": "true"}, False),
            ({"email": "bob@allowed.com", "email_verified": "1"}, False),
            ({"email": "bob@allowed.com", "email_verified": 1}, False),
            ({"email": "bob@allowed.com"}, False),
            ({"email": "bob@allowed.com.evil.com", "email_verified": True}, False),
            ({"email": "bob@notallowed.com", "email_verified": True}, False),
            ({"email": "allowed.com", "email_verified": True}, False),
            ({"email": ["bob@allowed.com"], "email_verified": True}, False),
            ({"hd": "allowed.com"}, False),
            ({}, False),
        ],
    )
    async def test_lists_are_compared_whole_and_only_with_a_verified_address(
        self, build: Build, idp: Provider, store: SqliteStore, person: dict[str, Any], comes_in: bool
    ) -> None:
        house = build(
            production(oidc_issuer=idp.issuer, allowed_domains=("Allowed.com",), allowed_emails=("Guest@Else.org",))
        )
        idp.people = [{"sub": "7", **person}]
        _, answer = await sign_in(house)
        assert answer.status_code == (303 if comes_in else 403)
        assert bool(await logins(store)) is comes_in

    async def test_a_disabled_account_is_refused(self, house: House, store: SqliteStore) -> None:
        browser, _ = await sign_in(house)
        id = (await browser.get("/dashboard")).text
        await store.change(User, id, owner=SYSTEM, disabled=True)
        _, answer = await sign_in(house)
        assert answer.status_code == 403


async def test_it_also_works_with_a_provider_that_we_did_not_write(build: Build, store: SqliteStore) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        issuer = f"http://localhost:{port}"
        async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S) as elsewhere:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        await elsewhere.get(f"{issuer}/.well-known/openid-configuration")
                        break
                    except httpx2.ConnectError:
                        await asyncio.sleep(0.1)
            await elsewhere.put(f"{issuer}/users/bob", json={"email": "bob@example.com", "name": "밥"})
            browser = build(production(oidc_issuer=issuer)).browser()
            begun = await browser.get("/auth/login")
            answer = await elsewhere.post(begun.headers["location"], data={"sub": "bob"})
            assert answer.status_code == 302, answer.text
        assert (await browser.get(answer.headers["location"])).status_code == 303
        assert UserId((await browser.get("/dashboard")).text) in {u.id for u in await store.find(User, owner=SYSTEM)}
    finally:
        process.terminate()
        await process.wait()
