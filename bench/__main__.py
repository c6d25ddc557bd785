"""`python -m bench [P1 P2 …]`: all rows or the named ones. stdout is one JSON object, the rest goes to stderr."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import (
    agent_files,
    box_start,
    cold_start,
    conversation,
    dashboard,
    gateway_forwarding,
    long_session,
    memory_and_start,
    page_load,
    runs,
    session_list,
    store_writes,
    streaming,
)
from bench.figures import Figure, progress
from bench.setup import Stage, stage

ROWS: dict[str, Callable[[Stage], Awaitable[dict[str, Figure]]]] = {
    "P1": conversation.first_token,
    "P2": conversation.smoothness,
    "P3": cold_start.asleep,
    "P3b": cold_start.new_session,
    "P3c": page_load.reload_in_mid_answer,
    "P4": cold_start.new_user,
    "P5": memory_and_start.memory,
    "P6": streaming.processor,
    "P7": streaming.main_thread,
    "P8": page_load.page_load,
    "P9": long_session.opening,
    "P11": conversation.stopping,
    "P12": gateway_forwarding.forwarding,
    "P13": memory_and_start.start,
    "P14": store_writes.contention,
    "P14b": session_list.sessions,
    "P15": runs.due_to_model,
    "P16": runs.schedules,
    "P17": dashboard.refresh,
    "P18": runs.hundred_thousand,
    "P20": agent_files.files,
    "K1": box_start.starts,
}
ROW_S = 180.0  # a row that hangs must not take the others with it


async def run(names: list[str]) -> dict[str, Figure]:
    """Measure the named rows and return their figures; a row that fails is an error among them."""
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory(prefix="oma-bench-") as folder:
        async with stage(Path(folder)) as shared:
            for name in names:
                began = time.monotonic()
                try:
                    async with asyncio.timeout(ROW_S):
                        figures |= await ROWS[name](shared)
                except Exception as error:  # noqa: BLE001  # one broken row must not hide the figures of the others
                    figures[name] = {"error": f"{type(error).__name__}: {error}"[:2000]}
                progress(f"{name} took {time.monotonic() - began:.1f} s")
    return figures


def main(argv: list[str]) -> int:
    """Print the figures and return the exit status: 0 when every row was measured."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], help="default: all")
    names = parser.parse_args(argv).rows or list(ROWS)
    figures = asyncio.run(run(names))
    print(json.dumps(figures, ensure_ascii=False, indent=1))
    return 1 if any("error" in figure for figure in figures.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
