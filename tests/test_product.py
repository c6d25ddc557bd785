"""The tests' own hold on a product: which processes of the machine are its."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.product import Product

WORDS = ("--die-with-parent", "--unshare-pid", "--ro-bind", "/", "/", "--tmpfs", "/mnt")


@pytest.mark.parametrize("mine", [True, False])
async def test_a_box_belongs_to_the_product_whose_home_is_in_it_and_to_no_namesake(tmp_path: Path, mine: bool) -> None:
    """Two workers run parameters of one test in folders whose last two parts are the same."""
    home, root = tmp_path / "gw0/test_0/product/data/homes/u1", tmp_path / f"gw{0 if mine else 1}/test_0/product"
    home.mkdir(parents=True)
    read, write = os.pipe()
    os.write(write, "\0".join((*WORDS, "--bind", str(home), "/mnt/home", "")).encode())
    os.close(write)  # as the spawner does it: the arguments of a box say nothing, only its mounts do
    box = await asyncio.create_subprocess_exec(
        "bwrap", "--args", str(read), "sh", "-c", "echo; exec sleep 30",
        pass_fds=[read], stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    os.close(read)
    try:
        assert box.stdout
        await asyncio.wait_for(box.stdout.readline(), 10)
        found = [process.pid for process in Product(root).processes("box")]
        assert bool(found) is mine
    finally:
        box.kill()
        await box.wait()
