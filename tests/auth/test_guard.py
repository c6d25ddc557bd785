"""The guard lets in only requests to this site, from its own pages, by a signed-in user, and not too many."""

import re
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import ClassVar
from urllib.parse import quote

import httpx2
import pytest
from limits import RateLimitItem
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from auth.body_limits import MAX_BODY_BYTES
from auth.rate import READ, SIGN_IN, STRANGER, WRITE
from auth.uvicorn_config import MAX_HEAD_BYTES
from core.config.settings import Settings
from core.domain.errors import PlatformError
from tests.auth.conftest import LOCAL, PUBLIC, Build, House, production, signed_in

EXACT = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "1; mode=block",
    "referrer-policy": "strict-origin-when-cross-origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
}
ORIGIN = {"origin": LOCAL}


@pytest.fixture
def house(build: Build) -> House:
    return build()


class TestStrangers:
    @pytest.mark.parametrize("path", ["/dashboard", "/workspace/a?session=1&x=%2F", "/runs", "/nothing", "/settings"])
    async def test_pages_lead_to_the_sign_in_and_back(self, house: House, path: str) -> None:
        answer = await house.browser().get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={quote(path, safe='')}")

    async def test_the_api_says_401_in_our_words(self, house: House) -> None:
        answer = await house.browser().get("/api/v1/scope")
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "not_signed_in"

    async def test_what_would_change_something_is_refused_not_redirected(self, house: House) -> None:
        for path in ("/dashboard", "/api/v1/echo", "/_nicegui/client/x/upload"):
            assert (await house.browser().post(path, headers=ORIGIN)).status_code in (401, 404)
        assert (await house.browser().post("/dashboard", headers=ORIGIN)).status_code == 401

    async def test_health_is_answered_to_anybody_by_any_name(self, house: House) -> None:
        answer = await house.browser("http://10.0.0.7:8080").get("/healthz")
        assert answer.status_code == 404  # this application has none: it was let through

    async def test_polling_for_sockets_is_refused(self, house: House) -> None:
        answer = await house.browser().get("/_nicegui_ws/socket.io/?EIO=4&transport=polling")
        assert answer.status_code in (401, 403, 404)
        known = await (await signed_in(house)).get("/_nicegui_ws/socket.io/?EIO=4&transport=polling")
        assert (known.status_code, known.json()["code"]) == (400, "no_polling")


class TestForgery:
    """A request that changes something has to prove that it comes from one of our pages."""

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"origin": "https://evil.test"},
            {"origin": "null"},
            {"origin": ""},
            {"origin": LOCAL + ".evil.test"},
            {"origin": LOCAL + "@evil.test"},
            {"origin": "http://127.0.0.1:8081"},
            {"origin": "https://127.0.0.1:8080"},
            {"origin": "http://localhost:8080"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none"},
            {"sec-fetch-site": ""},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", **ORIGIN},
            {"sec-fetch-site": "same-site", **ORIGIN},
            {"sec-fetch-site": "same-origin", "origin": "https://evil.test"},
            {"referer": f"{LOCAL}/dashboard"},
        ],
    )
    async def test_a_request_from_elsewhere_changes_nothing(self, house: House, headers: dict[str, str]) -> None:
        browser = await signed_in(house)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for path in ("/dashboard", "/api/v1/echo", "/auth/logout", "/auth/local/link", "/nothing"):
                answer = await browser.request(method, path, headers=headers)
                assert answer.status_code == 403
                assert answer.json()["code"] == "cross_site"
        assert (await browser.get("/dashboard")).status_code == 200

    @pytest.mark.parametrize(
        "headers", [ORIGIN, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "same-origin", **ORIGIN}]
    )
    async def test_a_request_from_our_page_goes_through(self, house: House, headers: dict[str, str]) -> None:
        browser = await signed_in(house)
        assert (await browser.post("/dashboard", headers=headers)).status_code == 200

    async def test_signing_out_ends_the_login_in_the_store(self, house: House) -> None:
        browser = await signed_in(house)
        kept = browser.cookies["oma"]
        answer = await browser.post("/auth/logout", headers=ORIGIN)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert "oma" not in browser.cookies
        thief = house.browser()
        thief.cookies.set("oma", kept)
        assert (await thief.get("/dashboard")).status_code == 303

    async def test_getting_the_sign_out_address_changes_nothing(self, house: House) -> None:
        browser = await signed_in(house)
        assert (await browser.get("/auth/logout")).status_code == 405
        assert (await browser.get("/dashboard")).status_code == 200

    async def test_no_answer_ever_allows_another_origin(self, house: House) -> None:
        browser = await signed_in(house)
        for method in ("GET", "OPTIONS", "POST"):
            for path in ("/dashboard", "/api/v1/echo", "/login", "/nothing"):
                headers = {"origin": f"{LOCAL}.evil.test", "access-control-request-method": "POST"}
                answer = await browser.request(method, path, headers=headers)
                assert not [name for name in answer.headers if name.startswith("access-control-")]


