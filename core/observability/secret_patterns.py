"""Patterns of secrets whose values are not known: keys of well-known services, signed tokens, credentials in URLs.

Every pattern stands behind a plain word that has to occur first (a search for it costs next to nothing), begins with
that word, and never goes back further than it: a megabyte made to be slow takes as long as any other.
"""

import re
from dataclasses import dataclass

MASK = "***"  # shorter than any value that is masked, so that it cannot hold one


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """A pattern whose matches are masked, except for the group `keep`, which names the kind of secret."""

    name: str
    words: tuple[str, ...]  # one of them is in the text, or the pattern is not tried
    pattern: re.Pattern[str]


def _pattern(name: str, words: str, pattern: str) -> SecretPattern:
    return SecretPattern(name, tuple(words.split()), re.compile(pattern))


KEYS = (
    _pattern("Anthropic key", "sk-ant-", r"sk-ant-[A-Za-z0-9_-]{16,}+"),
    _pattern("OpenAI key", "sk-", r"\bsk-(?!ant-)(?:[a-z]{2,10}-)?[A-Za-z0-9_]{20,}+[A-Za-z0-9_-]*+"),
    _pattern("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{20,}+"),
    _pattern("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{20,}+"),
    _pattern("GitLab token", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}+"),
    _pattern("Google key", "AIza", r"AIza[A-Za-z0-9_-]{35}"),
    _pattern("Google client secret", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{20,}+"),
    _pattern("Google token", "ya29.", r"\bya29\.[A-Za-z0-9_-]{20,}+"),
    _pattern("Google refresh token", "1//0", r"\b1//0[A-Za-z0-9_-]{30,}+"),
    _pattern("Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}+"),
    _pattern("Slack token", "xapp-", r"xapp-[A-Za-z0-9-]{20,}+"),
    _pattern("AWS key id", "AKIA ASIA", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    _pattern("Stripe key", "k_live_", r"\b[rs]k_live_[A-Za-z0-9]{20,}+"),
    _pattern("npm token", "npm_", r"\bnpm_[A-Za-z0-9]{36}"),
    _pattern("PyPI token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{50,}+"),
    # Without its end too: an entry may have been cut. Line breaks may be spelled out.
    _pattern(
        "private key",
        "PRIVATE",
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=:, \s\\]|-(?!-))*+"
        r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?",
    ),
    # JSON Web Tokens, and what itsdangerous signs for us: three parts, the first of which is JSON in base64.
    _pattern(
        "signed token",
        "eyJ",
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]{4,}+\.[A-Za-z0-9_-]{16,}+",
    ),
)
"""Keys whose look alone says what they are."""

BEARERS = (
    _pattern("our cookie", "oma= oma-visit= oma-flow=", r"(?P<keep>\boma(?:-visit|-flow)?=)[^\s;,\"'\\]{8,}+"),
    _pattern(
        "word in a URL",
        "code= client_id= state= token= id_token= access_token= client_secret=",
        r"(?P<keep>\b(?:code|client_id|state|(?:id_|access_|refresh_)?token|client_secret)=)[^\s&\"'\\<>]{6,}+",
    ),
    _pattern(
        "socket of a page", "lient", r"(?P<keep>\b[Cc]lient(?:_id)?\W{1,6})[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    ),
    _pattern("password in a URL", "://", r"(?P<keep>://)[^\s/@:\"'\\<>]{0,100}+:[^\s/@:\"'\\<>]{1,500}+(?=@)"),
    _pattern(
        "header", "earer asic BEARER BASIC", r"(?P<keep>\b(?:[Bb]earer|BEARER|[Bb]asic|BASIC) )[A-Za-z0-9._~+/=-]{16,}+"
    ),
    _pattern("header", "pi-key pi-Key PI-KEY", r"(?P<keep>(?:pi-[Kk]ey|PI-KEY)\W{1,6})[A-Za-z0-9._~+/=-]{16,}+"),
)
"""Values that grant access: sign-in codes, socket client ids, login cookies, proxy credentials."""


def mask(text: str, shapes: tuple[SecretPattern, ...] = KEYS + BEARERS) -> str:
    """Mask everything in `text` that looks like a secret."""
    for shape in shapes:
        if any(word in text for word in shape.words):
            text = shape.pattern.sub(_masked, text)
    return text


def _masked(match: re.Match[str]) -> str:
    return (match.groupdict().get("keep") or "") + MASK
