"""Composition root and command line: picks store, spawner and sign-in, opens and closes everything, serves.

    python main.py [serve]     pages, API, and (locally) the gateway      python main.py doctor    what is missing here
    python main.py gateway     the gateway of the boxes                   python main.py runner    the daemon in a box
    python main.py backup | restore FILE, migrate --to STORE              everything in one file, and between stores

Imports stand inside the commands: a box holds only this file and core/, and a runner must not pay for the pages.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.config.settings import Settings

KEEPING = ("backup", "restore", "migrate")
PROGRAM = Path(__file__).resolve()


def main(argv: list[str]) -> int:
    """The exit status: 0 when asked to end, 1 with one clear line on stderr when it cannot start."""
    command, rest = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else ("serve", argv)
    if command == "runner":
        from core.runner.daemon import main as runner

        return runner(rest)
    if command not in ("serve", "gateway", "doctor", *KEEPING):
        sys.stderr.write(f"unknown command {command!r}: serve, gateway, runner, doctor, {', '.join(KEEPING)}\n")
        return 2
    from core.domain.errors import PlatformError

    try:
        return _run(command, rest)
    except PlatformError as error:
        from core.observability.logs import escape_line
        from core.observability.secret_patterns import mask

        # a value that went into the wrong variable may be a key
        sys.stderr.write(f"oh-my-agent: {escape_line(mask(str(error)))}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run(command: str, argv: list[str]) -> int:
    from core.config.checks import check
    from core.config.settings import read, secrets_of
    from core.observability import logs

    given = _arguments(command, argv)
    settings = read(_environment(given))
    logs.configure_logging(settings.log_format, secrets_of(settings), part=command)
    if command == "doctor":
        from core.operations.doctor import examine, report

        return report(asyncio.run(examine(settings)))
    if command in KEEPING:
        from core.operations.commands import run

        return asyncio.run(run(command, settings, given))
    check(settings, "gateway" if command == "gateway" else "web")
    if command == "gateway":
        return asyncio.run(_gateway(settings))
    from web.server import run as serve

    return serve(settings, program=PROGRAM, open_browser="--open" in argv)


async def _gateway(settings: "Settings") -> int:
    from core.config.runtime_dir import platform_key
    from core.config.settings import secrets_of
    from core.gateway import cluster_server, local_server
    from core.gateway.egress.network import bound_resolver
    from core.observability import logs
    from core.store.factory import open_store

    keys = settings.session_secret or (platform_key(settings),)
    logs.configure_logging(
        settings.log_format, (*secrets_of(settings), *keys), part="gateway", project=settings.gcp_project
    )
    bound_resolver()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_store(settings) as store:
        await (cluster_server if settings.gateway_port else local_server).serve(settings, store, stop)
    return 0


def _arguments(command: str, argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python main.py {command}")
    parser.add_argument("--host")
    parser.add_argument("--port")
    parser.add_argument("--data-dir")
    parser.add_argument("--model", choices=("practice", "anthropic", "vertex"))
    parser.add_argument("--open", action="store_true", help="open the printed link in a browser")
    if command in ("backup", "restore"):
        parser.add_argument("file", type=Path)
        parser.add_argument("--force", action="store_true", help="replace what is there")
    if command == "migrate":
        parser.add_argument(
            "--to", choices=("firestore", "sqlite"), required=True, help="the other store is left alone"
        )
    return parser.parse_args(argv)


def _environment(given: argparse.Namespace) -> dict[str, str]:
    """The environment with what the command line says put over it; the gateway inherits the result."""
    from core.config.settings import overridden

    words = {"host": given.host, "port": given.port, "data_dir": given.data_dir, "model": given.model}
    return overridden({name: word for name, word in words.items() if word is not None})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
