"""The client of one OpenID Connect provider, by Authlib: its metadata, the redirect to it, and the callback."""

import asyncio
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from auth.claims import Identity, verify
from core.config.settings import Secret
from core.domain.errors import NotSignedIn, Unavailable

SCOPE = "openid email profile"
TIMEOUT_S = 10.0
FRESH_S = 3600.0  # the provider's own description and keys are fetched again after this
LONGEST_TOKEN = 65_536
# A symmetric algorithm would make our client secret a signing key, and `none` is no signature.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The values of one sign-in that are needed again when the browser returns."""

    state: str
    nonce: str
    verifier: str


class OidcProvider:
    """Authorization code flow with PKCE, state and nonce; the answer is believed only after auth.claims."""

    def __init__(self, *, issuer: str, client_id: str, client_secret: Secret, redirect_uri: str) -> None:
        self.issuer, self._client_id, self._secret = issuer, client_id, client_secret
        self._redirect_uri = redirect_uri
        self._known: tuple[float, dict[str, Any]] = (0.0, {})
        self._keys: tuple[float, dict[str, Any]] = (0.0, {})
        self._asking = asyncio.Lock()  # concurrent sign-ins share one request for the provider's metadata

    async def begin(self) -> tuple[str, Flow]:
        """Return the address to redirect to, and the values to keep meanwhile. Raises: Unavailable."""
        flow = Flow(
            state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48)
        )
        about = await self._about()
        async with self._client(about) as client:
            url, _ = client.create_authorization_url(
                about["authorization_endpoint"], state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
            )
        return str(url), flow

    async def names_itself(self) -> bool:
        """Return whether the provider promises an `iss` in each answer (RFC 9207). Raises: Unavailable."""
        return (await self._about()).get("authorization_response_iss_parameter_supported") is True

    async def finish(self, flow: Flow, code: str) -> Identity:
        """Exchange the code for an identity. Raises: NotSignedIn: the provider or we refuse. Unavailable."""
        about = await self._about()
        token = await self._exchange(about, flow, code)
        id_token = token.get("id_token")
        if not isinstance(id_token, str) or not 0 < len(id_token) <= LONGEST_TOKEN:
            raise NotSignedIn("the provider sent no id_token", code="bad_id_token")
        claims, header = await self._decode(about, id_token)
        return verify(
            claims,
            header=header,
            issuer=self.issuer,
            client_id=self._client_id,
            nonce=flow.nonce,
            access_token=str(token.get("access_token", "")),
        )

    async def _exchange(self, about: Mapping[str, Any], flow: Flow, code: str) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(TIMEOUT_S), self._client(about) as client:
                token: Mapping[str, Any] = await client.fetch_token(
                    about["token_endpoint"], grant_type="authorization_code", code=code, code_verifier=flow.verifier
                )
                return token
        except OAuthError as error:
            raise NotSignedIn(f"the provider refuses the code: {error.error}", code="code_refused") from error
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            raise Unavailable("the sign-in provider does not answer", code="provider_unavailable") from error

    async def _decode(self, about: Mapping[str, Any], id_token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return claims and header after checking the signature with the provider's keys."""
        offered = about.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=sorted(ALGORITHMS.intersection(offered)), strict_check_header=False)
        for again in (False, True):
            try:
                keys = KeySet.import_key_set(await self._key_set(about, again=again))
                token = jwt.decode(id_token, keys, registry=registry)
            except InvalidKeyIdError as error:  # it may have changed its keys a moment ago
                if again:
                    raise NotSignedIn("the id_token's key is unknown", code="bad_id_token") from error
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise NotSignedIn(f"the id_token does not verify: {error}", code="bad_id_token") from error
            else:
                return token.claims, token.header
        raise AssertionError("the loop above returns or raises")

    async def _about(self) -> dict[str, Any]:
        async with self._turn():
            at, known = self._known
            if not known or time.monotonic() - at > FRESH_S:
                known = await self._fetch(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if known.get("issuer") != self.issuer:
                    raise Unavailable(
                        f"the provider calls itself {known.get('issuer')!r} and not OMA_OIDC_ISSUER {self.issuer!r}",
                        code="provider_unavailable",
                    )
                self._known = (time.monotonic(), known)
            return known

    async def _key_set(self, about: Mapping[str, Any], *, again: bool) -> Any:
        async with self._turn():
            at, keys = self._keys
            if not keys or again or time.monotonic() - at > FRESH_S:
                keys = await self._fetch(str(about["jwks_uri"]))
                self._keys = (time.monotonic(), keys)
            return keys

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Allow one request to the provider at a time. Raises: Unavailable: earlier ones got no answer."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._asking.acquire()
        except TimeoutError as error:
            raise Unavailable("the sign-in provider does not answer", code="provider_unavailable") from error
        try:
            yield
        finally:
            self._asking.release()

    async def _fetch(self, url: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(TIMEOUT_S), httpx2.AsyncClient(timeout=TIMEOUT_S, verify=_tls()) as client:
                answer = (await client.get(url)).raise_for_status().json()
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the sign-in provider does not answer: {url}", code="provider_unavailable") from error
        if not isinstance(answer, dict):
            raise Unavailable(f"the sign-in provider answers oddly: {url}", code="provider_unavailable")
        return answer

    def _client(self, about: Mapping[str, Any]) -> Any:
        methods = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        return AsyncOAuth2Client(  # type: ignore[no-untyped-call]
            self._client_id,
            str(self._secret),
            token_endpoint_auth_method=method if self._secret else "none",
            scope=SCOPE,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
            verify=_tls(),
        )


@cache
def _tls() -> ssl.SSLContext:
    """Return the TLS context. It is read once, because reading it blocks all pages for some 50 ms."""
    return httpx2.create_ssl_context()
