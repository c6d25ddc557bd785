"""Host names in one form: what is odd is refused, and lists are compared whole."""

import pytest

from core.errors import BadInput
from core.hosts import ENTRIES, BadHost, allow_list, canonical, check_public, in_list


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.com", "example.com"),
        ("EXAMPLE.Com.", "example.com"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("예시.한국", "xn--vv4b11d.xn--3e0b707e"),
        ("93.184.215.14", "93.184.215.14"),
        ("[2606:4700::1111]", "2606:4700::1111"),
        ("2606:4700:0:0::1111", "2606:4700::1111"),
        ("example。com", "example.com"),
    ],
)
def test_a_host_has_one_form(text: str, name: str) -> None:
    assert canonical(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "a..b", "-a.com", "a-.com", "a b.com", "a\0.com", "evil\0.google.com", "a\r\nb.com", "a/b", "a@b.com",
        "a%2eb.com", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.01", "1.2.3.4.5",
        "example.com.1", "a.0x", "[127.0.0.1]", "[::1%eth0]", "fe80::1%2", "1::2::3", "x" * 64 + ".com", "a." * 200,
        "１２７．１", "*.example.com",
    ],
)  # fmt: skip
def test_odd_characters_and_odd_spellings_are_no_host(text: str) -> None:
    with pytest.raises(BadHost):
        canonical(text)


@pytest.mark.parametrize(
    "name",
    ["localhost", "a.localhost", "metadata", "metadata.google.internal", "metadata.goog", "printer.local", "router.lan",
     "kubernetes.default.svc", "web.default.svc.cluster.local", "1.0.0.127.in-addr.arpa"],
)  # fmt: skip
def test_names_of_this_network_are_not_public(name: str) -> None:
    with pytest.raises(BadHost):
        check_public(canonical(name))


@pytest.mark.parametrize(
    ("name", "entries", "is_in"),
    [
        ("example.com", ("*",), True),
        ("example.com", (), False),
        ("example.com", ("example.com",), True),
        ("example.com.evil.net", ("example.com",), False),
        ("notexample.com", ("*.example.com", "example.com"), False),
        ("a.b.example.com", ("*.example.com",), True),
        ("example.com", ("*.example.com",), False),
        ("93.184.215.14", ("93.184.215.14",), True),
        ("93.184.215.140", ("93.184.215.14",), False),
    ],
)
def test_an_entry_is_compared_whole(name: str, entries: tuple[str, ...], is_in: bool) -> None:
    assert in_list(name, entries) is is_in


def test_a_list_is_kept_in_the_form_that_is_compared() -> None:
    assert allow_list([" Example.COM. ", "example.com", "*.예시.한국", "", "*"]) == (
        "example.com",
        "*.xn--vv4b11d.xn--3e0b707e",
        "*",
    )


@pytest.mark.parametrize(
    "entry", ["*com", "a.*.com", "http://example.com", "example.com:443", "*.127.0.0.1", "*.", "*.*"]
)
def test_an_entry_that_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(BadHost):
        allow_list([entry])


def test_a_list_has_an_end() -> None:
    with pytest.raises(BadInput):
        allow_list(f"h{n}.example.com" for n in range(ENTRIES + 1))
