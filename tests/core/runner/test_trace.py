"""Tests that the runner's log entries about a message carry the message's trace."""

import logging
from pathlib import Path

from core.domain.events import TurnFinished
from core.observability import tracing
from core.observability.tracing import Trace, message_trace
from tests.core.runner.box import Box


class Traces(logging.Handler):
    """The trace of each log entry."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Trace | None] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(tracing.current.get())


async def test_a_failed_start_is_logged_in_the_trace_of_the_message_that_wanted_it(tmp_path: Path) -> None:
    logged, here = Traces(), message_trace("s1", "m1")
    logging.getLogger("oma.session").addHandler(logged)
    try:
        async with Box(tmp_path, cli="/bin/false") as box:
            session = await box.session()
            async with session.watch() as watch:
                with tracing.use_trace(here):
                    assert (await session.say("a"))["status"] == 200
                await watch.until(TurnFinished)
    finally:
        logging.getLogger("oma.session").removeHandler(logged)
    assert logged.seen == [here]
