"""`python main.py runner`: the process in the box. On one machine it inherits a listening socket; a pod has a port.

--fd N --box-sock PATH                             the boot key is a JSON line on stdin
--listen HOST:PORT --gateway URL --boot-key FILE   a spare runner that waits until it gets a user
"""

import argparse
import asyncio
import json
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from core.observability import logs
from core.runner.app import App
from core.runner.gateway_transport import transport_to
from core.runner.known_secrets import KnownSecrets
from core.runner.processes import become_subreaper, hide, limit_ourselves
from core.runner.runner import Runner

log = logging.getLogger("oma.daemon")

SHUTDOWN_S = 1.0  # for open answers when the runner ends; WebSockets are closed at once
BACKLOG = 128
KEY_CHARS = 16  # an empty file must not become a known key


def main(argv: list[str]) -> int:
    """Run the runner. Returns 0 after an orderly end; 2 if it could not start."""
    options = _options(argv)
    logs.configure_logging("json", part="runner")
    hide()  # before there is a key in our memory
    try:
        boot_key = _boot_key(options)
        logs.configure_logging("json", [boot_key], part="runner")
        listening = _listening(options)
        become_subreaper()
        limit_ourselves()
    except EOFError:  # its starter was interrupted, which is no error
        log.info("the process that started this runner has ended without a boot key")
        return 2
    except (ValueError, KeyError, TypeError, OSError) as error:
        log.error("the runner cannot start: %s", error)
        return 2
    asyncio.run(serve(listening, options, boot_key))
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="main.py runner", description=__doc__)
    ours = parser.add_mutually_exclusive_group(required=True)
    ours.add_argument("--fd", type=int, help="the listening unix socket")
    ours.add_argument("--listen", help="HOST:PORT")
    gateway = parser.add_mutually_exclusive_group(required=True)
    gateway.add_argument("--box-sock", dest="gateway", help="the gateway's socket")
    gateway.add_argument("--gateway", type=_url, help="http://HOST:PORT")
    parser.add_argument("--home", type=Path, required=True, help="the user's home inside the box")
    parser.add_argument("--cli", required=True, help="the Claude Code CLI")
    parser.add_argument(
        "--boot-key", type=Path, help="the file with the key that opens POST /v1/init; else it is stdin"
    )
    parser.add_argument(
        "--pod", help="with --listen: our name, which what the boot key signs must say; else the host's"
    )
    return parser.parse_args(argv)


def _url(text: str) -> str:
    transport_to(text, first_line=bytes)
    return text


def _boot_key(options: argparse.Namespace) -> str:
    """Read the boot key. Raises: EOFError: the starter has ended. OSError, ValueError, KeyError, TypeError: it is
    invalid.
    """
    if not options.boot_key:
        if not (line := sys.stdin.readline()):
            raise EOFError
        return str(json.loads(line)["boot_key"])
    key = str(options.boot_key.read_text(encoding="ascii").strip())
    if len(key) < KEY_CHARS:
        raise ValueError(f"the key in {options.boot_key} has less than {KEY_CHARS} characters")
    return key


def _listening(options: argparse.Namespace) -> socket.socket:
    """Raises: OSError, ValueError."""
    if options.fd is not None:
        return socket.socket(fileno=options.fd)
    host, _, port = options.listen.rpartition(":")
    address = (host.strip("[]"), int(port))
    return socket.create_server(
        address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET, backlog=BACKLOG
    )


async def serve(listening: socket.socket, options: argparse.Namespace, boot_key: str) -> None:
    """Serve until the runner has ended: by itself, by POST /v1/stop or by a signal."""

    def learned(values: Sequence[str]) -> None:
        logs.configure_logging("json", [boot_key, *values])

    runner = Runner(
        cli=options.cli,
        home=options.home,
        gateway=options.gateway,
        boot_key=boot_key,
        pod="" if options.fd is not None else options.pod or socket.gethostname(),  # in a pod, the pod's name
        spare=options.fd is None,
        known=KnownSecrets(learned=learned),
    )
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
