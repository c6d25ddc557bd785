"""A user id for each user's box: whose it is, that files follow it, and that it alone keeps users apart."""

import os
import resource
import stat
import tempfile
from pathlib import Path

import pytest

from core.config.settings import Settings
from core.domain.records import Box
from core.spawner import process, user_ids
from core.spawner.host import REPOSITORY
from core.spawner.host import inspect_host as look_at
from core.spawner.local import LocalSpawner
from core.spawner.probe import ProbeResult, examine
from core.spawner.process import Command, tail, unboxed
from core.spawner.user_ids import COUNT, FIRST, IDS, TRIAL, UserIds, admit, give
from tests.core.spawner.boxes import attempt, local, look, started
from tests.timeouts import PATIENCE_S

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to give")


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    folder = tmp_path / "homes"
    folder.mkdir(mode=0o700)
    return folder


def made(home: Path, uid: int | None = None) -> Path:
    home.mkdir(mode=0o700)
    give(home, uid)
    return home


def ids(pid: int) -> dict[str, set[int]]:
    """All ids of all kinds that a process has, and its groups."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: set(map(int, lines[name].split())) for name in ("Uid", "Gid", "Groups")}


def capabilities(pid: int) -> set[str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split()[1] for line in lines if line.startswith(("CapEff", "CapPrm", "CapInh", "CapBnd"))}


# --- whose is which ------------------------------------------------------------------------------------------------


def test_an_id_is_out_of_the_way_of_all_others_and_the_same_again(homes: Path) -> None:
    uid = UserIds(homes).assign(homes / "u1")
    assert uid in IDS
    assert (IDS[0], IDS[-1], len(IDS)) == (0x7000_0000, TRIAL, COUNT)
    assert IDS[-1] < 2**31
    assert UserIds(homes).assign(homes / "u1") == uid
    assert UserIds(homes.parent / "another platform").assign(homes.parent / "another platform" / "u1") != uid


@root
def test_the_record_of_it_is_who_owns_the_home(homes: Path) -> None:
    made(homes / "u1", FIRST + 7)
    assert UserIds(homes).assign(homes / "u1") == FIRST + 7


@root
def test_a_home_that_vanishes_meanwhile_changes_nothing_for_others(
    homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(homes / "u1", FIRST + 7)
    names = os.listdir
    monkeypatch.setattr(user_ids.os, "listdir", lambda folder: ["gone", *names(folder)])
    assert UserIds(homes).assign(homes / "u1") == FIRST + 7


@root
def test_two_users_never_have_the_same(homes: Path) -> None:
    owners = UserIds(homes)
    uid = owners.assign(homes / "u1")  # promised: its home is not there yet
    made(homes / "copy", uid)  # as a copy of the first one's home would be
    assert owners.assign(homes / "copy") != uid
    made(homes / "u1", uid)
    owners = UserIds(homes)  # as after a restart: both homes have the same owner
    assert owners.assign(homes / "u1") != owners.assign(homes / "copy")


@root
def test_the_id_of_the_trial_is_nobodys(homes: Path) -> None:
    made(homes / "u1", TRIAL)
    assert UserIds(homes).assign(homes / "u1") != TRIAL


@root
def test_who_has_left_is_forgotten_and_an_id_that_is_held_is_not_given(homes: Path) -> None:
    owners = UserIds(homes)
    uid = owners.assign(homes / "u1")
    made(homes / "u2", uid)
    assert owners.assign(homes / "u1") != uid or owners.assign(homes / "u2") != uid
    owners.forget(homes / "u1")
    assert owners.assign(homes / "u2") == uid


# --- files follow --------------------------------------------------------------------------------------------------


@root
def test_all_of_a_home_is_given_and_nothing_beside_it_and_it_goes_back(homes: Path) -> None:
    beside = homes / "beside"
    beside.write_text("ours")
    home = made(homes / "u1")
    (home / "a" / "b").mkdir(parents=True)
    (home / "a" / "b" / "f").write_text("x")
    (home / "a" / "link").symlink_to(beside)
    (home / "folder").symlink_to(homes)
    give(home, FIRST)
    everything = [home, *home.rglob("*")]
    assert {path.lstat().st_uid for path in everything} == {path.lstat().st_gid for path in everything} == {FIRST}
    assert (beside.stat().st_uid, homes.stat().st_uid) == (0, 0)
    give(home, None)
    assert {path.lstat().st_uid for path in everything} == {0}


@root
def test_a_walk_that_was_cut_off_begins_again(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = made(homes / "u1")
    (home / "f").write_text("x")
    (home / "g").write_text("x")
    real, done = os.chown, [0]

    def once(*args: object, **more: object) -> None:
        done[0] += 1
        if done[0] > 1:
            raise OSError("the power went")
        real(*args, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(user_ids.os, "chown", once)
        with pytest.raises(OSError, match="power"):
            give(home, FIRST)
    assert home.stat().st_uid == 0  # so that the next start does not take it for done
    give(home, FIRST)
    assert {path.stat().st_uid for path in (home, *home.iterdir())} == {FIRST}


@root
def test_a_folder_of_ours_can_be_passed_by_one_group_and_read_by_nobody_else(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    admit(folder, FIRST)
    found = folder.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, FIRST, 0o750)


# --- what runs -----------------------------------------------------------------------------------------------------


def alone(spawner: LocalSpawner) -> LocalSpawner:
    """Return the spawner if users have ids of their own here; else skip the test."""
    layer = next(one for one in spawner.isolation().layers if one.number == "L2")
    if not layer.live:
        pytest.skip(layer.why)
    return spawner


def pid_of(running: Box) -> int:
    return int(running.spawner_state["pid"])


@root
@pytest.mark.parametrize("sandbox", ["bubblewrap", "landlock"])
async def test_each_users_box_runs_as_an_id_of_its_own_without_groups_and_without_rights(
    tmp_path: Path, sandbox: str
) -> None:
    spawner = alone(local(tmp_path, sandbox=sandbox))
    async with started(spawner, user="u1", id="b1") as one, started(spawner, user="u2", id="b2") as other:
        mine, theirs = ids(pid_of(one)), ids(pid_of(other))
        (uid,), (gid,) = mine["Uid"], mine["Gid"]
        assert uid == gid == (tmp_path / "data" / "homes" / "u1").stat().st_uid
        assert uid in IDS
        assert theirs["Uid"] == {(tmp_path / "data" / "homes" / "u2").stat().st_uid} != mine["Uid"]
        assert mine["Groups"] <= {gid}
        assert capabilities(pid_of(one)) == {"0" * 16}
        await attempt(spawner, one, "answer = open(given['home'] + '/f', 'w').write('x')")
        assert (tmp_path / "data" / "homes" / "u1" / "f").stat().st_uid == uid


@root
def test_without_any_other_wall_an_id_does_not_see_what_is_anothers_or_ours() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, tempfile.TemporaryFile() as output:
        Path(folder).chmod(0o755)  # every folder on the way may be entered
        own, other = made(Path(folder, "u1"), FIRST + 1), made(Path(folder, "u2"), FIRST + 2)
        ours = Path(folder, "key")
        for file, uid in ((own / "f", FIRST + 1), (other / "f", FIRST + 2), (ours, 0)):
            file.write_text("seen")
            file.chmod(0o600)
            os.chown(file, uid, uid)
        ways = f"{own}/f {other} {other}/f {ours} /proc/{os.getpid()}/environ /proc/{os.getpid()}/mem"
        look_around = f"for way in {ways}; do ls $way/ || cat $way; done; kill -0 {os.getpid()} && echo killed"
        words = ["/bin/sh", "-c", f"exec 2>&1; {look_around}"]
        unboxed(Command(words=words, output=output, uid=FIRST + 1), home=own).wait(PATIENCE_S)
        said = tail(output)
        assert (said.count("seen"), said.count("killed")) == (1, 0)
        assert said.count("Permission denied") >= 7, said
        assert "Operation not permitted" in said  # of the signal


@root
async def test_what_the_platform_keeps_is_not_there_for_a_box(tmp_path: Path) -> None:
    spawner = alone(local(tmp_path, sandbox="landlock"))
    (tmp_path / "data" / "homes").mkdir(parents=True, exist_ok=True)
    (tmp_path / "data" / "oma.db").write_text("everybody's")
    async with started(spawner, user="u2", id="b2"), started(spawner, user="u1", id="b1") as running:
        for way in (f"open('{tmp_path}/data/oma.db')", f"os.listdir('{tmp_path}/data/homes/u2')",
                    f"os.listdir('{tmp_path}/run/b/b2')"):  # fmt: skip
            assert (await look(spawner, running, way)).startswith(("PermissionError", "FileNotFoundError")), way


@root
async def test_a_home_from_elsewhere_is_its_users_after_a_start(tmp_path: Path) -> None:
    spawner = alone(local(tmp_path))
    home = tmp_path / "data" / "homes" / "u1"
    home.mkdir(parents=True)
    (home / "restored").write_text("as root restores it")
    (home / "restored").chmod(0o600)
    async with started(spawner, user="u1", id="b1") as running:
        assert await look(spawner, running, "open(given['home'] + '/restored').read()") == "as root restores it"
    assert (home / "restored").stat().st_uid in IDS


@root
async def test_without_a_sandbox_a_home_is_ours_again(tmp_path: Path) -> None:
    async with started(alone(local(tmp_path)), user="u1", id="b1"):
        pass
    home = tmp_path / "data" / "homes" / "u1"
    assert home.stat().st_uid in IDS
    async with started(local(tmp_path, sandbox="none"), user="u1", id="b1") as running:
        assert ids(pid_of(running))["Uid"] == {0}
    assert home.stat().st_uid == 0


@root
async def test_limits_hold_for_it(tmp_path: Path) -> None:
    spawner = alone(local(tmp_path, sandbox="landlock"))
    async with started(spawner, user="u1", id="b1") as running:
        limits = Path(f"/proc/{pid_of(running)}/limits").read_text()
    found = {line[:25].strip(): line[25:].split()[1] for line in limits.splitlines()}
    most = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    assert (found["Max core file size"], found["Max processes"], found["Max open files"]) == ("0", "4096", str(most))


@root
def test_the_platforms_own_view_of_the_machine_stays_what_it_was(tmp_path: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    mask = os.umask(0o027)
    try:
        with tempfile.TemporaryFile() as output:
            home = made(tmp_path / "home", FIRST)
            unboxed(Command(words=["/bin/true"], output=output, uid=FIRST), home=home).wait(PATIENCE_S)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
    assert Path("/proc/self/mountinfo").read_text() == before


# --- what is found out ---------------------------------------------------------------------------------------------


@root
def test_users_have_ids_of_their_own_where_all_of_it_works(tmp_path: Path) -> None:
    assert examine(Settings(data_dir=tmp_path), look_at(REPOSITORY)) == ProbeResult(shared="")
    assert examine(Settings(data_dir=tmp_path, sandbox="landlock"), look_at(REPOSITORY)).shared == ""
    assert examine(Settings(data_dir=tmp_path, sandbox="none"), look_at(REPOSITORY)).shared == "no_box"


@root
def test_where_files_cannot_have_owners_boxes_are_made_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(user_ids.os, "chown", refuse)
    assert examine(Settings(data_dir=tmp_path), look_at(REPOSITORY)) == ProbeResult(shared="no_owners")


@root
def test_where_no_way_can_be_opened_boxes_are_made_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(process, "staged", refuse)
    assert examine(Settings(data_dir=tmp_path), look_at(REPOSITORY)) == ProbeResult(shared="closed")


def test_only_root_has_ids_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_ids.os, "geteuid", lambda: 1000)
    assert user_ids.trouble(tmp_path) == "shared"
