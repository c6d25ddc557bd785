"""Signing in and out over plain HTTP, because a socket cannot set cookies.

A failed sign-in sends the browser on to `/login?error=<code>`, where a sentence waits; one at the provider answers
with its status besides.
"""

import logging
from html import escape
from secrets import compare_digest, token_urlsafe
from urllib.parse import urlencode

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from auth.accounts import OWNER, upsert_user
from auth.claims import Identity, admit, is_admin
from auth.cookies import FLOW_S, LOGIN_S, Cookies
from auth.local import LocalLinks
from auth.logins import Logins
from auth.oidc import Flow, OidcProvider
from auth.safe_redirect import safe_next
from auth.site import Site
from core.config.settings import Settings
from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Forbidden, NotFound, NotSignedIn, PlatformError
from core.domain.records import user_id
from core.services.audit import Audit
from core.store import Store

log = logging.getLogger("oma.auth")
LANDING = "/dashboard"
VIEWPORT = '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'


class SignIn:
    """The common part of both kinds of sign-in, and the sign-out."""

    def __init__(self, *, store: Store, jar: Cookies, logins: Logins, audit: Audit) -> None:
        self._store, self._jar, self._logins, self._audit = store, jar, logins, audit

    def routes(self) -> list[Route]:
        return [Route("/auth/logout", self.logout, methods=["POST"])]

    async def logout(self, request: Request) -> Response:
        """End this login and its sockets. (The guard has checked that the request comes from our own page.)"""
        state = request.scope["state"]
        if login := state.get("login"):
            await self._logins.revoke(login)
            await self._audit.record(AuditAction.SIGN_OUT, who=state["user"].id)
        response = RedirectResponse("/login", 303)
        response.raw_headers.append(self._jar.clear(self._jar.login))
        return response

    async def enter(self, request: Request, identity: Identity, *, admin: bool, target: str) -> Response:
        """Start a login with a new id, whatever the browser held before. Raises: Forbidden: disabled."""
        try:
            user = await upsert_user(self._store, identity, admin=admin)
        except Forbidden as error:
            await self.refused(identity, error)
            raise
        self._logins.refresh(user)
        cookie = await self._logins.start(
            user,
            address=request.scope["state"]["address"],
            device=request.headers.get("user-agent", ""),
            instead_of=request.cookies.get(self._jar.login, ""),
        )
        await self._audit.record(AuditAction.SIGN_IN, who=user.id)
        log.info("signed in: %s", user.id)
        # nosemgrep: open-redirect  # callers have asked safe_next
        response = RedirectResponse(target, 303)
        response.raw_headers.append(self._jar.set(self._jar.login, cookie, max_age_s=LOGIN_S))
        return response

    async def refused(self, identity: Identity, error: Forbidden) -> None:
        """Record that the provider knows somebody who may not sign in, so that administrators learn of it."""
        about = user_id(identity.issuer, identity.subject)
        await self._audit.record(
            AuditAction.SIGN_IN_REFUSED, about=about, detail=f"{error.code} {identity.email}".strip()
        )


