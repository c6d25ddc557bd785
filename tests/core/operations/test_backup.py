"""Backup and restore without a platform: what goes in comes out, and nothing else ever does."""

import io
import os
import socket
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from core.config.runtime_dir import process
from core.config.settings import Settings
from core.domain.errors import BadInput, Misconfigured, PlatformError, StoreUnavailable
from core.domain.events import Text, numbered
from core.domain.records import SYSTEM, Agent, Box, UserId
from core.operations.archive import DEEPEST, LeftOut, Packer
from core.operations.backup import Manifest, backup
from core.operations.restore import restore
from core.operations.unarchive import unpack
from core.store.schema import STEPS
from core.store.sqlite import SqliteStore

ALICE = UserId("local-owner")
DAY = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """A platform that has run."""
    data = tmp_path / "data"
    async with await SqliteStore.open(data / "oma.db") as store:
        await store.put(Agent(id="a1", name="정리", created_at=DAY, updated_at=DAY), owner=ALICE)
        await store.put(
            Box(id="b", user=ALICE, key="k", spawner_state={"pid": 1, "start": 2}, started_at=DAY), owner=SYSTEM
        )
        await store.append("s1", [numbered(Text(message="m", block=0, text="안녕"), seq=1, at=DAY)], owner=ALICE)
    home = data / "homes" / ALICE
    (home / "agents" / "a1").mkdir(parents=True)
    (home / "agents" / "a1" / "CLAUDE.md").write_text("지침")
    (home / "agents" / "a1" / "run.sh").write_text("#!/bin/sh\n")
    (home / "agents" / "a1" / "run.sh").chmod(0o755)
    (home / "agents" / "python").symlink_to("/usr/bin/python3")
    (home / "agents" / "up").symlink_to("../..")
    (data / "secret").write_text("x" * 64)
    (data / "secret").chmod(0o600)
    (data / "logs").mkdir()
    (data / "logs" / "gateway.log").write_text("a log")
    return Settings(data_dir=data)


def elsewhere(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "elsewhere" / "data")


