"""The parts of a platform tool, and text functions that all tools use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from core.domain.records import Agent, Session, UserId
from core.domain.visible_text import visible
from core.protocol.gateway_api import ToolAnswer, ToolSpec
from core.store import Store
from core.vault import Vault

A = TypeVar("A", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """The origin of a call. All fields come from the calling box and from the Store, none from the call itself."""

    store: Store
    vault: Vault
    user: UserId
    session: Session
    agent: Agent
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformTool(Generic[A]):
    """A platform tool. `handle` raises BadInput for what the model can correct; its text is then the model's answer."""

    name: str
    description: str
    arguments: type[A]
    handle: Callable[[ToolContext, A], Awaitable[ToolAnswer]]
    asks: Callable[[ToolContext, A], Awaitable[bool]] | None = None

    @property
    def spec(self) -> ToolSpec:
        """The tool as a runner offers it to its CLI."""
        return ToolSpec(
            name=self.name,
            description=self.description,
            input_schema=_schema(self.arguments),
            asks=self.asks is not None,
        )


def _schema(arguments: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON schema of the arguments. MCP wants an object at the top, and no reference to one."""
    (top,), parts = msgspec.json.schema_components((arguments,), ref_template="#/$defs/{name}")
    name = str(top["$ref"]).rpartition("/")[2]
    schema = dict(parts.pop(name))
    schema.pop("title", None)
    return schema | {"$defs": parts} if parts else schema


def one_line(text: str) -> str:
    """The text as one printable line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in visible(text)).split())
