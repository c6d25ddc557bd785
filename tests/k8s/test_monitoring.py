"""Alerts and dashboard ask for what the code really counts, in PromQL that parses, and somebody scrapes it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import promql_parser
import pytest
import yaml

from core.observability.metrics import REGISTRY
from tests.k8s.rendered import GOOGLE, ROOT, containers, one, port

MONITORING = ROOT / "k8s" / "monitoring"
GIVEN = {"pod", "namespace", "container", "job", "instance", "le"}  # by who scrapes, and by histograms
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@cache
def counted() -> dict[str, set[str]]:
    """Every sample that web or gateway can show, with its labels."""
    found: dict[str, set[str]] = {}
    for collector in {*REGISTRY._names_to_collectors.values()}:
        for metric in collector.describe() if hasattr(collector, "describe") else ():
            for suffix in SUFFIXES[metric.type]:
                found[metric.name + suffix] = {*getattr(collector, "_labelnames", ())}
    return found | {"process_resident_memory_bytes": set()}


def ours() -> set[str]:
    return {re.sub("_(bucket|sum|count)$", "", name) for name in counted() if name.startswith("oma_")}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads((MONITORING / "dashboard.json").read_text())["panels"])


def expressions() -> list[str]:
    shown = [target["expr"].replace("$__rate_interval", "5m") for panel in panels() for target in panel["targets"]]
    return [*(rule["expr"] for rule in rules()), *shown]


def selectors(expression: str) -> Iterator[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def take(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expression), take)
    yield from found


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_an_expression_parses_and_names_what_is_counted(expression: str) -> None:
    known = counted() | {rule["record"]: set() for rule in rules() if "record" in rule}
    used = list(selectors(expression))
    assert used
    for selector in used:
        assert selector.name in known
        assert {matcher.name for matcher in selector.matchers.matchers} <= known[selector.name] | GIVEN


def test_a_misspelt_metric_would_be_seen() -> None:
    assert [one.name for one in selectors('sum(rate(oma_sendz_total{outcome="ok"}[5m])) > 1')] == ["oma_sendz_total"]
    assert "oma_sendz_total" not in counted()
    assert counted()["oma_requests_total"] == {"route", "method", "status"}


def test_everything_that_is_counted_is_documented_and_on_the_dashboard() -> None:
    documented = set(re.findall(r"^\| `(oma_\w+)`", (ROOT / "docs" / "observability.md").read_text(), re.MULTILINE))
    assert documented == ours()
    shown = {re.sub("_(bucket|sum|count)$", "", one.name) for text in expressions() for one in selectors(text)}
    assert ours() - shown == set()


def test_the_documented_labels_are_those_that_are_counted() -> None:
    rows = re.findall(r"^\| `(oma_\w+)` \| ([^|]*)\|", (ROOT / "docs" / "observability.md").read_text(), re.MULTILINE)
    labels = {re.sub("_(bucket|sum|count)$", "", name): names for name, names in counted().items()}
    assert {name: set(re.findall(r"`(\w+)`", words)) for name, words in rows} == {name: labels[name] for name in ours()}


@pytest.mark.parametrize(("slo", "alert"), [("sign_in", "SignIn"), ("send", "Send")])
def test_an_objective_is_watched_in_two_windows_at_each_pace(slo: str, alert: str) -> None:
    by_name = {rule["alert"]: rule["expr"] for rule in rules() if "alert" in rule}
    recorded = {rule["record"].removeprefix(f"oma:{slo}_errors:ratio_rate") for rule in rules() if "record" in rule}
    both = re.compile(rf"oma:{slo}_errors:ratio_rate(\w+) > ([\d.]+) \* 0\.001")
    assert both.findall(by_name[f"{alert}BurnsFast"]) == [("1h", "14.4"), ("5m", "14.4"), ("6h", "6"), ("30m", "6")]
    assert both.findall(by_name[f"{alert}BurnsSlowly"]) == [("3d", "1"), ("6h", "1")]
    assert {"5m", "30m", "1h", "6h", "3d"} <= recorded


def test_google_gets_the_same_rules_and_reads_the_pods() -> None:
    command = [sys.executable.replace("python", "kubectl"), "kustomize", str(MONITORING)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = {resource["kind"]: resource for resource in yaml.safe_load_all(done.stdout)}
    assert {resource["apiVersion"] for resource in found.values()} == {"monitoring.googleapis.com/v1"}
    assert [rule for group in found["Rules"]["spec"]["groups"] for rule in group["rules"]] == rules()
    (wanted,) = found["PodMonitoring"]["spec"]["selector"]["matchExpressions"]
    (endpoint,) = found["PodMonitoring"]["spec"]["endpoints"]
    for overlay in GOOGLE:
        for name in wanted["values"]:
            pod = one(overlay, "Deployment", name)["spec"]["template"]
            assert pod["metadata"]["labels"][wanted["key"]] == name
            assert port(next(one for one in containers(overlay) if one["name"] == name), endpoint["port"]) == 9090
