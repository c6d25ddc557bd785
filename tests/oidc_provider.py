"""A strict OpenID Connect provider for tests, on Authlib's own server classes: PKCE (S256) and nonce are required,
codes work once, redirect addresses and the client's secret are compared whole.

With one person known it signs them in at once; with several it asks who you are, as links. `twist` lets a test
change what an id_token says, or what it is.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.timeouts import START_S

ALICE = {"sub": "101", "name": "김앨리스", "email": "alice@example.com", "email_verified": True}
Token = dict[str, Any]
KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})


@dataclass
class Client(ClientMixin):  # type: ignore[misc]
    """The one client that is registered."""

    id: str
    secret: str
    redirect_uri: str

    def get_client_id(self) -> str:
        return self.id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, uri: str) -> bool:
        return uri == self.redirect_uri

    def check_client_secret(self, secret: str) -> bool:
        return secrets.compare_digest(secret, self.secret)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, kind: str) -> bool:
        return kind == "code"

    def check_grant_type(self, kind: str) -> bool:
        return kind == "authorization_code"


@dataclass
class Code:
    """An authorization code that was handed out."""

    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    person: Mapping[str, Any]
    code: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return int(time.time())

    def get_acr(self) -> None: ...

    def get_amr(self) -> None: ...


class OnlyS256(CodeChallenge):  # type: ignore[misc]
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        if not grant.request.payload.data.get("code_challenge_method"):
            raise InvalidRequestError("PKCE is required")
        super().validate_code_challenge(grant, redirect_uri)


class IdTokens(OpenIDCode):  # type: ignore[misc]
    def __init__(self, provider: "Provider") -> None:
        super().__init__(require_nonce=True)
        self.provider = provider

    def exists_nonce(self, nonce: str, _request: object) -> bool:
        return any(code.nonce == nonce for code in self.provider.codes.values())

    def resolve_client_private_key(self, _client: object) -> RSAKey:
        return self.provider.key

    def get_client_algorithm(self, _client: object) -> str:
        return "RS256"

    def get_encode_header(self, _client: object) -> dict[str, str]:
        return {"alg": "RS256", "kid": "k1"}

    def get_client_claims(self, client: Client) -> Token:
        return {"iss": self.provider.issuer, "aud": client.id}

    def generate_user_info(self, user: Mapping[str, Any], _scope: str) -> Mapping[str, Any]:
        return user


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    def save_authorization_code(self, code: str, request: Any) -> None:
        asked = request.payload.data
        self.server.provider.codes[code] = Code(
            redirect_uri=asked["redirect_uri"],
            scope=asked["scope"],
            nonce=asked["nonce"],
            code_challenge=asked["code_challenge"],
            code_challenge_method=asked["code_challenge_method"],
            person=request.user,
            code=code,
        )

    def query_authorization_code(self, code: str, _client: object) -> Code | None:
        return self.server.provider.codes.get(code)

    def delete_authorization_code(self, code: Code) -> None:
        del self.server.provider.codes[code.code]

    def authenticate_user(self, code: Code) -> Mapping[str, Any]:
        return code.person


class _Request(OAuth2Request):  # type: ignore[misc]
    """The request in the form that Authlib needs; the address is https, as it would be behind a proxy."""

    def __init__(self, method: str, args: dict[str, str], form: dict[str, str], headers: Mapping[str, str]) -> None:
        super().__init__(method, "https://provider.test", headers=headers)
        self._args, self._form = args, form
        self.payload = BasicOAuth2Payload(args | form)

    @property
    def args(self) -> dict[str, str]:
        return self._args

    @property
    def form(self) -> dict[str, str]:
        return self._form


class _Server(AuthorizationServer):  # type: ignore[misc]
    def __init__(self, provider: "Provider") -> None:
        super().__init__(scopes_supported=["openid", "email", "profile"])
        self.provider = provider
        self.register_grant(CodeGrant, [IdTokens(provider), OnlyS256(required=True)])
        self.register_token_generator("default", lambda **_: {"access_token": "at", "token_type": "Bearer"})

    def generate_token(self, *args: Any, **kwargs: Any) -> Token:
        return {**super().generate_token(*args, **kwargs), "scope": kwargs["scope"]}

    def query_client(self, id: str) -> Client | None:
        return self.provider.client if id == self.provider.client.id else None

    def save_token(self, token: object, request: object) -> None: ...

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None: ...

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: object, headers: list[tuple[str, str]]) -> Response:
        made = JSONResponse(body, status) if isinstance(body, dict) else Response(str(body), status)
        made.headers.update(dict(headers))
        return made


@dataclass
class Provider:
    """The state of the provider that a test may read and change while it runs."""

    issuer: str
    client: Client
    people: list[Mapping[str, Any]] = field(default_factory=lambda: [ALICE])
    twist: Callable[[Token], Token] | None = None
    key: RSAKey = field(default_factory=lambda: KEY)
    codes: dict[str, Code] = field(default_factory=dict)
    names_itself: bool = False  # promises an `iss` in its answers, and sends none

    def reset(self) -> None:
        """Restore the state of the start."""
        self.people, self.twist, self.key, self.names_itself = [ALICE], None, KEY, False
        self.codes.clear()

    def app(self) -> Starlette:
        server = _Server(self)

        async def about(_request: Request) -> Response:
            ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token")}
            return JSONResponse(
                {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks", **ends}
                | {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
                | ({"authorization_response_iss_parameter_supported": True} if self.names_itself else {})
            )

        async def jwks(_request: Request) -> Response:
            return JSONResponse(KeySet([self.key]).as_dict(private=False))

        async def authorization(request: Request) -> Response:
            asked = dict(request.query_params)
            who = asked.pop("as", "0" if len(self.people) == 1 else "")
            if not who:
                links = (
                    f'<a href="?{urlencode(asked | {"as": n})}">{p["name"]}</a>' for n, p in enumerate(self.people)
                )
                return HTMLResponse("<br>".join(links))
            try:
                made = _Request("GET", asked, {}, dict(request.headers))
                grant = server.get_consent_grant(made, self.people[int(who)])
            except OAuth2Error as error:
                return JSONResponse({"error": error.error, "error_description": error.description}, 400)
            response: Response = server.create_authorization_response(
                made, grant_user=self.people[int(who)], grant=grant
            )
            return response

        async def token(request: Request) -> Response:
            form = {name: str(value) for name, value in (await request.form()).items()}
            headers = {name.title(): value for name, value in request.headers.items()}
            response: Response = server.create_token_response(_Request("POST", {}, form, headers))
            if self.twist and response.status_code == 200:
                response = JSONResponse(self.twist(json.loads(bytes(response.body))))
            return response

        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", about),
                Route("/jwks", jwks),
                Route("/authorization", authorization),
                Route("/token", token, methods=["POST"]),
            ]
        )


@contextmanager
def provider(*, port: int, client_id: str, client_secret: str, redirect_uri: str) -> Iterator[Provider]:
    """A provider on loopback, in a thread, while the context is open."""
    running = Provider(
        issuer=f"http://127.0.0.1:{port}",
        client=Client(id=client_id, secret=client_secret, redirect_uri=redirect_uri),
    )
    server = uvicorn.Server(uvicorn.Config(running.app(), port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + START_S
    while not server.started and time.monotonic() < end:
        time.sleep(0.01)
    try:
        yield running
    finally:
        server.should_exit = True
        thread.join(START_S)
