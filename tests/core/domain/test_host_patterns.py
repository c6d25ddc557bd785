"""Host names in one form: what is odd is refused, and lists are compared whole."""

import pytest

from core.domain.errors import BadInput
from core.domain.host_patterns import ENTRIES, BadHost, allow_list, canonical, check_public, host_of, in_list


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


def test_what_is_too_long_is_not_brought_to_one_form() -> None:
    """A name of these alone costs seconds, and every label of it is refused only after that."""
    with pytest.raises(BadHost, match="too long"):
        canonical("\N{COMBINING COMMA ABOVE RIGHT}\N{COMBINING GRAVE ACCENT}" * 1000)


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


@pytest.mark.parametrize(
    "entry",
    ["localhost", "10.0.0.1", "127.0.0.1", "192.168.1.1", "[::1]", "169.254.169.254", "printer", "*.internal",
     "metadata.google.internal", "100.64.0.1"],
)  # fmt: skip
def test_what_the_gateway_would_refuse_whatever_the_list_says_is_not_taken_into_the_list(entry: str) -> None:
    with pytest.raises(BadHost) as refused:
        allow_list([entry])
    assert refused.value.code == "private_host"


@pytest.mark.parametrize(
    ("pasted", "host"),
    [
        ("https://api.example.com/v1?x=1", "api.example.com"),
        (" HTTP://Example.com:8080 ", "Example.com"),
        ("https://[2606:4700::1]/x", "[2606:4700::1]"),
        ("*.example.com", "*.example.com"),
        ("https://user:pass@example.com/", "https://user:pass@example.com/"),
        ("ftp://example.com", "ftp://example.com"),
    ],
)
def test_the_address_of_a_page_means_its_host(pasted: str, host: str) -> None:
    assert host_of(pasted) == host
