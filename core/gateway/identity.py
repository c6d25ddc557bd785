"""Who speaks to the gateway: a box by the way it comes, a session in it by its token."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from core.domain.errors import NotSignedIn
from core.domain.records import UserId
from core.gateway.box_limits import BoxLimits
from core.protocol import tokens

OWN_S = 60  # a runner signs each of its calls
TOKEN_S = 24 * 3600  # a CLI lives shorter than this; its runner asks for a new one at every start


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose box it is that speaks, and the key that its runner alone has in there."""

    box: str
    user: UserId
    key: str = field(repr=False)
    room: BoxLimits = field(default_factory=BoxLimits)

    @property
    def audience(self) -> str:
        """What tokens of this box's sessions are made for: elsewhere they are noise."""
        return f"model:{self.box}"


class Callers(Protocol):
    """Knows all boxes that may speak."""

    def caller(self, request: web.Request) -> Caller:
        """The box that sent this, by its connection and by nothing it says. Raises: Unavailable: it is gone."""


def prove_runner(token: str, *, caller: Caller) -> None:
    """It is the box's runner that speaks, and no program beside it. Raises: NotSignedIn."""
    tokens.verify(token, key=caller.key, audience=tokens.box_audience(caller.box), max_age_s=OWN_S)


def claims_of(token: str, *, caller: Caller, keys: Sequence[str]) -> dict[str, Any]:
    """Whose session in this box speaks, by a token that one of the keys has signed.

    Raises: NotSignedIn: forged, too old, another box's or another user's.
    """
    claims = _verified(token, caller.audience, keys)
    if claims.get("user") != caller.user:
        raise NotSignedIn("the token is another user's", code="bad_token")
    return claims


def _verified(token: str, audience: str, keys: Sequence[str]) -> dict[str, Any]:
    *earlier, last = keys
    for key in earlier:
        with contextlib.suppress(NotSignedIn):
            return tokens.verify(token, key=key, audience=audience, max_age_s=TOKEN_S)
    return tokens.verify(token, key=last, audience=audience, max_age_s=TOKEN_S)
