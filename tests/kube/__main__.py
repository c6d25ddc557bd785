"""The cluster as a process of its own, until SIGTERM. Prints its address on one line.

python -m tests.kube --port 8001 --folder /tmp/cluster -- python main.py runner --listen {ip}:8080 --home {home} …
"""

import argparse
import asyncio
import signal
from pathlib import Path

from tests.kube.cluster import STANDIN, Cluster


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kube", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="volumes and logs")
    parser.add_argument("--overlay", default="production", help="minimal: StatefulSets instead of agent-sandbox")
    parser.add_argument("command", nargs="*", help="what every pod runs; {ip}, {home} and {pod} are replaced")
    given = parser.parse_args()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    command = given.command or STANDIN
    async with Cluster(given.folder, pod_command=command, overlay=given.overlay, port=given.port) as cluster:
        print(cluster.url, flush=True)
        await stop.wait()


asyncio.run(main())
