"""Tests of the end of runners in hard cases: nobody saved the pid, or no more files can be opened."""

import errno
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest

from core.config.runtime_dir import Process, Runtime, process
from core.config.settings import Settings
from core.spawner import user_ids
from core.spawner.local import LocalSpawner
from core.spawner.process_tree import kill
from tests.core.spawner.boxes import look, program, started


async def test_who_was_not_written_down_is_found_where_sockets_have_a_file_system_of_their_own(tmp_path: Path) -> None:
    """/run/user is such a file system. The test uses no ids of users, because those would be swept anyway."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, pytest.MonkeyPatch.context() as without:
        without.setattr(user_ids, "trouble", lambda _: "shared")
        (Path(folder) / "b").mkdir(mode=0o700)
        settings = Settings(data_dir=tmp_path / "data", sandbox="bubblewrap")
        spawner = LocalSpawner(settings, Runtime(Path(folder)), program=program(tmp_path / "program"))
        if spawner.isolation().missing:
            pytest.skip("no bubblewrap here")
        async with started(spawner) as running:
            await look(spawner, running, "1")
            await spawner.stop(msgspec.structs.replace(running, spawner_state={}), grace_s=0)
            found = Process.read(running.spawner_state)
            assert found and not found.alive()


def test_who_has_too_many_files_open_takes_nobody_for_dead_and_hits_nobody() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        there = process(child.pid)
        assert there
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        found: list[object] = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            found.append(there.alive())
            kill(there)
        except OSError as error:
            found.append(error.errno)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert found == [True, errno.EMFILE]
        assert child.poll() is None
        child.communicate(b"\n")
    assert not there.alive()
