"""The rules of the house that no linter knows. The numbers are ratchets: they may go down."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from core.config.settings import Settings, variable
from tests.imports import cycles

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("core", "auth", "ui", "web")
FILE_LINES = 350
FUNCTION_LINES = 40
RIDDLE = re.compile(r"(Whether|What|Whatever|Who|Whose|Whoever|Of|Where|How|Why|Which|When|Until|That)\b")

READS_ENVIRONMENT = {
    "core/config/settings.py",
    "core/gateway/egress/network.py",  # writes what libc reads
    "core/runner/launcher/launch.py",  # hands its whole environment to the program that it starts
}
# What puts the parts of a process together: tests/e2e starts these for real.
SEEN_BY_WALKS_ONLY = {
    "main",
    "web.server",
    "core.runner.daemon",
    "core.fleet.gateway_process",
    "core.operations.commands",
    "core.runner.launcher.launch",
}
# Written apart, so that this file does not break its own rule.
FOREIGN = [
    *("/" + "work/", "/" + "root/", "/opt/" + "wheels", "/opt/" + "pypi"),
    *("pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "ghcr" + ".io", "docker" + ".io"),
]


@cache
def sources() -> dict[str, str]:
    """Path → text of everything that is shipped."""
    found = [ROOT / "main.py", *(path for folder in SOURCES for path in (ROOT / folder).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(found)}


@cache
def trees() -> dict[str, ast.Module]:
    return {path: ast.parse(text) for path, text in sources().items()}


def nodes(kind: type | tuple[type, ...]) -> Iterator[tuple[str, ast.AST]]:
    for path, tree in trees().items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, kind))


@cache
def project_files() -> list[Path]:
    """Return the files in git, and those that `git add` would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    named = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for name in named if (path := ROOT / name).is_file()]


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    long = {path: len(text.splitlines()) for path, text in sources().items()}
    assert {path: lines for path, lines in long.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path}:{node.name}": length
        for path, node in nodes((ast.FunctionDef, ast.AsyncFunctionDef))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}


def test_every_module_says_what_it_is() -> None:
    silent = [path for path, tree in trees().items() if tree.body and not ast.get_docstring(tree)]
    assert silent == []


def test_no_docstring_opens_with_a_word_that_leaves_out_its_subject() -> None:
    """A docstring says what something does or is: "Return the users who …", "True if …", not "Who …", "Whether …"."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    opened = [
        f"{path.relative_to(ROOT)}: {text.splitlines()[0]}"
        for path in project_files()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, documented) and RIDDLE.match(text := ast.get_docstring(node) or "")
    ]
    assert opened == []


def test_the_environment_is_read_in_one_place() -> None:
    words = {"environ", "environb", "getenv", "putenv"}
    readers = set()
    for path, node in nodes((ast.Attribute, ast.ImportFrom)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = node.value.id == "os" and node.attr in words
        else:
            found = isinstance(node, ast.ImportFrom) and node.module == "os" and bool(words & names(node))
        if found:
            readers.add(path)
    assert readers == READS_ENVIRONMENT


def names(node: ast.ImportFrom) -> set[str]:
    return {alias.name for alias in node.names}


def test_whoever_catches_everything_says_why_or_lets_it_go_on() -> None:
    unexplained = []
    for path, node in nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        line = sources()[path].splitlines()[node.lineno - 1]
        broad = node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type))
        goes_on = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
        if broad and not goes_on and not re.search(r"#\s*(noqa: BLE001\s*#)?\s*\w{2,}.*\s\w", line):
            unexplained.append(f"{path}:{node.lineno}")
    assert unexplained == []


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{variable(name)}`" in (ROOT / "docs" / "settings.md").read_text()


def test_every_module_is_used_by_a_test() -> None:
    tests = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")]
    used = {name for path in tests for name in imported(path, ast.parse((ROOT / path).read_text()))}
    modules = {module(path) for path, tree in trees().items() if has_code(tree)}
    assert modules - used_through(used & modules) - SEEN_BY_WALKS_ONLY == set()


def used_through(start: set[str]) -> set[str]:
    """Return the modules that `start` imports, directly and indirectly: they are tested through it."""
    uses = {module(path): set(imported(path, tree)) for path, tree in trees().items()}
    reached: set[str] = set()
    while start:
        reached |= start
        start = {name for one in start - SEEN_BY_WALKS_ONLY for name in uses[one]} & set(uses) - reached
    return reached


def has_code(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in tree.body)


def module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(path: str, tree: ast.Module) -> Iterator[str]:
    """Full names of what a file imports; `from x import y` may mean the module x.y."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folders = path.split("/")[: -node.level] if node.level else []
            base = ".".join([*folders, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{name}" for name in names(node))


def test_no_two_modules_import_each_other() -> None:
    """Also through others, and also where only types are meant: who reads one of them has to read all."""
    assert cycles() == []


# Package of others → the names of our modules that may import it.
LEAVES = {
    "google": "google|firestore|vertex",
    "google_crc32c": "google",
    "grpc": "google|firestore",
    "kubernetes_asyncio": "kubernetes_api$",
    "nicegui": "^(ui|web)|^auth.socket",
    "authlib": "^auth",
}


@pytest.mark.parametrize("package", LEAVES)
def test_a_client_of_others_is_imported_only_where_the_name_says_so(package: str) -> None:
    users = {
        module(path)
        for path, tree in trees().items()
        if any(name == package or name.startswith(package + ".") for name in imported(path, tree))
    }
    assert users, "nothing imports it any more: take it out of the table"
    assert [name for name in sorted(users) if not re.search(LEAVES[package], name)] == []


def test_no_file_names_this_machine_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in project_files()
        if path.suffix not in (".png", ".woff2", ".ico", ".svg")
        for word in FOREIGN
        if word in path.read_text(errors="replace")
    ]
    assert found == []


LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock", "requirements-security.lock")


def locked(name: str) -> dict[str, str]:
    """Package → version of a lock file, every one of them with a hash."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
    found = {}
    for entry in entries:
        match = re.match(r"([a-z0-9][a-z0-9.-]*)==([^\s;]+)", entry)
        assert match, entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), f"{name}: {match[1]} has no hash"
        found[match[1]] = match[2]
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_and_no_addresses(name: str) -> None:
    assert locked(name)
    text = (ROOT / name).read_text()
    assert not re.search(r"://|@ |--(extra-)?index|--find-links|^\s*#", text, re.MULTILINE)


def test_what_is_pinned_is_what_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run, dev, groups = locked("requirements.lock"), locked("requirements-dev.lock"), project["dependency-groups"]
    tools = locked("requirements-security.lock")
    for pinned, lock in ((project["project"]["dependencies"], run), (groups["dev"], dev), (groups["security"], tools)):
        for requirement in pinned:
            name, version = requirement.split("==")
            assert lock.get(name.lower()) == version, f"{requirement}: type make lock"
    assert run.items() <= dev.items(), "one environment serves both: the same versions in both locks"


def test_actions_are_pinned_by_commit() -> None:
    used = [
        line for path in (ROOT / ".github").rglob("*.yml") for line in path.read_text().splitlines() if "uses:" in line
    ]
    assert used
    assert [line for line in used if not re.search(r"@[0-9a-f]{40} # v\d", line)] == []