class TestCookies:
    @pytest.mark.parametrize("theirs", ["theme=dark oma=", 'choice="x" oma=', "a=b\toma=", "a=b,oma=", "a=b oma ="])
    async def test_a_neighbours_cookie_signs_nobody_in_and_nobody_out(self, house: House, theirs: str) -> None:
        """A neighbour that may set cookies for a domain above ours can neither set our name nor hide it in another's
        value.
        """
        mine, other = [(await signed_in(house)).cookies["oma"] for _ in range(2)]
        stranger = house.browser()
        assert (await stranger.get("/dashboard", headers={"cookie": theirs + other})).status_code == 303
        cookies = (f"oma={mine}; {theirs}", f"{theirs}; oma={mine}", f'ok={{"a":true}}; oma={mine}', f"oma={mine}; a b")
        for cookie in (*cookies, f"이름=말; oma={mine}"):
            answer = await stranger.get("/dashboard", headers={b"cookie": cookie.encode()})
            assert answer.status_code == 200, cookie


class TestNames:
    @pytest.mark.parametrize(
        "host",
        [
            "evil.test", "127.0.0.1.evil.test", "127.0.0.1:8080.evil.test", "evil.test:8080", "localhost.evil.test", "",
            "evil/?127.0.0.1", "127.0.0.1@evil.test", "127.0.0.1:8080/x", "[::2]", "127.0.0.2", "0.0.0.0", "a b",
        ],
    )  # fmt: skip
    async def test_a_name_that_is_not_ours_is_refused(self, house: House, host: str) -> None:
        browser = await signed_in(house)
        for path in ("/dashboard", "/login", "/api/v1/scope", "/_nicegui/x"):
            assert (await browser.get(path, headers={"host": host})).status_code == 400

    @pytest.mark.parametrize("base", [LOCAL, "http://localhost:9999", "http://[::1]:8080", "http://127.0.0.1"])
    async def test_local_mode_answers_to_every_loopback_name_with_origin_equal_to_host(
        self, house: House, base: str
    ) -> None:
        browser = house.browser(base)
        await browser.get("/auth/local?" + house.service.local_link().partition("?")[2])
        assert (await browser.get("/dashboard")).status_code == 200
        assert (await browser.post("/dashboard", headers={"origin": base})).status_code == 200
        assert (await browser.post("/dashboard", headers={"origin": "http://127.0.0.1:1"})).status_code == 403

    async def test_production_answers_to_its_one_name(self, build: Build) -> None:
        house = build(production())
        assert (await house.browser(PUBLIC).get("/login")).status_code == 200
        assert (await house.browser(f"{PUBLIC}:443").get("/login")).status_code == 200
        for base in (LOCAL, "http://localhost", "https://agents.example.com.evil.test", f"{PUBLIC}:8443"):
            assert (await house.browser(base).get("/login")).status_code == 400

    async def test_another_name_of_ours_leads_to_the_one_and_serves_nothing(self, build: Build) -> None:
        browser = build(production(aliases=("app.example.com",))).browser("https://app.example.com")
        for path in ("/", "/workspace/a?session=1&x=%2F", "/auth/login", "/_nicegui/x"):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["location"]) == (302, PUBLIC + path)
        assert (await browser.get("/login", headers={"host": "app.example.com:443"})).status_code == 302
        assert (await browser.post("/dashboard", headers={"origin": "https://app.example.com"})).status_code == 400
        for host in ("app.example.com.evil.test", "app.example.com:8443", "evil.test"):
            assert (await browser.get("/login", headers={"host": host})).status_code == 400

    async def test_our_own_name_among_the_others_leads_nobody_in_circles(self, build: Build) -> None:
        house = build(production(aliases=("Agents.example.com", "agents.example.com:443")))
        assert (await house.browser(PUBLIC).get("/login")).status_code == 200

    async def test_two_host_headers_are_refused(self, house: House) -> None:
        headers = [("host", "127.0.0.1:8080"), ("host", "evil.test")]
        assert (await house.browser().get("/login", headers=headers)).status_code == 400


