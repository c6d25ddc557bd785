"""Running a command for a box, where that goes wrong before it has begun."""

import os
import sys
import tempfile
from pathlib import Path

from core.spawner.process import Command, tail, unboxed
from core.spawner.process_tree import process


def test_one_that_has_ended_before_it_is_told_anything_is_known_by_what_it_printed(tmp_path: Path) -> None:
    with tempfile.TemporaryFile() as output:
        words = (sys.executable, "-c", "print('no such interpreter'); import sys; sys.exit(3)")
        command = Command(words=words, stdin=b"the boot key\n", output=output, enter=_until_ended)
        child = unboxed(command, home=tmp_path)
        assert process(child.pid) is None, "it is told apart from one that runs"
        assert child.wait(10) == 3
        assert "no such interpreter" in tail(output)


def _until_ended(pid: int) -> None:
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
