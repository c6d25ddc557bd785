"""The front of the web, as it is served, over a store and a log full of payloads.

`python -m tests.xss.serve PORT FOLDER hostile|harmless`: prints one line of JSON, the cookie and the pages.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from core.store.sqlite import SqliteStore
from tests import serve_front
from tests.fakes import ScriptedSpawner
from tests.xss.corpus import harmless, payloads
from tests.xss.seed import seed, unfinished


async def main(port: int, folder: Path, kind: str) -> None:
    texts = [one if kind == "hostile" else harmless(one) for one in payloads()]

    async def prepare(store: SqliteStore, spawner: ScriptedSpawner) -> None:
        seeded = await seed(store, texts, key=serve_front.KEY, disk=spawner.disks)
        live = seeded.pages["unfinished answer"].partition("session=")[2]
        spawner.unfinished[live] = unfinished(texts)
        print(json.dumps(asdict(seeded)), flush=True)

    await serve_front.main(port, folder, prepare=prepare)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
