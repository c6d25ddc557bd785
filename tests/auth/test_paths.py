"""`next=` leads to our own pages and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.paths import safe_next


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


@given(st.text(alphabet="/\\%2fF5cC:@?#.ev\t\n il", max_size=30))
def test_no_text_at_all_leads_to_another_host(text: str) -> None:
    kept = safe_next(text)
    assert kept.startswith("/")
    assert not kept.startswith(("//", "/\\"))
