"""Imports the SDK without `mcp` and `jsonschema`, which it needs only to serve tools itself; tools.py serves ours.

They would cost every runner more than a second of processor time and 30 MB before its first message
(docs/performance.md). The SDK gets empty classes in their place, which are enough for its definitions.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

LEFT_OUT = ("mcp", "jsonschema")


class _Hollow:
    """The base of the replacement classes: it can be subclassed and named."""

    def __init_subclass__(cls, **_: object) -> None:
        super().__init_subclass__()


class _Absent(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (_Hollow,), {})


class _Finder(MetaPathFinder, Loader):
    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        return ModuleSpec(fullname, self, is_package=True) if _left_out(fullname) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module is empty."""


def _left_out(name: str) -> bool:
    return name.partition(".")[0] in LEFT_OUT


@contextmanager
def _without() -> Iterator[None]:
    """Replace the modules during an import. Loaded modules stay; afterwards the replaced ones can be
    imported normally.
    """
    finder, before = _Finder(), set(sys.modules)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _left_out(name) and name not in before]:
            del sys.modules[name]


with _without():
    from claude_agent_sdk import (
        ClaudeAgentOptions,
        ClaudeSDKClient,
        CLIConnectionError,
        PermissionResultAllow,
        PermissionResultDeny,
        PermissionUpdate,
        ToolPermissionContext,
        Transport,
    )
    from claude_agent_sdk.types import PermissionRuleValue

__all__ = [
    "CLIConnectionError",
    "ClaudeAgentOptions",
    "ClaudeSDKClient",
    "PermissionResultAllow",
    "PermissionResultDeny",
    "PermissionRuleValue",
    "PermissionUpdate",
    "ToolPermissionContext",
    "Transport",
]
