"""Tests of the connections in the cluster that our policies allow."""

import copy

import pytest

from tests.k8s.policies import Peer, Pod, permits, permitted
from tests.k8s.rendered import GOOGLE, OVERLAYS, kinds, one, settings

NAME = "app.kubernetes.io/name"
WEB = Pod(namespace="oh-my-agent", labels={NAME: "web"})
GATEWAY = Pod(namespace="oh-my-agent", labels={NAME: "gateway"})
BOX = Pod(namespace="agents", labels={NAME: "runner"})
KUBE_DNS = Pod(namespace="kube-system", labels={"k8s-app": "kube-dns"})
NODE_DNS = Pod(namespace="kube-system", labels={"k8s-app": "node-local-dns"})
PROMETHEUS = Pod(namespace="gke-gmp-system", labels={"app": "collector"})
COLLECTOR = Pod(namespace="gke-managed-otel", labels={"app": "opentelemetry-collector"})
STRANGER = Pod(namespace="default")
METADATA = ("169.254.169.254", "169.254.169.252", "fd20:ce::254")
PRIVATE = ("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "fd00::1", "fe80::1")
FRONT_ENDS = ("130.211.1.1", "35.191.200.1")


def gateway_of(overlay: str) -> Pod:
    return WEB if overlay == "minimal" else GATEWAY


def may(overlay: str, pod: Pod, way: str, peer: Peer, port: int, protocol: str = "TCP") -> bool:
    return permitted(kinds(overlay, "NetworkPolicy"), pod, peer, port, way=way, protocol=protocol)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_box_reaches_the_gateway_and_nothing_else(overlay: str) -> None:
    assert may(overlay, BOX, "egress", gateway_of(overlay), 8081)
    others: list[Peer] = [*METADATA, *PRIVATE, "8.8.8.8", "160.79.104.10", BOX, STRANGER, KUBE_DNS]
    for port in (22, 80, 443, 987, 988, 8080, 8081, 9090, 10250):
        assert [peer for peer in others if may(overlay, BOX, "egress", peer, port)] == [], port
    assert not may(overlay, BOX, "egress", WEB, 8080)
    assert not may(overlay, BOX, "egress", gateway_of(overlay), 9090)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("pod", [BOX, WEB, GATEWAY], ids=["box", "web", "gateway"])
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_names_resolve_although_the_metadata_server_is_closed(overlay: str, pod: Pod, protocol: str) -> None:
    for resolver in (KUBE_DNS, NODE_DNS, "169.254.20.10", "169.254.169.254"):
        assert may(overlay, pod, "egress", resolver, 53, protocol), resolver
    assert not may(overlay, pod, "egress", "8.8.8.8", 53, protocol)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_the_web_comes_into_a_box(overlay: str) -> None:
    assert may(overlay, BOX, "ingress", WEB, 8080)
    for peer in (BOX, GATEWAY, STRANGER, PROMETHEUS, "10.0.0.1", *FRONT_ENDS):
        assert not may(overlay, BOX, "ingress", peer, 8080), peer
    assert not may(overlay, BOX, "ingress", WEB, 22)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_boxes_alone_come_to_the_gateway_and_never_to_web_or_metrics(overlay: str) -> None:
    assert may(overlay, gateway_of(overlay), "ingress", BOX, 8081)
    for peer in (STRANGER, PROMETHEUS, "10.0.0.1", *FRONT_ENDS):
        assert not may(overlay, gateway_of(overlay), "ingress", peer, 8081), peer
    for pod in (WEB, GATEWAY):
        assert not may(overlay, pod, "ingress", BOX, 8080)
        assert not may(overlay, pod, "ingress", BOX, 9090)
        assert may(overlay, pod, "ingress", PROMETHEUS, 9090)


@pytest.mark.parametrize("overlay", GOOGLE)
def test_the_load_balancer_reaches_the_web(overlay: str) -> None:
    assert all(may(overlay, WEB, "ingress", peer, 8080) for peer in FRONT_ENDS)
    assert may(overlay, WEB, "ingress", "10.129.0.7", 8080) == (overlay == "gateway-regional")  # its proxies
    for peer in (STRANGER, "10.0.0.1", "8.8.8.8"):
        assert not may(overlay, WEB, "ingress", peer, 8080), peer


@pytest.mark.parametrize("overlay", GOOGLE)
def test_web_and_gateway_fetch_their_identity(overlay: str) -> None:
    for pod in (WEB, GATEWAY):
        assert may(overlay, pod, "egress", "169.254.169.254", 80)
        assert may(overlay, pod, "egress", "169.254.169.252", 988)
        assert not may(overlay, pod, "egress", "169.254.169.254", 443)


@pytest.mark.parametrize("overlay", GOOGLE)
def test_spans_reach_the_collector_that_the_settings_name(overlay: str) -> None:
    name, _, port = settings(overlay)["OTEL_EXPORTER_OTLP_ENDPOINT"].removeprefix("http://").partition(":")
    assert name.split(".")[1] == COLLECTOR.namespace
    for pod in (WEB, GATEWAY):
        assert may(overlay, pod, "egress", COLLECTOR, int(port))
        assert not may(overlay, pod, "egress", COLLECTOR, 8888)
    assert not may(overlay, BOX, "egress", COLLECTOR, int(port))


def test_without_google_nobody_reaches_a_metadata_server() -> None:
    assert not [ip for ip in METADATA for port in (80, 988) if may("minimal", WEB, "egress", ip, port)]


@pytest.mark.parametrize("overlay", GOOGLE)
def test_the_gateway_goes_out_to_public_addresses_only(overlay: str) -> None:
    for port in (22, 80, 443):
        assert may(overlay, GATEWAY, "egress", "8.8.8.8", port)
        assert may(overlay, GATEWAY, "egress", "2607:6bc0::10", port)
    assert not may(overlay, GATEWAY, "egress", "8.8.8.8", 25)
    for address in (*PRIVATE, "224.0.0.1", "240.0.0.1", "198.18.0.1"):
        assert not may(overlay, GATEWAY, "egress", address, 443), address
    assert not may(overlay, GATEWAY, "egress", BOX, 8080)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_web_reaches_boxes_and_https(overlay: str) -> None:
    assert may(overlay, WEB, "egress", BOX, 8080)
    assert may(overlay, WEB, "egress", "8.8.8.8", 443)
    assert may(overlay, WEB, "egress", "10.10.0.2", 443)  # the cluster's API
    assert not may(overlay, WEB, "egress", "10.10.0.2", 80)


def test_on_any_cluster_the_web_reaches_the_api_server_where_it_really_listens() -> None:
    assert may("minimal", WEB, "egress", "192.168.1.10", 6443)  # kubeadm's and k3s', behind the Service's 443
    for overlay in GOOGLE:
        assert not may(overlay, WEB, "egress", "10.10.0.2", 6443)
    assert not any(may("minimal", BOX, "egress", address, 6443) for address in ("192.168.1.10", "8.8.8.8"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_that_nobody_thought_of_is_shut_in(overlay: str) -> None:
    for namespace in ("oh-my-agent", "agents"):
        forgotten = Pod(namespace=namespace, labels={"app": "new"})
        assert not may(overlay, forgotten, "egress", "8.8.8.8", 443)
        assert not may(overlay, forgotten, "ingress", WEB, 8080)


def test_the_evaluator_sees_a_hole() -> None:
    policy = copy.deepcopy(one("production", "NetworkPolicy", "gateway"))
    assert not permits(policy, "169.254.169.254", 80)
    policy["spec"]["egress"][0]["to"][0]["ipBlock"]["except"].remove("169.254.0.0/16")
    assert permits(policy, "169.254.169.254", 80)
    policy["spec"]["policyTypes"] = ["Ingress"]
    assert not permits(policy, "169.254.169.254", 80)
