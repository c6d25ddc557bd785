"""`python main.py runner`: the process in the box. It inherits a listening socket, reads one line, then it serves."""

import argparse
import asyncio
import json
import logging
import signal
import socket
import sys
from pathlib import Path

from aiohttp import web

from core import logs
from core.runner.app import App
from core.runner.known import Known
from core.runner.processes import become_subreaper, hide, limit_ourselves
from core.runner.runner import Runner

log = logging.getLogger("oma.daemon")

SHUTDOWN_S = 1.0  # for answers under way when the runner ends; sockets are simply closed


def main(argv: list[str]) -> int:
    """0 after an orderly end; 2 if it could not start."""
    options = _options(argv)
    logs.install("json", part="runner")
    try:
        boot_key = str(json.loads(sys.stdin.readline())["boot_key"])
        listening = socket.socket(fileno=options.fd)
    except (ValueError, KeyError, TypeError, OSError) as error:
        log.error("the runner cannot start: %s", error)
        return 2
    hide()
    logs.install("json", [boot_key], part="runner")
    become_subreaper()
    limit_ourselves()
    runner_options = {"cli": options.cli, "home": options.home, "box_sock": options.box_sock, "boot_key": boot_key}
    asyncio.run(serve(listening, **runner_options))
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="main.py runner", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the listening unix socket")
    parser.add_argument("--home", type=Path, required=True, help="the user's home inside the box")
    parser.add_argument("--box-sock", required=True, help="the gateway's socket")
    parser.add_argument("--cli", required=True, help="the Claude Code CLI")
    return parser.parse_args(argv)


async def serve(listening: socket.socket, *, cli: str, home: Path, box_sock: str, boot_key: str) -> None:
    """Until the runner has ended, by itself, by POST /v1/stop or by a signal."""
    known = Known(learned=lambda values: logs.install("json", [boot_key, *values]))
    runner = Runner(cli=cli, home=home, box_sock=box_sock, boot_key=boot_key, known=known)
    await runner.open()
    loop = asyncio.get_running_loop()
    stops: set[asyncio.Task[None]] = set()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: stops.add(loop.create_task(runner.stop())))
    server = web.AppRunner(App(runner).application(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await server.setup()
    await web.SockSite(server, listening).start()
    await runner.ended.wait()
    await server.cleanup()
