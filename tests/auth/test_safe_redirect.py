"""`next=` leads to our own pages and nowhere else."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.safe_redirect import safe_next
from tests.auth.conftest import PUBLIC, Build, production
from tests.auth.test_oidc import sign_in
from tests.oidc_provider import Provider


@pytest.mark.parametrize(
    "good",
    ["/dashboard", "/workspace/abc?session=1", "/runs?q=a%20b#end", "/workspace/%ED%95%9C", "/inbox?u=https://x//y"],
)
def test_our_own_paths_are_kept(good: str) -> None:
    assert safe_next(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        "", None, "dashboard", "//evil", "///evil/x", "////evil", "\\evil", "\\\\evil", "/\\evil", "/\\/evil",
        "/%2f/evil", "/%2fevil", "/%2F%2Fevil", "/%5cevil", "/%5C%5Cevil", "/%252fevil", "/%09/evil", "/\t/evil",
        "\t//evil", " //evil", "/ /evil", "/\n/evil", "\x00//evil", "https:evil", "https://evil", "http:///evil",
        "HTTPS://evil", "//evil@ours", "javascript:alert(1)", "data:text/html,x", "/x%0d%0aSet-Cookie:a=b",
        "/x\r\nSet-Cookie:a=b", "https://ours////evil", "/a//evil", "/.//evil", "/..//evil",
        "//127.0.0.1:8080//evil", "/" + "a" * 10_000, "/auth/logout", "/auth/local?code=x", "/login",
        "/login?next=/login", "mailto:a@b", "?next=//evil", "#//evil", "/\u2028/evil\x7f",
    ],
)  # fmt: skip
def test_everything_else_leads_home(bad: str | None) -> None:
    assert safe_next(bad) == "/"


# asked for: where the sign-in ends. The shape of the table that JupyterHub has, and needed twice.
NEXT = {
    "": "/dashboard", "/": "/dashboard", "/inbox": "/inbox", "/workspace/abc?session=1": "/workspace/abc?session=1",
    "/a/../b": "/a/../b", "/inbox#x": "/inbox#x", "/inbox?next=//evil": "/inbox?next=//evil",
    "/%ED%95%9C": "/%ED%95%9C",
    "inbox": "/dashboard", "//": "/dashboard", "///": "/dashboard", "////": "/dashboard", "//evil.test": "/dashboard",
    "///evil.test": "/dashboard", "////evil.test/x": "/dashboard", "/\\evil.test": "/dashboard",
    "\\/evil.test": "/dashboard", "\\\\evil.test": "/dashboard", "/%5cevil.test": "/dashboard",
    "/%2fevil.test": "/dashboard", "/%2f%2fevil.test": "/dashboard", "/%252fevil.test": "/dashboard",
    "/%09/evil.test": "/dashboard", "/\t/evil.test": "/dashboard", "/%0d%0aSet-Cookie:a=b": "/dashboard",
    "https://evil.test": "/dashboard", "https:evil.test": "/dashboard", "https:///evil.test": "/dashboard",
    "PUBLIC//evil.test": "/dashboard", "PUBLIC/inbox": "/dashboard", "PUBLIC@evil.test": "/dashboard",
    "javascript:alert(1)": "/dashboard", "data:text/html,x": "/dashboard", "/auth/logout": "/dashboard",
    "/login?next=/login": "/dashboard", "@evil.test": "/dashboard", ".evil.test": "/dashboard",
    "/x" + "y" * 10_000: "/dashboard",
}  # fmt: skip


@pytest.mark.hostile_signins
async def test_a_sign_in_ends_at_the_page_that_was_asked_for_or_at_home(build: Build, idp: Provider) -> None:
    house = build(production(oidc_issuer=idp.issuer))
    ended = {}
    for asked in NEXT:
        path = "/auth/login?" + urlencode({"next": asked.replace("PUBLIC", PUBLIC)})
        ended[asked] = (await sign_in(house, path))[1].headers["location"]
    assert ended == NEXT


@given(st.text(alphabet="/\\%2fF5cC:@?#.ev\t\n il", max_size=30))
def test_no_text_at_all_leads_to_another_host(text: str) -> None:
    kept = safe_next(text)
    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))
