"""Identifies callers of the gateway: a box by its connection, a session in it by its token."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from core.domain.errors import NotSignedIn
from core.domain.records import UserId
from core.gateway.box_limits import BoxLimits
from core.protocol import tokens

RUNNER_TOKEN_S = 60  # a runner signs each of its calls
MODEL_TOKEN_S = 24 * 3600  # a CLI lives shorter than this; its runner asks for a new one at every start


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The box that calls, its user, and the key that only its runner has."""

    box: str
    user: UserId
    key: str = field(repr=False)
    limits: BoxLimits = field(default_factory=BoxLimits)

    @property
    def audience(self) -> str:
        """The audience of the tokens of this box's sessions: they are valid nowhere else."""
        return f"model:{self.box}"


class Callers(Protocol):
    """Finds the box that a request comes from."""

    def caller(self, request: web.Request) -> Caller:
        """Return the box that sent this request, by its connection only. Raises: Unavailable: it is gone."""


def verify_runner(token: str, *, caller: Caller) -> None:
    """Check that the box's runner signed this token. Raises: NotSignedIn: another program in the box made the call."""
    tokens.verify(token, key=caller.key, audience=tokens.box_audience(caller.box), max_age_s=RUNNER_TOKEN_S)


def verified_claims(token: str, *, caller: Caller, keys: Sequence[str]) -> dict[str, Any]:
    """Return the claims of a session's token that one of the keys has signed.

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
            return tokens.verify(token, key=key, audience=audience, max_age_s=MODEL_TOKEN_S)
    return tokens.verify(token, key=last, audience=audience, max_age_s=MODEL_TOKEN_S)
