"""The files of tests: the cases in an agent's folder, and what a case's run left in its copy of it."""

from typing import Final

import tomlkit

from core.agents.changes import change_agent
from core.domain.agent_tests import CASES, FOLDER, AgentTestRun, Case, as_file, read_case
from core.domain.errors import BadInput, Conflict, NotFound
from core.domain.records import Agent, UserId
from core.domain.runs import Run
from core.fleet.files_client import FilesClient
from core.fleet.runner_client import RunnerClient
from core.store import Store

CASE_BYTES: Final = 64 * 1024
TEXT_BYTES: Final = 256 * 1024  # of a file that a check looks into
LOOKED_AT: Final = 400  # entries of a folder in which changed files are looked for
DEPTH: Final = 4
NAMED: Final = 20  # changed files

Seen = dict[str, tuple[int, float]]  # path → size in bytes, time of its last change


async def read_cases(files: FilesClient) -> tuple[Case, ...]:
    """The cases in the agent's folder, by name. Raises: BadInput: one of them is none. RunnerUnavailable."""
    try:
        page = await files.list(FOLDER)
    except (NotFound, Conflict):
        return ()
    names = [entry.name for entry in page.entries if entry.kind == "file" and entry.name.endswith(".toml")]
    if len(names) > CASES:
        raise BadInput(f"there are {len(names)} test cases; at most {CASES} are run at once")
    cases = []
    for name in sorted(names):
        content = await files.read(f"{FOLDER}/{name}", limit_bytes=CASE_BYTES)
        cases.append(read_case(name.removesuffix(".toml"), content.data.decode(errors="replace")))
    return tuple(cases)


async def write_cases(store: Store, files: FilesClient, run: AgentTestRun, user: UserId) -> None:
    """Write the cases of a test run into the agent's folder, and name them in its definition."""
    for case in run.cases:
        text = tomlkit.dumps(as_file(case))
        await files.write(f"{FOLDER}/{case.name}.toml", text.encode(), limit_bytes=CASE_BYTES)
    names = tuple(case.name for case in run.cases)

    def named(agent: Agent) -> dict[str, tuple[str, ...]]:
        return {"tests": tuple(dict.fromkeys((*agent.tests, *names)))}

    await change_agent(store, run.agent, named, owner=user)


async def texts_of(case: Case, copy: FilesClient) -> dict[str, str | None]:
    """The text of each file that a check of the case names; None where there is no such file."""
    found: dict[str, str | None] = {}
    for path in {check.path for check in case.checks if check.path}:
        try:
            found[path] = (await copy.read(path, limit_bytes=TEXT_BYTES)).data.decode(errors="replace")
        except (NotFound, Conflict, BadInput):
            found[path] = None
    return found


async def changed_files(runner: RunnerClient, row: Run) -> tuple[tuple[str, int], ...]:
    """The files that a run made or changed in its copy of the agent's folder, with their sizes."""
    before, after = await _seen(FilesClient(runner, row.agent)), await _seen(FilesClient(runner, row.folder))
    changed = sorted(path for path, (size, at) in after.items() if _differs(before.get(path), size, at))
    return tuple((path, after[path][0]) for path in changed[:NAMED])


def _differs(before: tuple[int, float] | None, size: int, at: float) -> bool:
    """A copy keeps the times of what it copies, perhaps less exactly."""
    return before is None or before[0] != size or abs(before[1] - at) > 0.01


async def _seen(files: FilesClient) -> Seen:
    found: Seen = {}
    folders = [""]
    while folders and len(found) < LOOKED_AT:
        folder = folders.pop(0)
        try:
            page = await files.list(folder)
        except (NotFound, Conflict):
            continue
        for entry in page.entries:
            path = f"{folder}/{entry.name}".lstrip("/")
            if entry.kind == "file":
                found[path] = (entry.size_bytes, entry.modified_at)
            elif entry.kind == "folder" and path.count("/") < DEPTH and not entry.name.startswith("."):
                folders.append(path)
    return found
