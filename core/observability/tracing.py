"""One request or message followed through our processes: W3C trace context, and spans for who collects them.

Ids are carried always, because log lines have them; spans go to the sink that `sink` holds, if there is one (otlp.py in
web and gateway). A turn's trace follows from its session and message, so that the gateway knows it from the log
alone: no header has to go through the box, and nothing that a box says can reach another user's trace.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

HEADER = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
Kind = Literal["server", "client", "internal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A place in a trace: which one, and the span that we are inside of."""

    trace_id: str
    span_id: str

    @property
    def header(self) -> str:
        """As `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass(slots=True, kw_only=True)
class Span:
    """Something that took a while; `name` and `attributes` may be filled in until it ends."""

    name: str
    kind: Kind
    at: Trace
    parent: Trace | None
    start_ns: int  # since 1970
    end_ns: int = 0
    failed: bool = False
    attributes: dict[str, str | int | float] = field(default_factory=dict)


current: ContextVar[Trace | None] = ContextVar("trace", default=None)
sink: ContextVar[Callable[[Span], None] | None] = ContextVar("span_sink", default=None)


def fresh() -> Trace:
    """The beginning of a new trace."""
    return Trace(trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8))


def of_message(session: str, message: str) -> Trace:
    """Where a message's trace begins; the same in every process that knows both."""
    digest = sha256(f"{session}\0{message}".encode(errors="replace")).hexdigest()
    return Trace(trace_id=digest[:32], span_id=digest[32:48])


def turn_of(message: Trace) -> Trace:
    """The turn that a message began."""
    return Trace(trace_id=message.trace_id, span_id=sha256(message.header.encode()).hexdigest()[:16])


def parse(header: str) -> Trace | None:
    """None: it is none that we would write."""
    found = HEADER.fullmatch(header)
    return Trace(trace_id=found[1], span_id=found[2]) if found and int(found[1], 16) and int(found[2], 16) else None


@contextmanager
def inside(trace: Trace | None) -> Iterator[None]:
    """What is logged meanwhile belongs to `trace`."""
    before = current.set(trace)
    try:
        yield
    finally:
        current.reset(before)


@contextmanager
def span(name: str, *, kind: Kind = "internal", at: Trace | None = None, parent: Trace | None = None) -> Iterator[Span]:
    """Measure what is inside, under `parent`, else under the span that is open; `at`: a place that is known already."""
    parent = parent or (current.get() if at is None else None)
    here = at or Trace(trace_id=parent.trace_id if parent else fresh().trace_id, span_id=secrets.token_hex(8))
    one = Span(name=name, kind=kind, at=here, parent=parent, start_ns=time.time_ns())
    try:
        with inside(here):
            yield one
    except BaseException:
        one.failed = True
        raise
    finally:
        one.end_ns = time.time_ns()
        end(one)


@contextmanager
def call(name: str) -> Iterator[None]:
    """Measure a call to another process, if somebody asked for it: what we do by ourselves is no trace."""
    if current.get() is None:
        yield
        return
    with span(name, kind="client"):
        yield


def end(one: Span) -> None:
    """Give a finished span to whoever collects them."""
    if take := sink.get():
        take(one)