class TestProxies:
    FORGED: ClassVar = {
        "x-forwarded-for": "9.9.9.9",
        "x-forwarded-host": "evil.test",
        "x-forwarded-proto": "https",
        "x-forwarded-prefix": "//evil.test",
        "forwarded": "host=evil.test",
        "x-real-ip": "9.9.9.9",
    }

    async def seen(self, house: House, **headers: str) -> dict[str, object]:
        browser = await signed_in(house)
        answer = await browser.get("/api/v1/scope", headers=headers)
        found: dict[str, object] = answer.json()
        return found

    async def test_what_a_client_says_of_itself_is_taken_away(self, house: House) -> None:
        seen = await self.seen(house, **self.FORGED)
        assert seen["address"] == "127.0.0.1"
        assert "evil" not in str(seen)
        assert "9.9.9.9" not in str(seen)
        assert seen["headers"]["x-forwarded-proto"] == "http"  # type: ignore[index]

    async def test_a_trusted_proxy_says_who_called_and_only_its_own_hop_counts(self, build: Build) -> None:
        house = build(Settings(trusted_proxies=("127.0.0.0/8", "10.0.0.0/8")))
        chain = "6.6.6.6, 203.0.113.9, 10.1.2.3"
        assert (await self.seen(house, **{"x-forwarded-for": chain}))["address"] == "203.0.113.9"
        assert (await self.seen(house, **{"x-forwarded-for": "made up"}))["address"] == "127.0.0.1"

    async def test_a_forged_prefix_does_not_bend_redirects(self, house: House) -> None:
        answer = await house.browser().get("/dashboard", headers=self.FORGED)
        assert answer.headers["location"] == "/login?next=%2Fdashboard"


class TestLimits:
    async def test_a_flood_of_sign_ins_from_one_address_is_slowed_and_others_are_not(self, build: Build) -> None:
        house = build(Settings(trusted_proxies=("127.0.0.1",)))
        browser = house.browser()

        async def try_from(address: str) -> httpx2.Response:
            return await browser.get("/auth/local?code=x", headers={"x-forwarded-for": address})

        assert await allowed(SIGN_IN, 303, lambda: try_from("203.0.113.1"))
        refused = await try_from("203.0.113.1")
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.json()["code"] == "slow_down"
        assert (await try_from("203.0.113.2")).status_code == 303

    async def test_one_customers_ipv6_network_counts_as_one(self, build: Build) -> None:
        browser = build(Settings(trusted_proxies=("127.0.0.1",))).browser()

        numbers = iter(range(1, 10_000))

        async def ask(address: str) -> httpx2.Response:
            return await browser.get("/login", headers={"x-forwarded-for": address})

        assert await allowed(SIGN_IN, 200, lambda: ask(f"2001:db8::{next(numbers):x}"))
        assert (await ask("2001:db8:0:1::1")).status_code == 200
        statuses = {(await ask(f"::ffff:203.0.113.{n}")).status_code for n in range(SIGN_IN.amount + 5)}
        assert statuses == {200}

    async def test_a_strangers_other_requests_have_a_limit_of_their_own(self, house: House) -> None:
        browser = house.browser()
        assert await allowed(STRANGER, 303, lambda: browser.get("/dashboard"))
        assert (await browser.get("/login")).status_code == 200
        assert (await (await signed_in(house)).get("/dashboard")).status_code == 200  # a user behind the same address

    @pytest.mark.parametrize(("method", "item", "other"), [("GET", READ, "POST"), ("POST", WRITE, "GET")])
    async def test_a_user_is_limited_by_account_and_reading_and_changing_apart(
        self, house: House, method: str, item: RateLimitItem, other: str
    ) -> None:
        browsers = [await signed_in(house), await signed_in(house)]  # the same user twice
        turns = cycle(browsers)
        assert await allowed(item, 200, lambda: next(turns).request(method, "/dashboard", headers=ORIGIN))
        assert (await browsers[0].request(other, "/dashboard", headers=ORIGIN)).status_code == 200

    async def test_where_a_page_is_asked_for_the_refusal_is_one(self, build: Build) -> None:
        def page(_request: Request, error: PlatformError) -> Response:
            return HTMLResponse(f"a page about {error.code}", error.status)

        browser = build(page=page).browser()
        assert await allowed(SIGN_IN, 200, lambda: browser.get("/login"))
        asked = await browser.get("/login", headers={"accept": "text/html,*/*"})
        assert (asked.status_code, asked.text) == (429, "a page about slow_down")
        assert asked.headers["retry-after"].isdigit()
        assert (await browser.get("/login", headers={"accept": "application/json"})).json()["code"] == "slow_down"

    @pytest.mark.parametrize(
        "headers", [{f"x-{n}": "1" for n in range(101)}, {"x-long": "x" * MAX_HEAD_BYTES}, {"cookie": "a=b;" * 9000}]
    )
    async def test_too_much_in_front_of_the_body_is_refused(self, house: House, headers: dict[str, str]) -> None:
        browser = await signed_in(house)
        for path in ("/dashboard", "/login", "/_nicegui/x"):
            assert (await browser.get(path, headers=headers)).status_code == 431
        assert (await browser.get("/dashboard?" + "x" * MAX_HEAD_BYTES)).status_code == 431

    async def test_a_body_over_the_limit_is_refused_declared_or_not(self, house: House) -> None:
        browser = await signed_in(house)
        fits = await browser.post("/api/v1/echo", content=b"x" * MAX_BODY_BYTES, headers=ORIGIN)
        assert fits.json() == {"size": MAX_BODY_BYTES}

        async def endless():  # type: ignore[no-untyped-def]
            for _ in range(100):
                yield b"x" * 65_536

        for content in (b"x" * (MAX_BODY_BYTES + 1), endless()):
            answer = await browser.post("/api/v1/echo", content=content, headers=ORIGIN)
            assert answer.status_code == 413
        lying = await browser.post("/api/v1/echo", content=b"x", headers={**ORIGIN, "content-length": "-1"})
        assert lying.status_code == 413


