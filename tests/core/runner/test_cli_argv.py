"""Tests of the arguments and variables by which a CLI and its programs find the gateway."""

from pathlib import Path

from core.protocol.gateway_api import AgentSpec, SessionSpec, Spec
from core.runner.cli_argv import CliPaths, argv, environment


def test_programs_are_told_the_proxy_and_the_cli_does_not_reach_its_model_through_it() -> None:
    spec = Spec(token="the-token", agent=AgentSpec(id="a1"), session=SessionSpec(id="s1"))
    told = environment(spec, CliPaths("claude", Path("home"), 4711))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        assert told[name] == told[name.lower()] == "http://oma:the-token@127.0.0.1:4711"
    assert told["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:4711"
    assert "127.0.0.1" in told["NO_PROXY"].split(",") and told["no_proxy"] == told["NO_PROXY"]


def test_betas_are_kept_back_where_the_provider_does_not_know_them_yet() -> None:
    agent, session, place = AgentSpec(id="a1"), SessionSpec(id="s1"), CliPaths("claude", Path("home"), 1)
    told = {
        provider: environment(Spec(token="t", provider=provider, agent=agent, session=session), place)
        for provider in ("anthropic", "vertex")
    }
    assert told["vertex"] == told["anthropic"] | {"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1"}
    assert told["vertex"] != told["anthropic"]


def test_a_kept_rule_that_the_cli_would_read_as_more_is_not_told_to_it(tmp_path: Path) -> None:
    rules = ("Bash(make test:*)", 'Bash(echo "(a) Bash b")', "Read")
    spec = Spec(token="t", agent=AgentSpec(id="a1", rules=rules), session=SessionSpec(id="s1"))
    told = [word for word in argv(spec, CliPaths("claude", tmp_path, 1), "s1") if word.startswith("--allowedTools")]
    assert told == ["--allowedTools=Bash(make test:*),Read"]
