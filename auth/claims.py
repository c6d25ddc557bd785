"""Checks the claims of an id_token, reads the identity from them, and applies the access lists."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError

from core.config.checks import EVERYBODY
from core.config.settings import Settings
from core.domain.errors import Forbidden, NotSignedIn
from core.domain.records import GOOGLE

LEEWAY_S = 60  # between the provider's clock and ours
SUBJECT = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")  # OpenID Connect: at most 255 ASCII characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The identity of a person, as the provider vouches for it. `email` is empty unless the provider verified it."""

    issuer: str
    subject: str
    email: str = ""
    name: str = ""
    picture: str = ""
    hosted_domain: str = ""


def verify(
    claims: Mapping[str, Any], *, header: Mapping[str, Any], issuer: str, client_id: str, nonce: str, access_token: str
) -> Identity:
    """The identity in an id_token whose signature was checked.

    Authlib alone would take `aud` of another client with our `azp`, and a number for a subject.
    Raises: NotSignedIn: it is not for us, not for this sign-in, or not valid now.
    """
    options: dict[str, Any] = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "iat": {"essential": True},
        "nonce": {"essential": True, "value": nonce},
    }
    params = {"client_id": client_id, "nonce": nonce, "access_token": access_token}
    try:
        CodeIDToken(dict(claims), dict(header), options, params).validate(leeway=LEEWAY_S)  # type: ignore[no-untyped-call]
    except (JoseError, TypeError, ValueError, AttributeError) as error:  # claims are of any JSON type
        raise NotSignedIn(f"the id_token is refused: {error}", code="bad_id_token") from error
    _explicit(claims, client_id)
    return _identity(claims, issuer)


def _explicit(claims: Mapping[str, Any], client_id: str) -> None:
    """Repeat the checks that must not depend on the version of the library."""
    audience, party = claims["aud"], claims.get("azp")
    if not isinstance(claims["sub"], str) or not SUBJECT.fullmatch(claims["sub"]):
        raise NotSignedIn("the id_token's subject is odd", code="bad_id_token")
    if audience not in (client_id, [client_id]) and not (isinstance(audience, list) and client_id in audience):
        raise NotSignedIn("the id_token is for another client", code="bad_id_token")
    if (party is not None and party != client_id) or (isinstance(audience, list) and len(audience) > 1 and not party):
        raise NotSignedIn("the id_token was issued to another client", code="bad_id_token")


def _identity(claims: Mapping[str, Any], issuer: str) -> Identity:
    verified = claims.get("email_verified") is True  # not "false", not "1", not 1
    picture = _text(claims, "picture", 2000)
    return Identity(
        issuer=issuer,
        subject=claims["sub"],
        email=_text(claims, "email", 320).lower() if verified else "",
        name=_text(claims, "name", 200),
        picture=picture if picture.startswith("https://") else "",
        hosted_domain=_text(claims, "hd", 253).lower(),
    )


def _text(claims: Mapping[str, Any], name: str, longest: int) -> str:
    """Return a claim as text without control characters, which must not reach a page or a log."""
    value = claims.get(name)
    if not isinstance(value, str):
        return ""
    return "".join(sign for sign in value if unicodedata.category(sign) not in ("Cc", "Cs")).strip()[:longest]


def admit(identity: Identity, settings: Settings) -> None:
    """Apply the access lists; without lists everybody with an account at the provider may sign in.

    Raises: Forbidden.
    """
    emails, domains = _lower(settings.allowed_emails), _lower(settings.allowed_domains)
    if EVERYBODY in domains or (not emails and not domains):
        return
    if identity.email and (identity.email in emails or is_admin(identity, settings)):
        return
    name, _, domain = identity.email.rpartition("@")
    if name and domain in domains and (identity.issuer != GOOGLE or identity.hosted_domain in domains):
        return
    raise Forbidden("not on the list of those who may sign in", code="not_allowed")


def is_admin(identity: Identity, settings: Settings) -> bool:
    """Return whether the verified e-mail address is one of the administrators'."""
    return bool(identity.email) and identity.email in _lower(settings.admins)


def _lower(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
