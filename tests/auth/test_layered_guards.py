"""Guards of sign-in that stand behind another one: each is tried by itself, because a wall hides the wall behind it."""

from typing import Any

import httpx2
import pytest
from nicegui import Client, ui
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from auth.claims import _explicit, verify
from auth.guard import _from_our_page
from auth.service import _flows
from auth.sockets import LOG_CHARS, LOG_LINES, Bound, SocketGuard
from core.config.settings import Settings
from core.domain.errors import Forbidden, NotSignedIn
from tests.auth.conftest import CLIENT_ID, KEY, LOCAL, Build, House, production, signed_in
from tests.auth.test_oidc import at_provider
from tests.oidc_provider import Provider

FLOW = "__Host-oma-flow"
GOOD: dict[str, Any] = {"iss": "https://x", "aud": "us", "sub": "1", "exp": 2_000_000_000_000, "iat": 1, "nonce": "n"}


@pytest.fixture
def house(build: Build, idp: Provider) -> House:
    return build(production(oidc_issuer=idp.issuer))


class TestSockets:
    async def test_a_strangers_socket_to_anything_else_is_refused(self, build: Build) -> None:
        assert await said_to_socket(build(), "/somewhere") == [{"type": "websocket.close", "code": 4403}]

    async def test_a_socket_of_another_page_is_refused(self, build: Build) -> None:
        said = await said_to_socket(build(), "/_nicegui_ws/socket.io/", origin="https://evil.test")
        assert said == [{"type": "websocket.close", "code": 4403}]

    def test_a_socket_of_a_look_alike_page_is_refused(self) -> None:
        """The origin alone refuses it: behind it Socket.IO and the page's own id would refuse as well."""
        _from_our_page({b"origin": LOCAL.encode()}, LOCAL)
        for origin in (f"{LOCAL}.evil.test", f"{LOCAL}@evil.test", "https://evil.test", "null", ""):
            with pytest.raises(Forbidden):
                _from_our_page({b"origin": origin.encode()}, LOCAL)

    async def test_a_page_is_not_joined_by_a_socket_of_another_one_even_if_nicegui_would_let_it(
        self, nicegui_untouched: None
    ) -> None:
        guard = SocketGuard()
        guard._bound["test-1"] = Bound(client_id="its own", bind="b", login="")
        with Client(
            ui.page(""), request=Request({"type": "http", "path": "/", "headers": []})
        ) as alices:  # NiceGUI lets a socket in that begins with "test-", as it does On Air
            hello = {"client_id": alices.id, "tab_id": "t", "document_id": "d", "next_message_id": 0}
            try:
                assert await guard._handshake("test-1", hello) is False
                assert not alices.has_socket_connection
            finally:
                alices.delete()

    def test_what_a_browser_says_in_our_log_is_little_and_cannot_pose_as_ours(
        self, nicegui_untouched: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "oma.browser")
        guard = SocketGuard()
        guard._bound["s"] = Bound(client_id="c", bind="b", login="")
        for _ in range(3 * LOG_LINES):
            guard._log("s", {"message": "x\n12:00:00 INFO oma.auth: signed in\x1b[2J" + "y" * 10_000})
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == LOG_LINES
        assert all(line.isprintable() and len(line) < 2 * LOG_CHARS for line in said)


async def said_to_socket(house: House, path: str, *, origin: str = LOCAL) -> list[Any]:
    """Return what a WebSocket to this path receives until it is closed."""
    headers = [(b"host", LOCAL.removeprefix("http://").encode()), (b"origin", origin.encode())]
    scope = {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
        "client": ("127.0.0.1", 1), "scheme": "ws", "subprotocols": [], "root_path": "",
    }  # fmt: skip
    heard: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        heard.append({"type": message["type"], "code": message.get("code")})

    await house.app(scope, receive, send)
    return heard


