"""The socket that keeps a runner alive and brings its news (G4), and the ways to learn that a runner has died."""

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
RETRY_MOST_S: Final = 1.0  # asking a cluster ten times a second would burden it
HUNG_S: Final = 60.0  # a runner that does not answer for so long is ended: an agent can stop its own runner
ENDS_S: Final = 15.0  # from the first refusal to the end: a runner that is told to stop takes a few seconds


async def hold(
    client: RunnerClient, spawner: Spawner, *, is_held: Callable[[], bool], publish: Callable[[SessionChange], None]
) -> bool:
    """Keep the liveness socket open. Returns True if the runner died, False if the client was closed.

    Pauses while `is_held` is false: the idle reaper is stopping the runner then.
    """
    clock = asyncio.get_running_loop().time
    last_seen, pause_s = clock(), RETRY_S
    while not client.closed:
        if not is_held():
            await asyncio.sleep(RETRY_S)
            continue
        try:
            async with client.hold() as socket:
                async for frame in socket:
                    last_seen, pause_s = clock(), RETRY_S
                    if frame.type is aiohttp.WSMsgType.TEXT:
                        with suppress(msgspec.MsgspecError):
                            publish(msgspec.json.decode(frame.data, type=SessionChange))
                last_seen = clock()
        except (RunnerUnavailable, aiohttp.ClientError, OSError) as error:
            log.info("lost the hold on runner %s: %s", client.box.id, error)
        gone = clock() - last_seen > HUNG_S or await spawner.poll(client.box) is Poll.GONE or await is_unbound(client)
        if gone and is_held():
            return True
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, RETRY_MOST_S)
    return False


async def is_unbound(client: RunnerClient) -> bool:
    """Return whether the runner is not bound to a user any more: its container was restarted."""
    try:
        await client.status()
    except PlatformError as error:
        return error.code == "dormant"
    return False


async def confirm_dead(client: RunnerClient, spawner: Spawner, *, stopping: bool) -> bool:
    """After a failed call, wait up to ENDS_S to learn whether the runner has died.

    `stopping`: the runner has said that it is ending, so only its end is waited for.

    Raises: RunnerUnavailable: it is still there and does not answer.
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
    """Return whether a box that this process does not hold has a restarted, unbound runner."""
    client = RunnerClient(box, spawner.endpoint(box))
    try:
        return await is_unbound(client)
    finally:
        await client.close()