class ByProvider:
    """`/auth/login` and `/auth/callback`."""

    def __init__(
        self,
        sign_in: SignIn,
        provider: OidcProvider,
        *,
        settings: Settings,
        store: Store,
        jar: Cookies,
        flows: URLSafeTimedSerializer,
    ) -> None:
        self._sign_in, self._provider, self._settings = sign_in, provider, settings
        self._store, self._jar, self._flows = store, jar, flows

    def routes(self) -> list[Route]:
        return [
            Route("/auth/login", self.login, methods=["GET"]),
            Route("/auth/callback", self.callback, methods=["GET"]),
        ]

    async def login(self, request: Request) -> Response:
        """Redirect to the provider."""
        try:
            url, flow = await self._provider.begin()
        except PlatformError as error:
            return failed(error)
        memory = {
            "state": flow.state,
            "nonce": flow.nonce,
            "verifier": flow.verifier,
            "next": safe_next(request.query_params.get("next")),
        }
        response = RedirectResponse(url, 303)
        response.raw_headers.append(self._jar.set(self._jar.flow, self._flows.dumps(memory), max_age_s=FLOW_S))
        return response

    async def callback(self, request: Request) -> Response:
        """Finish the sign-in when the browser returns from the provider."""
        if request.method != "GET":  # Starlette adds HEAD, which must not use the sign-in up
            return Response(status_code=405, headers={"Allow": "GET"})
        try:
            flow, target = await self._flow(request)
            identity = await self._provider.finish(flow, request.query_params["code"])
            await self._admit(identity)
            admin = is_admin(identity, self._settings)
            response = await self._sign_in.enter(request, identity, admin=admin, target=target)
        except PlatformError as error:
            response = failed(error)
        response.raw_headers.append(self._jar.clear(self._jar.flow))
        return response

    async def _admit(self, identity: Identity) -> None:
        """Raises: Forbidden."""
        try:
            admit(identity, self._settings)
        except Forbidden as error:
            await self._sign_in.refused(identity, error)
            raise

    async def _flow(self, request: Request) -> tuple[Flow, str]:
        """Return the sign-in that this browser began, once.

        Raises: BadInput: it did not begin here, began too long ago, or was used already.
        """
        given = request.query_params
        try:
            memory = self._flows.loads(request.cookies.get(self._jar.flow, ""), max_age=FLOW_S)
        except BadSignature as error:
            raise BadInput("no sign-in under way in this browser", code="bad_state") from error
        if not compare_digest(memory["state"].encode(), given.get("state", "").encode()):
            raise BadInput("the state is another one", code="bad_state")
        if not await self._store.claim(f"sign-in/{memory['state']}", holder=token_urlsafe(8), lease_s=FLOW_S):
            raise BadInput("this sign-in was used already", code="bad_state")
        if "iss" not in given and await self._provider.names_itself():
            raise BadInput("the provider says that it names itself, and did not", code="bad_state")
        if given.get("iss", self._settings.oidc_issuer) != self._settings.oidc_issuer:
            raise BadInput("another provider answered", code="bad_state")
        if "error" in given or not given.get("code"):
            raise BadInput("the provider did not sign you in", code="declined")
        flow = Flow(state=memory["state"], nonce=memory["nonce"], verifier=memory["verifier"])
        return flow, landing(memory["next"])


class ByLink:
    """`/auth/local`, only for browsers on this machine."""

    def __init__(self, sign_in: SignIn, links: LocalLinks, *, site: Site) -> None:
        self._sign_in, self._links, self._site = sign_in, links, site

    def routes(self) -> list[Route]:
        return [
            Route("/auth/local", self.redeem_link, methods=["GET"]),
            Route("/auth/local/link", self.print_link, methods=["POST"]),
        ]

    async def redeem_link(self, request: Request) -> Response:
        """Redeem the printed link. A browser that is signed in already is sent to the dashboard."""
        if request.method != "GET":  # Starlette adds HEAD, which must not use the link up
            return Response(status_code=405)
        try:
            self._here(request)
            if target := self._links.redeem(request.query_params.get("code", "")):
                return await self._sign_in.enter(request, OWNER, admin=True, target=target)
            if "user" in request.scope["state"]:
                return RedirectResponse(LANDING, 303)
            raise BadInput("this link was used or is too old", code="link_used")
        except BadInput as error:
            log.warning("sign-in refused: %s", error)
            return RedirectResponse(f"/login?{urlencode({'error': error.code})}", 303)
        except PlatformError as error:
            return failed(error)

    async def print_link(self, request: Request) -> Response:
        """Print a fresh link where only the owner sees it; it leads to `?next=`."""
        try:
            self._here(request)
        except NotFound as error:
            return failed(error)
        wanted = request.query_params.get("next")
        print(f"Oh My Agent: {self._links.make(landing(wanted))}", flush=True)
        kept = {"next": safe_next(wanted)} if wanted else {}
        return RedirectResponse(f"/login?{urlencode({'link': 'printed', **kept})}", 303)

    def _here(self, request: Request) -> None:
        """Raises: NotFound: the browser uses another name than this computer's own."""
        if not self._site.loopback(request.headers.get("host", "")):
            raise NotFound("local sign-in under another name of this computer", code="wrong_host")


def landing(wanted: str | None) -> str:
    """Return the path of ours to go to after a sign-in; the dashboard where nothing else was wanted."""
    target = safe_next(wanted)
    return LANDING if target == "/" else target


def failed(error: PlatformError) -> Response:
    """Return a page that leads to /login. It quotes nothing that the browser sent: a code may still be valid."""
    log.warning("sign-in refused: %s", error)
    status = 400 if isinstance(error, BadInput | NotSignedIn) else error.status
    target = escape(f"/login?{urlencode({'error': error.code})}")
    page = f'<!doctype html><meta charset="utf-8">{VIEWPORT}<meta http-equiv="refresh" content="0; url={target}">'
    return HTMLResponse(f'{page}<a href="{target}">/login</a>', status)
