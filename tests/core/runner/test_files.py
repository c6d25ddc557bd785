"""Tests that neither a user's files nor a caller's words lead the runner to another place, file or command."""

from pathlib import Path
from typing import Any

import pytest

from core.protocol.gateway_api import AgentSpec, SessionSpec, Spec
from core.runner.cli_argv import CliPaths, environment
from core.runner.log import EventLog
from tests.core.runner.box import Box

PATHS = ("..%2F..%2Fevil", "..%2Fother", "a%2Fb", "%00", "x" * 65, "%2e%2e%2fx")


def test_a_log_that_is_no_file_is_refused() -> None:
    with pytest.raises(OSError, match="not a file"):
        EventLog.open(Path("/dev/null"), b"")


def test_a_log_behind_a_link_is_not_written(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"no line of a log")
    (tmp_path / "s.jsonl").symlink_to(theirs)
    with pytest.raises(OSError, match=r"s\.jsonl"):
        EventLog.open(tmp_path / "s.jsonl", b"")
    assert theirs.read_bytes() == b"no line of a log"


async def test_ids_that_are_paths_are_refused_by_every_route(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        for path in PATHS:
            for method, route in (
                ("PUT", f"/v1/sessions/{path}"),
                ("DELETE", f"/v1/sessions/{path}"),
                ("DELETE", f"/v1/agents/{path}"),
                ("POST", f"/v1/agents/{path}/rest"),
            ):
                body: dict[str, Any] | None = {"agent": "a1"} if method == "PUT" else None
                answer = await box.call(method, route, body)
                assert answer["status"] == 400, (method, route, answer)
                assert answer["code"] == "bad_input"
        assert not list(tmp_path.rglob("*evil*"))


async def test_an_agents_id_that_is_a_path_is_refused(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        answer = await box.call("PUT", "/v1/sessions/s1", {"agent": "../../evil"})
        assert answer["status"] == 400
        assert not list(tmp_path.rglob("*evil*"))


def test_a_cli_is_told_nothing_of_the_runners_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_AUTH_TOKEN", "LD_PRELOAD", "NODE_OPTIONS", "BASH_ENV"):
        monkeypatch.setenv(name, "canary")
    spec = Spec(token="the-token", agent=AgentSpec(id="a1"), session=SessionSpec(id="s1"))
    assert "canary" not in str(environment(spec, CliPaths("claude", Path("home"), 4711)))
