"""The connection that keeps a runner alive and brings its news, for as long as the runner lives (G4)."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import aiohttp
import msgspec

from core.domain.errors import PlatformError, RunnerUnavailable
from core.domain.records import Box
from core.fleet.runner_client import RunnerClient
from core.protocol.runner_api import SessionChange
from core.spawner import Poll, Spawner

log = logging.getLogger("oma.runners")

RETRY_S: Final = 0.1
RETRY_MOST_S: Final = 1.0  # asking a cluster ten times a second for minutes would be its burden
HUNG_S: Final = 60.0  # a runner that lives but does not answer for so long is ended; an agent can stop its own runner
ENDS_S: Final = 15.0  # from the first refusal to the end: a runner that is told to stop takes a few seconds


async def hold(
    client: RunnerClient, spawner: Spawner, *, ours: Callable[[], bool], tell: Callable[[SessionChange], None]
) -> bool:
    """Until it is gone (True) or closed (False). While it is not `ours`, somebody asks it whether it may be ended."""
    clock = asyncio.get_running_loop().time
    heard, pause_s = clock(), RETRY_S
    while not client.closed:
        if not ours():
            await asyncio.sleep(RETRY_S)
            continue
        try:
            async with client.hold() as socket:
                async for frame in socket:
                    heard, pause_s = clock(), RETRY_S
                    if frame.type is aiohttp.WSMsgType.TEXT:
                        with suppress(msgspec.MsgspecError):
                            tell(msgspec.json.decode(frame.data, type=SessionChange))
                heard = clock()
        except (RunnerUnavailable, aiohttp.ClientError, OSError) as error:
            log.info("lost the hold on runner %s: %s", client.box.id, error)
        gone = clock() - heard > HUNG_S or await spawner.poll(client.box) is Poll.GONE or await is_unbound(client)
        if gone and ours():
            return True
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, RETRY_MOST_S)
    return False


async def is_unbound(client: RunnerClient) -> bool:
    """Another process is in its place, which knows nobody: a container that was started again."""
    try:
        await client.status()
    except PlatformError as error:
        return error.code == "dormant"
    return False


async def confirm_dead(client: RunnerClient, spawner: Spawner, *, stopping: bool) -> bool:
    """Of one that has just failed somebody: whether it is gone, which may show a little later than it is felt.

    `stopping`: it has said so itself, and only its end is waited for.

    Raises: RunnerUnavailable: it is there still, and says nothing.
    """
    try:
        async with asyncio.timeout(ENDS_S):
            while await spawner.poll(client.box) is not Poll.GONE:
                try:
                    await client.status()
                except PlatformError as error:
                    if error.code == "dormant":
                        return True
                else:
                    if not stopping:
                        return False
                await asyncio.sleep(RETRY_S)
    except TimeoutError as error:
        raise RunnerUnavailable(f"runner {client.box.id} does not answer") from error
    return True


async def was_restarted(box: Box, spawner: Spawner) -> bool:
    """As `dormant`, of a runner that nobody here holds."""
    client = RunnerClient(box, spawner.door(box))
    try:
        return await is_unbound(client)
    finally:
        await client.close()
