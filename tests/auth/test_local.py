"""The printed link: for the one person who reads this machine's terminal."""

import pytest

from auth.local import MOST, LocalLinks
from core.config.settings import Settings
from core.domain.errors import Misconfigured, NotFound
from core.domain.records import SYSTEM, Role, User
from core.store.sqlite import SqliteStore
from tests.auth.conftest import LOCAL, Build, production


async def test_the_link_signs_the_owner_in_and_leads_to_the_dashboard(build: Build, store: SqliteStore) -> None:
    house = build()
    link = house.service.local_link()
    assert link.startswith(f"{LOCAL}/auth/local?code=")
    browser = house.browser()
    answer = await browser.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    assert (await browser.get("/dashboard")).text == "local-owner"
    user = await store.get(User, "local-owner", owner=SYSTEM)
    assert (user.issuer, user.subject, user.role) == ("local", "owner", Role.ADMIN)


async def test_a_used_link_signs_nobody_else_in(build: Build) -> None:
    house = build()
    link = house.service.local_link()
    first, second = house.browser(), house.browser()
    await first.get(link)
    answer = await second.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?error=link_used")
    assert (await second.get("/dashboard")).status_code == 303


async def test_who_only_looks_whether_it_is_there_does_not_use_it_up(build: Build) -> None:
    house = build()
    link, browser = house.service.local_link(), house.browser()
    assert (await browser.head(link)).status_code == 405
    assert (await browser.get(link)).headers["location"] == "/dashboard"


async def test_the_browser_it_signed_in_may_open_it_again(build: Build) -> None:
    house = build()
    link = house.service.local_link()
    browser = house.browser()
    await browser.get(link)
    before = browser.cookies["oma"]
    again = await browser.get(link)
    assert (again.status_code, again.headers["location"]) == (303, "/dashboard")
    assert browser.cookies["oma"] == before


@pytest.mark.hostile_signins
@pytest.mark.parametrize("code", ["", "x", "%00", "a" * 5000])
async def test_no_made_up_code_works(build: Build, code: str) -> None:
    house = build()
    house.service.local_link()
    answer = await house.browser().get(f"/auth/local?code={code}")
    assert answer.headers["location"] == "/login?error=link_used"
    assert "oma" not in answer.cookies


async def test_the_button_prints_a_fresh_link_and_shows_it_to_nobody(
    build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    house = build()
    browser = house.browser()
    answer = await browser.post("/auth/local/link", headers={"origin": LOCAL})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?link=printed")
    [line] = capsys.readouterr().out.splitlines()
    link = line.partition(": ")[2]
    assert "code=" in link
    assert link not in answer.text + str(answer.headers)
    assert (await browser.get(link)).headers["location"] == "/dashboard"


async def test_it_is_not_there_under_another_name_of_this_machine(build: Build) -> None:
    house = build(Settings(public_url="http://box.example.com"))
    browser = house.browser("http://box.example.com")
    for answer in (
        await browser.get(house.service.local_link().partition("8080")[2]),
        await browser.post("/auth/local/link", headers={"origin": "http://box.example.com"}),
    ):
        assert (answer.status_code, answer.headers.get("content-type")) == (404, "text/html; charset=utf-8")
        assert "/login?error=wrong_host" in answer.text, "a page with a sentence"
        assert "oma" not in answer.cookies


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ("/workspace/a1?session=s1", "/workspace/a1?session=s1"),
        ("/", "/dashboard"),
        ("https://evil.test/x", "/dashboard"),
        ("//evil.test", "/dashboard"),
        ("/login", "/dashboard"),
    ],
)
async def test_the_printed_link_leads_to_where_one_was_going(
    build: Build, capsys: pytest.CaptureFixture[str], wanted: str, target: str
) -> None:
    browser = build().browser()
    answer = await browser.post("/auth/local/link", params={"next": wanted}, headers={"origin": LOCAL})
    assert answer.headers["location"].startswith("/login?link=printed&next=%2F")
    link = capsys.readouterr().out.strip().partition(": ")[2]
    assert "evil" not in answer.headers["location"] + link and "next" not in link
    assert (await browser.get(link)).headers["location"] == target


async def test_it_is_not_there_in_production(build: Build) -> None:
    house = build(production())
    with pytest.raises(NotFound):
        house.service.local_link()
    for method, path in (("GET", "/auth/local?code=x"), ("POST", "/auth/local/link")):
        answer = await house.browser().request(method, path, headers={"origin": house.base})
        assert answer.status_code == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "box.example.com"])
def test_local_mode_does_not_listen_to_a_network(build: Build, host: str) -> None:
    with pytest.raises(Misconfigured, match="OMA_HOST"):
        build(Settings(host=host))


def test_a_link_is_good_for_ten_minutes() -> None:
    clock = [0.0]
    links = LocalLinks(LOCAL, clock=lambda: clock[0])
    codes = [links.make("/dashboard").partition("=")[2] for _ in range(2)]
    clock[0] = 599
    assert links.redeem(codes[0])
    clock[0] = 600
    assert not links.redeem(codes[1])


def test_links_are_bounded_and_the_oldest_gives_way() -> None:
    links = LocalLinks(LOCAL)
    codes = [links.make("/dashboard").partition("=")[2] for _ in range(MOST + 1)]
    assert not links.redeem(codes[0])
    assert links.redeem(codes[1])
