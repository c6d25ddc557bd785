"""Tests of the APIs between our processes: both ends use one declaration, and ids cannot break out of paths."""

import ast
import re
from pathlib import Path

import msgspec
import pytest

from core.protocol import gateway_api, runner_api

ROOT = Path(__file__).resolve().parents[3]
# Messages API paths are Anthropic's, and doctor makes a call to it as the CLI does.
ELSEWHERE = {"core/operations/doctor.py", "core/observability/otlp.py"}


@pytest.mark.parametrize("id", ["../../status", "a/b", "a?b", "a#b", "%2e%2e", "{session}"])
def test_an_id_stays_one_part_of_the_path_whatever_it_holds(id: str) -> None:
    made = runner_api.path(runner_api.REQUEST, session="s1", request=id)
    assert re.fullmatch(r"/v1/sessions/s1/requests/[A-Za-z0-9._%-]+", made), made


def test_no_path_of_ours_is_written_twice() -> None:
    written = []
    for file in sorted((ROOT / "core").rglob("*.py")):
        name = str(file.relative_to(ROOT))
        if name.startswith("core/protocol/") or name in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
                if any(node.value.startswith(start) for start in ("/v1/", "/internal/", "/boxes/")):
                    written.append(f"{name}: {node.value}")
    assert written == ["core/gateway/http_errors.py: /v1/"], "declare it in core/protocol and use it at both ends"


def test_nothing_that_is_said_between_processes_shows_a_key_in_a_log() -> None:
    key = "k" * 43
    whose = runner_api.Init(user="u", box="b", key=key)
    box = gateway_api.RegisterBox(user="u", key=key, pid=1, start=2)
    spec = gateway_api.Spec(
        token=key, agent=gateway_api.AgentSpec(id="a"), session=gateway_api.SessionSpec(id="s"), secrets={"X": key}
    )
    assert key not in repr([whose, box, spec])


def test_an_older_runner_that_says_no_version_is_of_the_first() -> None:
    assert msgspec.json.decode(b'{"status":"ok","bound":true}', type=runner_api.Health).protocol == 1


def test_what_a_newer_process_adds_is_passed_over() -> None:
    more = b'{"open_turns":1,"idle_s":2.5,"live":0,"sessions":[],"new":{"a":1}}'
    assert msgspec.json.decode(more, type=runner_api.Status).open_turns == 1
