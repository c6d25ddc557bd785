"""Short signed words between our own processes: who is speaking, to whom, until when.

Signed by itsdangerous with a salt that names purpose and audience, so that a token for one runner is noise to every
other. Nothing in them is secret; nothing in them is believed after `max_age_s`.
"""

from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from core.errors import NotSignedIn

RUNNER_TOKEN_S = 60  # the web makes a new one for every connection


def sign(claims: dict[str, Any], *, key: str, audience: str) -> str:
    """`claims` as a URL-safe token for `audience` (for example `runner:<id>` or `model:<runner id>`)."""
    return URLSafeTimedSerializer(key, salt=audience).dumps(claims)


def verify(token: str, *, key: str, audience: str, max_age_s: int) -> dict[str, Any]:
    """The claims of a token made for this audience not longer ago than `max_age_s`.

    Raises: NotSignedIn: forged, for somebody else, or too old.
    """
    try:
        claims = URLSafeTimedSerializer(key, salt=audience).loads(token, max_age=max_age_s)
    except BadSignature as error:
        raise NotSignedIn("the token does not verify", code="bad_token") from error
    if not isinstance(claims, dict):
        raise NotSignedIn("the token is not a set of claims", code="bad_token")
    return claims