class TestHeaders:
    @pytest.mark.parametrize("hosts", [(LOCAL, "http://evil.test"), ("http://evil.test", LOCAL), (LOCAL, LOCAL)])
    async def test_two_host_headers_are_refused_whichever_comes_first(
        self, build: Build, hosts: tuple[str, ...]
    ) -> None:
        headers = [("host", host.removeprefix("http://")) for host in hosts]
        answer = await build().browser().get("/login", headers=headers)
        assert answer.status_code == 400
        assert answer.json()["code"] == "bad_host"

    async def test_the_two_beside_the_six_are_on_every_answer(self, build: Build) -> None:
        browser = build().browser()
        for path in ("/login", "/dashboard", "/api/v1/scope", "/nothing"):
            headers = (await browser.get(path)).headers
            assert headers.get("cross-origin-resource-policy") == "same-origin"
            for power in ("camera", "microphone", "geolocation", "payment", "usb", "display-capture"):
                assert f"{power}=()" in headers["permissions-policy"]

    async def test_the_policy_of_a_page_names_nobody_but_us(self, build: Build) -> None:
        house = build()

        @house.app.get("/auth/page")
        def page() -> Response:
            return HTMLResponse("x", headers={"X-NiceGUI-Content": "page"})

        text = (await house.browser().get("/auth/page")).headers["content-security-policy"]
        policy = {name: set(words) for name, *words in (part.split() for part in text.split(";"))}
        [nonce] = [word for word in policy["script-src"] if word.startswith("'nonce-")]
        assert policy == {
            "default-src": {"'none'"},
            "script-src": {"'self'", nonce, "'unsafe-eval'"},  # Vue compiles its templates in the browser
            "style-src": {"'self'", "'unsafe-inline'"},
            "img-src": {"'self'", "data:"},
            "font-src": {"'self'", "data:"},
            "connect-src": {"'self'", LOCAL.replace("http", "ws")},
            "manifest-src": {"'self'"},
            "object-src": {"'none'"},
            "base-uri": {"'none'"},
            "form-action": {"'self'"},
            "frame-ancestors": {"'none'"},
        }

    async def test_a_header_of_ours_from_below_does_not_stand_beside_it(self, build: Build) -> None:
        house = build()

        @house.app.get("/auth/careless")
        def careless() -> Response:
            return HTMLResponse("x", headers={"X-Frame-Options": "ALLOWALL"})

        answer = await house.browser().get("/auth/careless")
        assert answer.headers.get_list("x-frame-options") == ["DENY"]


class TestClaims:
    def test_a_good_token_is_taken(self) -> None:
        assert judged(GOOD).subject == "1"

    def test_the_library_is_told_whom_a_token_must_be_for(self) -> None:
        with pytest.raises(NotSignedIn, match="is refused"):
            judged({**GOOD, "aud": "other", "azp": "us"})

    def test_our_own_look_at_the_audience_needs_no_library(self) -> None:
        with pytest.raises(NotSignedIn, match="for another client"):
            _explicit({**GOOD, "aud": "other", "azp": "us"}, "us")


def judged(claims: dict[str, Any]) -> Any:
    return verify(claims, header={"alg": "RS256"}, issuer="https://x", client_id="us", nonce="n", access_token="")


class TestMemoryOfASignIn:
    """Tests of the values that the browser keeps for us while it is at the provider."""

    async def test_one_that_we_did_not_sign_is_none(self, house: House) -> None:
        browser = house.browser()
        back = await at_provider(browser)
        memory = _flows([KEY]).loads(browser.cookies[FLOW])
        forged = _flows(["another key, just as long as the real one"]).dumps(memory)
        assert (await with_memory(house, forged).get(back)).status_code == 400

    async def test_an_address_elsewhere_is_not_even_remembered(self, house: House) -> None:
        browser = house.browser()
        await browser.get("/auth/login?next=//evil.test")
        assert _flows([KEY]).loads(browser.cookies[FLOW])["next"] == "/"

    async def test_an_address_is_judged_again_when_it_is_used(self, house: House) -> None:
        browser = house.browser()
        back = await at_provider(browser)
        memory = _flows([KEY]).loads(browser.cookies[FLOW])
        earlier = _flows([KEY]).dumps({**memory, "next": "//evil.test"})  # as another version of us might have
        answer = await with_memory(house, earlier).get(back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")


def with_memory(house: House, memory: object) -> httpx2.AsyncClient:
    """A browser that keeps this and nothing else."""
    browser = house.browser()
    browser.cookies.set(FLOW, str(memory))
    return browser


async def test_a_provider_that_calls_itself_otherwise_is_not_believed(build: Build, idp: Provider) -> None:
    house = build(production(oidc_issuer=idp.issuer + "/"))  # the same place, another name
    answer = await house.browser().get("/auth/login")
    assert answer.status_code == 503
    assert "error=provider_unavailable" in answer.text


async def test_a_role_is_read_anew_and_never_from_the_cookie(build: Build) -> None:
    browser = await signed_in(build(Settings()))
    value = browser.cookies["oma"]
    assert "admin" not in value
    assert CLIENT_ID not in value
    assert value.count(".") == 1, "a random value and its signature, nothing else"
