"""Reads from the sources which of our modules imports which, including imports inside functions and for types."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "auth", "ui", "web")


@cache
def modules() -> dict[str, Path]:
    """Full name → file of everything that is shipped."""
    found = {"main": ROOT / "main.py"}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = str(path.relative_to(ROOT)).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            found[name] = path
    return found


@cache
def imports_of(module: str) -> frozenset[str]:
    """The modules of ours that a module imports, or names to importlib as a plain string."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(modules()[module].read_text())):
        found.update(_named(node))
    return frozenset(found & modules().keys())


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        submodules = [name for alias in node.names if (name := f"{node.module}.{alias.name}") in modules()]
        yield from submodules
        if len(submodules) < len(node.names):
            yield node.module
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        yield from (str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))


def reached(*start: str) -> set[str]:
    """These modules and all that they import, directly or not; with the packages they are in, which Python runs too."""
    found: set[str] = set()
    todo = list(start)
    while todo:
        module = todo.pop()
        if module not in found and module in modules():
            found.add(module)
            todo += [*imports_of(module), module.rpartition(".")[0]]
    return found


def cycles() -> list[list[str]]:
    """Groups of modules that import each other, each sorted."""
    return [group for group in _components() if len(group) > 1 or group[0] in imports_of(group[0])]


def _components() -> list[list[str]]:
    """Strongly connected components: modules that can reach each other."""
    ways = {module: _ways(module) for module in modules()}
    groups = {
        frozenset(other for other in ways[module] | {module} if module in ways[other] | {other}) for module in ways
    }
    return sorted(sorted(group) for group in groups)


def _ways(module: str) -> set[str]:
    """All modules that can be reached by following imports from this one."""
    found: set[str] = set()
    todo = list(imports_of(module))
    while todo:
        if (one := todo.pop()) not in found:
            found.add(one)
            todo += imports_of(one)
    return found
