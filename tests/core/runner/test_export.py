"""The stream of a user's folders: every plain file whole, and nothing that a link or a trick leads to."""

import json
import logging
import os
import socket
import time
from pathlib import Path

import pytest

from core.domain.events import StateChanged, TurnFinished
from core.runner import export
from core.runner.export import MISSING, NAMED, archive
from core.services.account_export import LINE_BYTES, PATH_CHARS
from tests.core.runner.box import Box


def read(stream: bytes) -> dict[str, bytes]:
    """Return the files that a reader of the stream gets."""
    found: dict[str, bytes] = {}
    while True:
        line, _, stream = stream.partition(b"\n")
        if not (head := json.loads(line)):
            assert stream == b""
            return found
        content = b""
        while True:
            length, _, stream = stream.partition(b"\n")
            if length == b"0":
                break
            content, stream = content + stream[: int(length)], stream[int(length) :]
        found[head["path"]] = content


def test_plain_files_are_sent_whole_and_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "agents", tmp_path / "outside"
    (root / "a1" / "깊은" / "곳").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("canary")
    (root / "a1" / "깊은" / "곳" / "파일.txt").write_text("글")
    (root / "a1" / "empty").touch()
    (root / "a1" / "big").write_bytes(b"0\n{}\n" * 100_000)
    (root / "a1" / "link").symlink_to(outside / "secret")
    (root / "a1" / "folder").symlink_to(outside)
    (root / "b2").symlink_to(outside)
    os.mkfifo(root / "a1" / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "a1" / "s"))
        found = read(b"".join(archive(root)))
    told = found.pop(MISSING).decode()
    assert sorted(told.splitlines()) == sorted(
        [f"link: a1/link -> {outside}/secret", f"link: a1/folder -> {outside}", f"link: b2 -> {outside}",
         "not a file: a1/fifo", "No such device or address: a1/s"]
    )  # fmt: skip
    assert found == {
        "a1/big": b"0\n{}\n" * 100_000,
        "a1/empty": b"",
        "a1/깊은/곳/파일.txt": "글".encode(),
    }


def test_a_home_without_agents_and_a_root_that_is_a_link_are_empty(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("canary")
    (tmp_path / "agents").symlink_to(tmp_path / "real")
    assert read(b"".join(archive(tmp_path / "agents"))) == {}
    assert read(b"".join(archive(tmp_path / "none"))) == {}


def test_folders_as_deep_as_nobody_makes_them_are_left_out_and_leak_nothing(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    (tmp_path / "near").touch()
    before = len(os.listdir("/proc/self/fd"))
    found = read(b"".join(archive(tmp_path)))
    assert found.pop("near") == b"" and found.keys() == {MISSING}
    assert found[MISSING].startswith(b"too deep: d/d/") and found[MISSING].count(b"\n") == 1
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_path_longer_than_its_reader_takes_is_cut_and_its_file_is_whole(tmp_path: Path) -> None:
    name = "\x01" * 255  # six bytes each in JSON
    deep = tmp_path.joinpath(*[name] * 7)
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    stream = b"".join(archive(tmp_path))
    assert len(stream.partition(b"\n")[0]) < LINE_BYTES
    assert read(stream) == {"/".join([name] * 7)[:PATH_CHARS]: b"x"}


async def test_the_runner_sends_the_agents_folders_and_nothing_else_of_the_home(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        folder = (await box.session()).folder
        (folder / "CLAUDE.md").write_text("# mine")
        async with box.http.get("http://runner/v1/export", headers=box.headers()) as answer:
            assert answer.status == 200
            assert read(await answer.read()) == {f"{folder.name}/CLAUDE.md": b"# mine"}
        async with box.http.get("http://runner/v1/export") as answer:
            assert answer.status == 401


async def test_who_never_reads_the_export_they_asked_for_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Box(tmp_path) as box:
        folder = (await box.session()).folder
        for number in range(4):
            (folder / f"big{number}").write_bytes(bytes(1 << 20))
        async with box.http.get("http://runner/v1/export", headers=box.headers()) as answer:
            assert answer.status == 200
    assert [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.ERROR] == []


async def test_the_clis_of_an_agent_end_when_its_rules_change_and_come_back_when_needed(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=2")
            await watch.until(TurnFinished)
            assert box.cli_pid(session.id)
            await box.call("POST", f"/v1/agents/{session.agent}/rest")
            await watch.until(lambda event: isinstance(event, StateChanged) and event.state == "asleep")
            with pytest.raises(LookupError):
                box.cli_pid(session.id)
            await session.say("N=3")
            await watch.until(TurnFinished)


def test_a_file_of_holes_a_locked_folder_and_an_empty_one_are_named_and_take_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "HOLLOW_BYTES", 2**20)  # what is sent without this bound is read here, too
    with (tmp_path / "hollow").open("wb") as file:
        file.truncate(4 * 2**20)
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd\x1b[2Jname").symlink_to("x")
    started = time.monotonic()
    found = read(b"".join(archive(tmp_path)))
    assert time.monotonic() - started < 5
    assert sorted(found.pop(MISSING).decode().splitlines()) == [
        "empty folder: empty/",
        "link: odd\\x1b[2Jname -> x",
        "nearly empty file of 4,194,304 bytes: hollow",
    ]
    assert found == {}


def test_of_very_many_things_that_are_left_out_the_first_are_named_and_all_counted(tmp_path: Path) -> None:
    for number in range(NAMED + 5):
        os.symlink("x", tmp_path / f"l{number}")
    told = read(b"".join(archive(tmp_path)))[MISSING].decode().splitlines()
    assert len(told) == NAMED + 1 and told[-1] == "and 5 more"