async def allowed(item: RateLimitItem, status: int, ask: Callable[[], Awaitable[httpx2.Response]]) -> bool:
    """True if as many requests as the limit allows get `status` and the next one gets 429. A minute that ends meanwhile
    lets one or two more pass.
    """
    for n in range(item.amount + 5):
        found = (await ask()).status_code
        if found != status:
            return found == 429 and n >= item.amount
    return False


class TestHeaders:
    async def test_every_answer_carries_the_six_exactly(self, house: House) -> None:
        browser = await signed_in(house)
        answers = [
            await browser.get("/dashboard"),
            await browser.get("/nothing"),
            await browser.get("/auth/local?code=x"),
            await browser.post("/dashboard"),
            await house.browser().get("/dashboard"),
            await house.browser().get("/api/v1/scope"),
            await browser.get("/login", headers={"host": "evil.test"}),
        ]
        with pytest.raises(RuntimeError):
            await browser.get("/api/v1/broken")
        for answer in answers:
            assert EXACT.items() <= dict(answer.headers).items()
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers.get("cross-origin-opener-policy") == "same-origin"
            assert answer.headers.get("cache-control") == "no-store"

    async def test_a_page_that_breaks_carries_them_too_and_says_nothing(
        self, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        browser = await signed_in(house)
        transport = httpx2.ASGITransport(house.app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=LOCAL, cookies=browser.cookies) as same:
            answer = await same.get("/api/v1/broken")
        assert answer.status_code == 500
        assert EXACT.items() <= dict(answer.headers).items()
        assert "on purpose" not in answer.text
        incident = answer.json()["incident"]
        assert len(incident) == 8
        assert incident in caplog.text

    async def test_a_page_of_nicegui_gets_a_fresh_nonce_for_its_scripts_and_is_compressed(self, house: House) -> None:
        html = '<script>a</script><script type="module" src="x"></script><p>&lt;script></p>' + "<i></i>" * 500

        @house.app.get("/page")
        def page() -> Response:
            return HTMLResponse(html, headers={"X-NiceGUI-Content": "page", "Cache-Control": "public"})

        browser = await signed_in(house)
        nonces = []
        for _ in range(2):
            answer = await browser.get("/page", headers={"accept-encoding": "gzip"})
            policy = answer.headers["content-security-policy"]
            nonce = re.search(r"'nonce-([^']+)'", policy)
            assert nonce
            nonces.append(nonce[1])
            assert answer.text.count(f'<script nonce="{nonce[1]}"') == 2
            assert "connect-src 'self' ws://127.0.0.1:8080;" in policy
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-encoding"] == "gzip"
        assert nonces[0] != nonces[1]
        plain = await browser.get("/page", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers

    async def test_the_socket_address_of_a_secure_site_is_secure(self, build: Build) -> None:
        house = build(production())

        @house.app.get("/auth/page")
        def page() -> Response:
            return HTMLResponse("x", headers={"X-NiceGUI-Content": "page"})

        policy = (await house.browser().get("/auth/page")).headers["content-security-policy"]
        assert "connect-src 'self' wss://agents.example.com;" in policy
        assert "http:" not in policy
        assert "*" not in policy


async def test_two_sign_ins_side_by_side_see_their_own_user(house: House) -> None:
    assert (await (await signed_in(house)).get("/dashboard")).text == "local-owner"
    assert (await house.browser().get("/dashboard")).status_code == 303
