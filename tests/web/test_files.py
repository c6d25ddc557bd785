"""Files by the public API: streams with tags and ranges, attachments that no browser runs, and no path that leaves."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.conftest import Served
from web.api import PREFIX

# As they stand in a request's path. What is no path of the folder is refused; what is one simply does not exist.
HOSTILE = (
    "%2e%2e/%2e%2e/etc/passwd",
    "a/%2e%2e/%2e%2e/x",
    "%2Fetc%2Fpasswd",
    "%252e%252e%252fx",
    "..%5c..%5cx",
    "a%00b",
    "~/x",
    "%2e",
    "a//b",
    "x/",
    "proc/self/environ",
    "dev/zero",
    "%ff%fe",
    "x" * 4097,
    "/".join(["d"] * 120),
)


@pytest.fixture
async def files_url(served: Served) -> str:
    return f"{PREFIX}/agents/{(await served.new())['agent']['id']}/files"


async def test_a_file_is_written_read_in_parts_moved_deleted_and_restored(served: Served, files_url: str) -> None:
    ask = served.owner
    made = await ask.put(f"{files_url}/out/가 나.txt", content=b"0123456789")
    assert (made.status_code, made.json()["created"]) == (200, True)
    whole = await ask.get(f"{files_url}/out/가 나.txt")
    assert (whole.content, whole.headers["etag"]) == (b"0123456789", f'"{made.json()["revision"]}"')
    part = await ask.get(f"{files_url}/out/가 나.txt", headers={"range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    [entry] = (await ask.get(f"{files_url}/out")).json()["entries"]
    assert entry["name"] == "가 나.txt"
    stale = await ask.put(f"{files_url}/out/가 나.txt", content=b"x", headers={"if-match": '"other"'})
    assert (stale.status_code, stale.json()["code"]) == (409, "file_changed")
    move = {"source": "out/가 나.txt", "target": "b.txt"}
    assert (await ask.post(f"{files_url}:move", json=move)).json() == {"path": "b.txt"}
    with zipfile.ZipFile(io.BytesIO((await ask.get(f"{files_url}:zip")).content)) as archive:
        assert archive.read("b.txt") == b"0123456789"
    trash = (await ask.delete(f"{files_url}/b.txt")).json()["trash"]
    assert (await ask.get(f"{files_url}/b.txt")).status_code == 404
    assert (await ask.post(f"{files_url}:restore", json={"trash": trash})).json() == {"path": "b.txt"}
    assert (await ask.delete(f"{files_url}/b.txt", params={"forever": True})).json() == {"trash": ""}


async def test_no_file_is_a_page_of_ours(served: Served, files_url: str) -> None:
    names = ("evil.html", "x.svg", "p.png", "a\u202egnp.exe", 'q"uo\te.js')
    for name in names[:4]:
        await served.owner.put(f"{files_url}/{name}", content=b"<script>alert(1)</script>")
        if name == names[3]:
            continue  # refused: a name with invisible characters
        got = await served.owner.get(f"{files_url}/{name}")
        assert got.headers["content-type"] in ("application/octet-stream", "image/svg+xml", "image/png")
        assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''")
        assert got.headers["content-security-policy"].endswith("sandbox")
        assert got.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_path_is_refused_and_writes_nothing(
    served: Served, files_url: str, path: str, tmp_path: Path
) -> None:
    for method in ("GET", "DELETE"):
        assert (await served.owner.request(method, f"{files_url}/{path}")).status_code in (400, 404), method
    wrote = await served.owner.put(f"{files_url}/{path}", content=b"x")
    home = next(iter((await _home(served)).glob("agents/*")), None)
    assert wrote.status_code in (400, 404) or (home and list(home.rglob("*"))), "written somewhere else"


async def _home(served: Served) -> Path:
    [runner] = served.spawner.alive.values()
    return runner.home


async def test_an_upload_is_refused_at_its_limit_and_leaves_nothing(served: Served, files_url: str) -> None:
    large = b"x" * (3 * 2**20 + 1)
    for content in (large, _parts(large), b"x" * 2**23, _parts(b"x" * 2**23)):
        refused = await served.owner.put(f"{files_url}/big.bin", content=content)
        assert (refused.status_code, refused.json()["code"]) == (413, "file_too_large")
    assert (await served.owner.put(f"{files_url}/fits.bin", content=large[:-1])).status_code == 200
    assert [one["name"] for one in (await served.owner.get(f"{files_url}/")).json()["entries"]] == ["fits.bin"]
    assert not list((await _home(served)).glob(".oma/staging/*/*"))


async def _parts(whole: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(whole), 2**16):
        yield whole[at : at + 2**16]


async def test_other_bodies_keep_their_small_limit(served: Served, files_url: str) -> None:
    answer: Any = await served.owner.post(f"{files_url}:move", content=b"x" * (2**21 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
