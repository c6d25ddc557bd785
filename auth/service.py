"""Puts sign-in together for one web process, and offers it to pages and API."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from fastapi import FastAPI
from itsdangerous import URLSafeTimedSerializer
from starlette.requests import Request

from auth.access_lists import enforce
from auth.cookies import Cookies
from auth.guard import Guard, Page, current_origin, current_user
from auth.headers import SecurityHeaders
from auth.local import LocalLinks
from auth.logins import Logins
from auth.oidc import OidcProvider
from auth.rate import RateLimiter
from auth.routes import LANDING, ByLink, ByProvider, SignIn
from auth.site import LOOPBACK, Site
from auth.sockets import SocketGuard, watch
from core.config.settings import Settings
from core.domain.audit import AuditAction, RequestOrigin
from core.domain.errors import Misconfigured, NotFound, NotSignedIn
from core.domain.records import SYSTEM, Login, User, UserId
from core.lib.tasks import Tasks
from core.services.audit import Audit
from core.store import Store

WATCH_S = 1.0  # a login that ended in another process loses its sockets within 2 s


class AuthService:
    """The interface of sign-in for pages, API and `main.py`."""

    def __init__(
        self,
        *,
        store: Store,
        logins: Logins,
        sockets: SocketGuard,
        links: LocalLinks | None,
        methods: tuple[str, ...],
        audit: Audit,
        settings: Settings,
    ) -> None:
        self._store, self.logins, self.sockets, self._links, self._audit = store, logins, sockets, links, audit
        self._settings = settings
        self.sign_in_methods = methods

    def current(self) -> User:
        """Return the signed-in user of the page that is being rendered. Raises: NotSignedIn."""
        user = current_user.get()
        if user is None:
            raise NotSignedIn("sign in first")
        return user

    def user_of(self, request: Request) -> User:
        """Return the signed-in user of this request. Raises: NotSignedIn."""
        return user_of(request)

    async def prefer(self, user: User, *, locale: str = "", theme: str = "") -> None:
        """Remember the language or theme the user chose (empty: leave it as it is)."""
        chosen: dict[str, Any] = {name: value for name, value in (("locale", locale), ("theme", theme)) if value}
        if chosen:
            self.logins.refresh(await self._store.change(User, user.id, owner=SYSTEM, **chosen))

    def login_of(self, request: Request) -> str:
        """Return the id of this request's login; empty for strangers."""
        return str((request.scope.get("state") or {}).get("login", ""))

    async def devices(self, user: UserId) -> list[Login]:
        """Return the user's logins, one per device, last seen first."""
        return await self.logins.list_for(user)

    async def sign_out(self, login: str, *, user: UserId) -> None:
        """End one of the user's logins and its sockets. Raises: NotFound: there is no such one, or not theirs."""
        if login not in {one.id for one in await self.logins.list_for(user)}:
            raise NotFound("no such login")
        await self.logins.revoke(login)
        await self._audit.record(AuditAction.LOGIN_REVOKED, who=user, about=login[:12])

    async def sign_out_everywhere(self, user: UserId) -> None:
        """End all logins of the user, including the present one."""
        await self._audit.record(AuditAction.LOGIN_REVOKED, who=user, detail="all")
        await self.logins.revoke_all(user)

    def local_link(self) -> str:
        """Return a new link that works once. Raises: NotFound: there is no local sign-in in production."""
        if self._links is None:
            raise NotFound("no local sign-in")
        return self._links.make(LANDING)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Apply the access lists once, then close the sockets of logins that end, while the context is open."""
        tasks, lists = Tasks(), enforce(self._settings, store=self._store, logins=self.logins, audit=self._audit)
        tasks.spawn(lists, "hold to the lists")
        tasks.spawn(watch(self.sockets, self._check, every_s=WATCH_S), "watch logins")
        try:
            yield
        finally:
            await tasks.cancel()

    async def _check(self, login: str, active: bool) -> str | None:
        signed = await self.logins.check(login, active=active, fresh=True)
        return None if signed is None else str(signed.user.role)


def user_of(request: Request) -> User:
    """The signed-in user of this request. Raises: NotSignedIn."""
    user = (request.scope.get("state") or {}).get("user")
    if not isinstance(user, User):
        raise NotSignedIn("sign in first")
    return user


def check(settings: Settings) -> None:
    """Check the settings of sign-in before anything is opened. Raises: Misconfigured."""
    _provider(settings, Site(settings))
    _links(settings)


def request_origin() -> RequestOrigin:
    """Return address and device of the request that is being answered, for the audit log."""
    return current_origin.get() or RequestOrigin()


def install(
    app: FastAPI,
    settings: Settings,
    store: Store,
    keys: Sequence[str],
    *,
    audit: Audit | None = None,
    page: Page | None = None,
) -> AuthService:
    """Put guards, headers and routes onto `app`, before NiceGUI is mounted.

    The first of `keys` signs; `page` builds the page for a refused person. Raises: Misconfigured.
    """
    site, jar = Site(settings), Cookies(secure=settings.url.startswith("https://"))
    logins, sockets = Logins(store, keys), SocketGuard()
    provider, links = _provider(settings, site), _links(settings)
    logins.on_end(sockets.end)
    sockets.install()
    audit = audit or Audit(store, request_origin=request_origin)
    sign_in = SignIn(store=store, jar=jar, logins=logins, audit=audit)
    routes = sign_in.routes()
    if links:
        routes += ByLink(sign_in, links, site=site).routes()
    if provider:
        flows = _flows(keys)
        routes += ByProvider(sign_in, provider, settings=settings, store=store, jar=jar, flows=flows).routes()
    app.router.routes[:0] = routes
    upload_bytes = settings.upload_mb * 2**20
    app.add_middleware(
        Guard, site=site, jar=jar, logins=logins, rates=RateLimiter(), page=page, upload_bytes=upload_bytes
    )
    app.add_middleware(SecurityHeaders, site=site)  # added last: outermost
    methods = tuple(name for name, there in (("local", links), ("oidc", provider)) if there)
    return AuthService(
        store=store, logins=logins, sockets=sockets, links=links, methods=methods, audit=audit, settings=settings
    )


def _flows(keys: Sequence[str]) -> URLSafeTimedSerializer:
    """Return the serializer that signs a sign-in's values in the browser while it is at the provider."""
    how = {"key_derivation": "hmac", "digest_method": sha256}
    return URLSafeTimedSerializer(list(reversed(keys)), salt="oma-flow", signer_kwargs=how)


def _provider(settings: Settings, site: Site) -> OidcProvider | None:
    if not settings.oidc_client_id:
        return None
    issuer = settings.oidc_issuer
    host = issuer.partition("://")[2].partition("/")[0]
    if not issuer.startswith("https://") and not (issuer.startswith("http://") and site.loopback(host)):
        raise Misconfigured("OMA_OIDC_ISSUER must begin with https://")
    return OidcProvider(
        issuer=issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        redirect_uri=f"{site.url}/auth/callback",
    )


def _links(settings: Settings) -> LocalLinks | None:
    """Return the local sign-in, for one person on one machine; None in production. Raises: Misconfigured: another
    machine could reach it.
    """
    if settings.production:
        return None
    if settings.host not in LOOPBACK | {"::1"}:
        raise Misconfigured(
            f"OMA_HOST is {settings.host}: local mode listens on 127.0.0.1 only; for others set OMA_ENV=production"
        )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return LocalLinks(f"http://{host}:{settings.port}")
