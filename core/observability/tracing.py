"""Follows a request or message through our processes: W3C trace context, and spans for a collector.

Ids are always passed on, because log lines have them. Spans go to the sink in `sink`, if there is one (otlp.py in web
and gateway). A turn's trace follows from its session and message, so that the gateway knows it from the log
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
    """A position in a trace: its id and the id of the current span."""

    trace_id: str
    span_id: str

    @property
    def header(self) -> str:
        """The value of the `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-01"


@dataclass(slots=True, kw_only=True)
class Span:
    """A measured operation; `name` and `attributes` may be set until it ends."""

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


def new_trace() -> Trace:
    """Return the start of a new trace."""
    return Trace(trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8))


def message_trace(session: str, message: str) -> Trace:
    """Return the start of a message's trace, which every process computes alike from session and message."""
    digest = sha256(f"{session}\0{message}".encode(errors="replace")).hexdigest()
    return Trace(trace_id=digest[:32], span_id=digest[32:48])


def turn_trace(message: Trace) -> Trace:
    """Return the position of the turn that a message began."""
    return Trace(trace_id=message.trace_id, span_id=sha256(message.header.encode()).hexdigest()[:16])


def parse(header: str) -> Trace | None:
    """Parse a `traceparent` header; None if it is not one in the form that we write."""
    found = HEADER.fullmatch(header)
    return Trace(trace_id=found[1], span_id=found[2]) if found and int(found[1], 16) and int(found[2], 16) else None


@contextmanager
def use_trace(trace: Trace | None) -> Iterator[None]:
    """Attribute what is logged inside to `trace`."""
    before = current.set(trace)
    try:
        yield
    finally:
        current.reset(before)


@contextmanager
def span(name: str, *, kind: Kind = "internal", at: Trace | None = None, parent: Trace | None = None) -> Iterator[Span]:
    """Measure what is inside as a span under `parent`, else under the open one; `at` gives the span its position."""
    parent = parent or (current.get() if at is None else None)
    here = at or Trace(trace_id=parent.trace_id if parent else new_trace().trace_id, span_id=secrets.token_hex(8))
    one = Span(name=name, kind=kind, at=here, parent=parent, start_ns=time.time_ns())
    try:
        with use_trace(here):
            yield one
    except BaseException:
        one.failed = True
        raise
    finally:
        one.end_ns = time.time_ns()
        export_span(one)


@contextmanager
def client_span(name: str) -> Iterator[None]:
    """Measure a call to another process as a span, if it belongs to a trace."""
    if current.get() is None:
        yield
        return
    with span(name, kind="client"):
        yield


def export_span(one: Span) -> None:
    """Hand a finished span to the exporter, if there is one."""
    if take := sink.get():
        take(one)