def tree(folder: Path) -> dict[str, object]:
    """Everything in a folder but databases, as something that can be compared."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file() and not name.startswith("oma.db"):
            found[name] = (path.read_bytes(), path.stat().st_mode & 0o777, int(path.stat().st_mtime))
        elif path.is_dir():
            found[name] = path.stat().st_mode & 0o777
    return found


def rows(database: Path, table: str) -> list[object]:
    with closing(sqlite3.connect(database)) as db:
        return db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()


async def test_what_goes_in_comes_out_elsewhere(settings: Settings, tmp_path: Path) -> None:
    manifest, taken = backup(settings, tmp_path / "b.tar.gz")
    new = elsewhere(tmp_path)
    assert restore(new, tmp_path / "b.tar.gz") == (manifest, None, LeftOut())
    expected = {name: what for name, what in tree(settings.data_dir).items() if not name.startswith("logs")}
    assert tree(new.data_dir) == expected
    assert rows(new.data_dir / "oma.db", "events") == rows(settings.data_dir / "oma.db", "events")
    async with await SqliteStore.open(new.data_dir / "oma.db") as store:
        assert (await store.get(Agent, "a1", owner=ALICE)).name == "정리"
        assert (await store.get(Box, "b", owner=SYSTEM)).spawner_state == {}, (
            "a process of the old machine is none of this one"
        )
    assert (taken.files, taken.left_out.paths, manifest.rows["records"]) == (4, [], 2)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "b.tar.gz", new.data_dir / "oma.db")}
    assert set(modes.values()) == {0o600}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


async def test_a_volume_s_own_folder_is_neither_copied_nor_in_the_way(settings: Settings, tmp_path: Path) -> None:
    (settings.data_dir / "lost+found").mkdir()
    (settings.data_dir / "lost+found" / "#12").write_text("of a disk that was checked")
    manifest, _ = backup(settings, tmp_path / "b.tar.gz")
    new = elsewhere(tmp_path)
    (new.data_dir / "lost+found").mkdir(parents=True)  # an ext4 volume on which nothing was ever written
    assert restore(new, tmp_path / "b.tar.gz") == (manifest, None, LeftOut())
    assert list((new.data_dir / "lost+found").iterdir()) == []
    _, kept, _ = restore(new, tmp_path / "b.tar.gz", force=True)
    assert kept and not (kept / "lost+found").exists() and (new.data_dir / "lost+found").is_dir()


async def test_while_somebody_writes_the_copy_is_of_one_moment(settings: Settings, tmp_path: Path) -> None:
    async with await SqliteStore.open(settings.data_dir / "oma.db") as store:
        await store.put(Agent(id="a2", created_at=DAY, updated_at=DAY), owner=ALICE)  # in the log beside the database
        backup(settings, tmp_path / "b.tar.gz")
        await store.put(Agent(id="a3", created_at=DAY, updated_at=DAY), owner=ALICE)
    new = elsewhere(tmp_path)
    restore(new, tmp_path / "b.tar.gz")
    async with await SqliteStore.open(new.data_dir / "oma.db") as store:
        assert [agent.id for agent in await store.find(Agent, owner=ALICE)] == ["a1", "a2"]


def test_what_a_hostile_home_holds_stops_nothing_and_leads_nowhere(settings: Settings, tmp_path: Path) -> None:
    home = settings.data_dir / "homes" / ALICE
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_text("not theirs")
    (home / "folder").symlink_to(tmp_path / "outside")
    (home / "file").symlink_to(tmp_path / "outside" / "canary")
    os.mkfifo(home / "pipe")
    os.mkfifo(home / "agents" / "a1" / ".mcp.json")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(home)
        listener.bind("socket")
        os.chdir(here)
    (home / os.fsdecode(b"\xff\xfe not utf-8")).write_text("odd")
    (home / "sparse").touch()
    os.truncate(home / "sparse", 20 * 2**20)
    (home / "hollow").touch()
    os.truncate(home / "hollow", 2**40)
    deep = os.open(home, os.O_RDONLY)
    for _ in range(DEEPEST + 50):
        os.mkdir("d", dir_fd=deep)
        next_one = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = next_one
    os.close(deep)
    _, taken = backup(settings, tmp_path / "b.tar.gz")
    (home / "hollow").unlink()  # whoever reads all that tests leave behind would choke on it
    restore(elsewhere(tmp_path), tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        names = archive.getnames()
        assert not [name for name in names if "canary" in name or "pipe" in name or "socket" in name]
    new = elsewhere(tmp_path).data_dir / "homes" / ALICE
    assert os.readlink(new / "folder") == str(tmp_path / "outside")
    assert (new / os.fsdecode(b"\xff\xfe not utf-8")).read_text() == "odd"
    assert (new / "sparse").stat().st_size == 20 * 2**20
    # A hollow file, a pipe and a socket beside it, a pipe in an agent's folder, and what is too deep.
    assert sorted(left.count("/") for left in taken.left_out.paths) == [2, 2, 2, 4, DEEPEST]


def test_a_file_that_is_cut_or_grows_while_it_is_read_breaks_nothing(tmp_path: Path) -> None:
    cut, grows, out = tmp_path / "in" / "cut", tmp_path / "in" / "grows", io.BytesIO()

    class Meddling(io.RawIOBase):
        """The archive as it is written: in the middle of each file it changes."""

        def write(self, data: bytes) -> int:  # type: ignore[override]
            if out.tell() > 20_000:
                os.truncate(cut, 10)
            if out.tell() > 150_000:
                os.truncate(grows, 200_000)
            return out.write(data)

    cut.parent.mkdir()
    for file in (cut, grows):
        file.write_bytes(b"x" * 100_000)
    folder = os.open(tmp_path, os.O_RDONLY)
    with tarfile.open(fileobj=Meddling(), mode="w|", bufsize=512) as archive:
        packer = Packer(archive)
        packer.add("in", folder=folder)
    os.close(folder)
    assert (cut.stat().st_size, grows.stat().st_size) == (10, 200_000), "it was in the middle"
    out.seek(0)
    with tarfile.open(fileobj=out) as archive:
        (tmp_path / "out").mkdir()
        unpack(archive, tmp_path / "out")
    copied = [(tmp_path / "out" / "in" / file.name).read_bytes() for file in (cut, grows)]
    assert [len(content) for content in copied] == [100_000, 100_000]
    assert copied[0].rstrip(b"\0") == b"x" * len(copied[0].rstrip(b"\0"))
    assert copied[0].endswith(b"\0")
    assert copied[1] == b"x" * 100_000


def pack(file: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    manifest = msgspec.json.encode(Manifest(database=len(STEPS), rows={}, made_at=DAY))
    head = tarfile.TarInfo("manifest.json")
    head.size = len(manifest)
    with tarfile.open(file, "w:gz") as archive:
        archive.addfile(head, io.BytesIO(manifest))
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


EVIL = {
    "up": [(member("../escaped"), b"x")],
    "absolute": [(member("/tmp/oma-escaped"), b"x")],
    "through a link": [(member("a", tarfile.SYMTYPE, "TARGET"), b""), (member("a/escaped"), b"x")],
    "over a link": [(member("a", tarfile.SYMTYPE, "TARGET/escaped"), b""), (member("a"), b"x")],
    "hard link": [(member("a", tarfile.LNKTYPE, "/etc/passwd"), b"")],
    "device": [(member("a", tarfile.CHRTYPE), b"")],
    "twice": [(member("a"), b"1"), (member("a"), b"2")],
}


LEFT_OUT = {"through a link", "over a link", "twice"}  # what a home could do to itself; the others we never write


@pytest.mark.parametrize("name", EVIL)
def test_an_archive_never_writes_outside_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    for info, _ in EVIL[name]:
        info.linkname = info.linkname.replace("TARGET", str(tmp_path / "outside"))
    pack(tmp_path / "evil.tar.gz", *EVIL[name])
    with pytest.raises(PlatformError):
        restore(elsewhere(tmp_path), tmp_path / "evil.tar.gz")
    into = tmp_path / "into"
    into.mkdir()
    with tarfile.open(tmp_path / "evil.tar.gz") as archive:
        try:
            assert unpack(archive, into).count == 1
        except BadInput:
            assert name not in LEFT_OUT
    assert [path for path in tmp_path.rglob("*escaped*") if into not in path.parents] == []
    assert list(elsewhere(tmp_path).data_dir.iterdir()) == []


def test_onto_what_is_there_only_by_force_and_the_old_is_kept(settings: Settings, tmp_path: Path) -> None:
    file, home = tmp_path / "b.tar.gz", settings.data_dir / "homes" / ALICE
    backup(settings, file)
    (home / "newer").write_text("written after the backup")
    with pytest.raises(Misconfigured, match="--force"):
        restore(settings, file)
    assert (home / "newer").exists()
    _, kept, _ = restore(settings, file, force=True)
    assert kept
    assert not (home / "newer").exists()
    assert (kept / "homes" / ALICE / "newer").read_text() == "written after the backup"
    assert rows(kept / "oma.db", "events") == rows(settings.data_dir / "oma.db", "events")
    backup(settings, tmp_path / "c.tar.gz")
    with tarfile.open(tmp_path / "c.tar.gz") as archive:
        assert not [name for name in archive.getnames() if "replaced" in name], "a backup does not hold the one before"


async def test_onto_a_running_platform_it_is_refused_and_nothing_changes(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "b.tar.gz")
    async with await SqliteStore.open(settings.data_dir / "oma.db") as store:
        for force in (False, True):
            with pytest.raises(Misconfigured, match="running"):
                restore(settings, tmp_path / "b.tar.gz", force=force)
        await store.put(Agent(id="a9", created_at=DAY, updated_at=DAY), owner=ALICE)
    restore(settings, tmp_path / "b.tar.gz", force=True)


def test_onto_a_platform_whose_gateway_still_lives_it_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    backup(settings, tmp_path / "b.tar.gz")
    me = process()
    assert me
    settings.runtime_dir.mkdir()
    told = settings.runtime_dir / "gateway.json"
    told.write_bytes(msgspec.json.encode({"pid": me.pid, "start": me.start, "digest": "x"}))
    with pytest.raises(Misconfigured, match="running"):
        restore(settings, tmp_path / "b.tar.gz", force=True)
    told.write_bytes(msgspec.json.encode({"pid": me.pid, "start": me.start + 1, "digest": "x"}))
    restore(settings, tmp_path / "b.tar.gz", force=True)


def newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA user_version = 99")


def test_onto_a_newer_store_it_is_refused(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "b.tar.gz")
    newer(settings.data_dir / "oma.db")
    for force in (False, True):
        with pytest.raises(Misconfigured, match="newer program"):
            restore(settings, tmp_path / "b.tar.gz", force=force)
    with pytest.raises(Misconfigured, match="newer program"):
        backup(settings, tmp_path / "c.tar.gz")


def test_a_damaged_store_is_not_backed_up_but_may_be_replaced(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "b.tar.gz")
    (settings.data_dir / "oma.db").write_bytes(b"this is not a database, really not" * 1000)
    with pytest.raises(StoreUnavailable):
        backup(settings, tmp_path / "c.tar.gz")
    assert not (tmp_path / "c.tar.gz").exists()
    restore(settings, tmp_path / "b.tar.gz", force=True)
    assert len(rows(settings.data_dir / "oma.db", "events")) == 1


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def other(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04 something else")


def without_manifest(file: Path) -> None:
    with tarfile.open(file, "w:gz") as archive:
        archive.addfile(member("oma.db"), io.BytesIO())


@pytest.mark.parametrize("spoil", [cut, other, without_manifest, Path.unlink])
def test_what_is_no_whole_backup_changes_nothing(
    settings: Settings, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    backup(settings, tmp_path / "b.tar.gz")
    spoil(tmp_path / "b.tar.gz")
    before = tree(settings.data_dir)
    with pytest.raises(PlatformError):
        restore(settings, tmp_path / "b.tar.gz", force=True)
    assert tree(settings.data_dir) == before


def test_a_file_that_is_there_is_not_overwritten_unless_told_to(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("precious")
    with pytest.raises(Misconfigured, match="--force"):
        backup(settings, tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_text() == "precious"
    backup(settings, tmp_path / "b.tar.gz", force=True)


def test_where_nothing_is_or_the_store_is_elsewhere_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="nothing to back up"):
        backup(Settings(data_dir=tmp_path / "no"), tmp_path / "b.tar.gz")
    cloud = Settings(data_dir=tmp_path, store="firestore", gcp_project="p")
    for what in (backup, restore):
        with pytest.raises(Misconfigured, match=r"Firestore|migrate"):
            what(cloud, tmp_path / "b.tar.gz")
