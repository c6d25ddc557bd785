"""Short-lived signed tokens between our own processes: they name the caller and the audience.

They are signed by itsdangerous with a salt that names purpose and audience, so that a token for one runner is invalid
for every other. Nothing in them is secret; none is accepted after `max_age_s`.
"""

from datetime import UTC, datetime
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from core.domain.errors import NotSignedIn

RUNNER_TOKEN_S = 60  # the web signs a new one for every connection
SKEW_S = 5  # the clocks of two machines; and times in tokens are whole seconds


def boot_audience(pod: str = "") -> str:
    """Return the audience of the token that binds an unbound runner; with a pod's name if all pods share a boot key."""
    return f"runner:boot:{pod}" if pod else "runner:boot"


def box_audience(box: str) -> str:
    """Return the audience of a runner's own calls. Other programs in the box share its connection to the gateway."""
    return f"gateway:own:{box}"


def sign(claims: dict[str, Any], *, key: str, audience: str) -> str:
    """Return `claims` as a URL-safe token for `audience` (for example `runner:<id>` or `model:<runner id>`)."""
    return URLSafeTimedSerializer(key, salt=audience).dumps(claims)


def verify(token: str, *, key: str, audience: str, max_age_s: int) -> dict[str, Any]:
    """Return the claims of a token that was made for this audience at most `max_age_s` seconds ago.

    Raises: NotSignedIn: it is forged, for another audience, or too old.
    """
    try:
        claims, made_at = URLSafeTimedSerializer(key, salt=audience).loads(token, return_timestamp=True)
    except BadSignature as error:
        raise NotSignedIn("the token does not verify", code="bad_token") from error
    age_s = (datetime.now(UTC) - made_at).total_seconds()
    if not -SKEW_S <= age_s <= max_age_s:
        raise NotSignedIn("the token is too old, or of the future", code="bad_token")
    if not isinstance(claims, dict):
        raise NotSignedIn("the token is not a set of claims", code="bad_token")
    return claims


def unproven(token: str) -> dict[str, Any]:
    """Return the claims of a token without verifying it, only to find the key that verifies it."""
    _, claims = URLSafeTimedSerializer("").loads_unsafe(token)
    return claims if isinstance(claims, dict) else {}
