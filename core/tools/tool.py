"""What a platform tool is made of, and the text helpers that all of them need."""

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
    """Whose call it is. All of it comes from the box that calls and from the Store, nothing from the call itself.

    `call` is the call's own id: a call that comes again, because its answer was lost, has the same one.
    """

    store: Store
    vault: Vault
    user: UserId
    session: Session
    agent: Agent
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformTool(Generic[A]):
    """One tool. `handle` raises BadInput for what the model can mend; its text is the model's answer then.

    `asks` says whether a person has to decide about this call first. A call that is not to be carried out raises
    BadInput there, so that nobody is asked about it. Without `asks` nobody is ever asked.
    """

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
