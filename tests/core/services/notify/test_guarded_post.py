"""Addresses that users name are called only where an agent could go, and only where they were checked to lead."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.errors import BadInput
from core.services.notify.guarded_post import GuardedPost
from core.services.notify.transport import NotDelivered
from tests.core.gateway.egress.world import OTHER, PUBLIC, World
from tests.webhook_receiver import Receiver, receiver

URL = "https://hooks.example.com/services/secret-path"


@pytest.fixture
async def other_side(tmp_path: Path) -> AsyncIterator[Receiver]:
    async with receiver(tmp_path, "hooks.example.com", "other.example.com") as one:
        yield one


def post_in(world: World, other_side: Receiver) -> GuardedPost:
    """As it is in production, but for where public addresses lead and whom TLS trusts."""

    def reach(address: tuple[str, int]) -> tuple[str, int]:
        world.dialled.append(address[0])
        return ("127.0.0.1", world.ports[address[0]]) if address[0] in world.ports else address

    return GuardedPost(world.outside, reach=reach, tls=other_side.trust())


async def test_a_post_arrives_with_its_headers_and_its_answer_comes_back(other_side: Receiver) -> None:
    world = World(names={"hooks.example.com": [[PUBLIC]]}, ports={PUBLIC: other_side.port})
    assert await post_in(world, other_side).send(URL, b"{}", {"x-one": "1"}) == "HTTP 200 ok"
    came = await other_side.next()
    assert (came.path, came.body, came.headers["x-one"]) == ("/services/secret-path", b"{}", "1")
    assert came.headers["host"] == "hooks.example.com"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.7"],
        ["192.168.1.1"],
        ["169.254.169.254"],
        ["168.63.129.16"],
        ["fd00:ec2::254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["0.0.0.0"],
        [PUBLIC, "127.0.0.1"],
    ],
)
async def test_a_name_that_leads_inside_is_refused_and_nobody_is_called(
    other_side: Receiver, addresses: list[str]
) -> None:
    world = World(names={"hooks.example.com": [addresses]}, ports={PUBLIC: other_side.port})
    post = post_in(world, other_side)
    with pytest.raises(NotDelivered, match="refused") as caught:
        await post.send(URL, b"{}", {})
    assert caught.value.permanent
    with pytest.raises(BadInput) as refused:
        await post.check(URL)
    assert refused.value.code == "channel_refused"
    assert (world.dialled, other_side.requests) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "https://localhost/x",
        "https://metadata.google.internal/x",
        "https://hooks.example.com:8443/x",
        "https://hooks.example.com:22/x",
    ],
)
async def test_an_address_inside_or_a_port_that_is_not_open_is_refused_when_it_is_saved(
    other_side: Receiver, url: str
) -> None:
    world = World(names={"hooks.example.com": [[PUBLIC]]}, ports={PUBLIC: other_side.port})
    with pytest.raises(BadInput):
        await post_in(world, other_side).check(url)


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example.com/", "ftp://x/", "hooks.example.com", "https://", "https://u:p@hooks.example.com/",
     "https://hooks.example.com/\r\nX: 1", "https://hooks.example.com/#a", "https://x:99999/", "https://x:0/",
     "https://hooks.example.com/" + "a" * 2000, "javascript:alert(1)", ""],
)  # fmt: skip
async def test_what_is_no_https_url_is_refused(other_side: Receiver, url: str) -> None:
    with pytest.raises(BadInput) as refused:
        await post_in(World(), other_side).check(url)
    assert refused.value.code == "bad_channel_url"


async def test_a_name_that_changes_its_mind_after_the_check_leads_nowhere(other_side: Receiver) -> None:
    world = World(
        names={"hooks.example.com": [[PUBLIC], ["127.0.0.1"]]}, ports={PUBLIC: other_side.port, "127.0.0.1": 1}
    )
    await post_in(world, other_side).send(URL, b"{}", {})
    assert (world.resolved, world.dialled) == (["hooks.example.com"], [PUBLIC])
    with pytest.raises(NotDelivered, match="this machine"):
        await post_in(world, other_side).send(URL, b"{}", {})


async def test_a_redirect_is_not_followed(other_side: Receiver) -> None:
    world = World(
        names={"hooks.example.com": [[PUBLIC]], "other.example.com": [[OTHER]]},
        ports={PUBLIC: other_side.port, OTHER: other_side.port},
    )
    other_side.answers = [(307, "https://other.example.com/"), (200, "reached")]
    with pytest.raises(NotDelivered, match="redirects are not followed") as caught:
        await post_in(world, other_side).send(URL, b"{}", {})
    assert (caught.value.permanent, len(other_side.requests), world.dialled) == (True, 1, [PUBLIC])


@pytest.mark.parametrize(
    ("status", "permanent", "gone"),
    [(500, False, False), (503, False, False), (429, False, False), (400, True, False), (403, True, False),
     (404, True, True), (410, True, True)],
)  # fmt: skip
async def test_a_refusal_says_whether_a_later_attempt_may_help(
    other_side: Receiver, status: int, permanent: bool, gone: bool
) -> None:
    world = World(names={"hooks.example.com": [[PUBLIC]]}, ports={PUBLIC: other_side.port})
    other_side.answers = [(status, "no\x07\n" + "x" * 100_000)]
    with pytest.raises(NotDelivered, match=f"HTTP {status} no") as caught:
        await post_in(world, other_side).send(URL, b"{}", {})
    assert (caught.value.permanent, caught.value.gone) == (permanent, gone)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200


async def test_who_does_not_answer_or_is_not_who_they_say_is_an_answer_without_the_url(other_side: Receiver) -> None:
    world = World(names={"hooks.example.com": [[PUBLIC]], "liar.example.com": [[PUBLIC]]}, ports={PUBLIC: 1})
    with pytest.raises(NotDelivered, match="not reached") as caught:
        await post_in(world, other_side).send(URL, b"{}", {})
    world.ports[PUBLIC] = other_side.port
    with pytest.raises(NotDelivered, match="not reached") as liar:
        await post_in(world, other_side).send("https://liar.example.com/secret-path", b"{}", {})
    with pytest.raises(NotDelivered, match="not known"):
        await post_in(world, other_side).send("https://nowhere.example.com/secret-path", b"{}", {})
    assert "secret-path" not in f"{caught.value}{liar.value}"
    assert other_side.requests == []


def test_in_production_public_addresses_lead_to_themselves_and_no_setting_changes_that() -> None:
    assert GuardedPost()._reach((PUBLIC, 443)) == (PUBLIC, 443)
    assert GuardedPost()._tls is None
