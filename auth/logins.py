"""Login sessions, kept in the store. The browser holds only a signed random id."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_urlsafe

from itsdangerous import BadSignature, Signer

from core.domain.errors import NotFound
from core.domain.records import SYSTEM, Login, User, UserId, now
from core.store import Store

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)  # `seen_at` is written at most so often
CACHE_S = 1.0  # a cached login is believed this long, because another process may end it
CACHED = 4096
PER_USER = 1000  # login records of one user that are read together


@dataclass(frozen=True, slots=True)
class Signed:
    """A valid login and its user."""

    login: Login
    user: User


class Logins:
    """Start, find and end logins. Expiry is decided here, never by the cookie."""

    def __init__(self, store: Store, keys: Sequence[str], *, clock: Callable[[], datetime] = now) -> None:
        self._store, self._clock = store, clock
        # the first key signs, all verify; itsdangerous wants the signing one last
        self._signer = Signer(list(reversed(keys)), salt="oma-login", key_derivation="hmac", digest_method=sha256)
        self._cache: OrderedDict[str, tuple[float, Signed]] = OrderedDict()
        self._watchers: list[Callable[[str], None]] = []

    def on_end(self, watcher: Callable[[str], None]) -> None:
        """Call `watcher` with the id of every login that ends in this process, at once."""
        self._watchers.append(watcher)

    async def start(self, user: User, *, address: str = "", device: str = "", instead_of: str = "") -> str:
        """Start a login and return the cookie's value. The login of the cookie `instead_of` ends."""
        if old := self._id(instead_of):
            await self.revoke(old)
        await self._forget_dead(UserId(user.id))
        value, at = token_urlsafe(32), self._clock()
        login = Login(
            id=_digest(value),
            user=UserId(user.id),
            created_at=at,
            seen_at=at,
            expires_at=at + ABSOLUTE,
            address=address[:64],
            device=device[:200],
        )
        await self._store.create(login, owner=SYSTEM)
        return self._signer.sign(value).decode()

    async def find(self, cookie: str) -> Signed | None:
        """Return the valid login of this cookie, and count the request as activity."""
        id = self._id(cookie)
        return await self.check(id) if id else None

    async def check(self, id: str, *, active: bool = True, fresh: bool = False) -> Signed | None:
        """Return the login if it is valid. `active`: its user did something now. `fresh`: read it from the store."""
        cached = self._cache.get(id)
        if cached and not fresh and time.monotonic() - cached[0] < CACHE_S:
            signed = cached[1]
        else:
            found = await self._read(id)
            if found is None:
                return None
            signed = found
        at = self._clock()
        if not _alive(signed, at):
            self._cache.pop(id, None)
            return None
        if active and at - signed.login.seen_at >= SEEN_EVERY:
            try:
                login = await self._store.change(Login, id, owner=SYSTEM, seen_at=at)
            except NotFound:
                return None
            signed = Signed(login, signed.user)
            self._remember(signed)
        return signed

    async def revoke(self, id: str) -> None:
        """End one login, here at once and in other processes within CACHE_S."""
        try:
            await self._store.change(Login, id, owner=SYSTEM, revoked=True)
        except NotFound:
            pass
        self._cache.pop(id, None)
        for watcher in self._watchers:
            watcher(id)

    async def list_for(self, user: UserId) -> list[Login]:
        """Return the user's valid logins, last seen first."""
        at = self._clock()
        found = await self._store.find(Login, owner=SYSTEM, where={"user": user}, newest_by="seen_at", limit=PER_USER)
        return [login for login in found if not (login.revoked or _over(login, at))]

    async def revoke_all(self, user: UserId, *, but: str = "") -> None:
        """End all logins of a user, except for `but`."""
        while True:
            found = await self._store.find(Login, owner=SYSTEM, where={"user": user, "revoked": False}, limit=PER_USER)
            for login in found:
                if login.id != but:
                    await self.revoke(login.id)
            if len(found) < PER_USER:
                return

    def refresh(self, user: User) -> None:
        """Drop the cached copies of a user whose record has changed."""
        for id in [id for id, (_, signed) in self._cache.items() if signed.user.id == user.id]:
            del self._cache[id]

    async def _read(self, id: str) -> Signed | None:
        try:
            login = await self._store.get(Login, id, owner=SYSTEM)
            user = await self._store.get(User, login.user, owner=SYSTEM)
        except NotFound:
            self._cache.pop(id, None)
            return None
        signed = Signed(login, user)
        self._remember(signed)
        return signed

    def _remember(self, signed: Signed) -> None:
        self._cache[signed.login.id] = (time.monotonic(), signed)
        self._cache.move_to_end(signed.login.id)
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    async def _forget_dead(self, user: UserId) -> None:
        at = self._clock()
        for login in await self._store.find(Login, owner=SYSTEM, where={"user": user}, limit=PER_USER):
            if login.revoked or _over(login, at):
                await self._store.delete(Login, login.id, owner=SYSTEM)

    def _id(self, cookie: str) -> str:
        """Return the login's id in the store; empty if we did not sign this cookie."""
        try:
            return _digest(self._signer.unsign(cookie).decode())
        except (BadSignature, UnicodeError):
            return ""


def _digest(value: str) -> str:
    return sha256(value.encode()).hexdigest()


def _over(login: Login, at: datetime) -> bool:
    return at >= login.expires_at or at - login.seen_at >= IDLE


def _alive(signed: Signed, at: datetime) -> bool:
    return not (signed.login.revoked or signed.user.disabled or _over(signed.login, at))
