"""Computes what network policies allow, as Kubernetes does: the rules of all policies that select a pod add up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """The other end, when it is a pod of this cluster."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


Peer = Pod | str  # or an address


def permits(policy: Rule, peer: Peer, port: int, *, way: str = "egress", protocol: str = "TCP") -> bool:
    """True if this policy alone opens `port` to (or from) `peer`."""
    if way.capitalize() not in policy["spec"]["policyTypes"]:
        return False
    return any(
        _port(rule.get("ports"), port, protocol) and _peer(rule.get("to" if way == "egress" else "from"), peer, policy)
        for rule in policy["spec"].get(way, [])
    )


def permitted(policies: list[Rule], pod: Pod, peer: Peer, port: int, *, way: str, protocol: str = "TCP") -> bool:
    """True if all policies together allow it to `pod`; a pod that none selects may do everything."""
    mine = [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and selects(policy["spec"]["podSelector"], pod.labels)
        and way.capitalize() in policy["spec"]["policyTypes"]
    ]
    return not mine or any(permits(policy, peer, port, way=way, protocol=protocol) for policy in mine)


def selects(selector: Rule, labels: Mapping[str, str]) -> bool:
    """A label selector, with the operators that we use."""
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for wanted in selector.get("matchExpressions", []):
        inside = labels.get(wanted["key"]) in wanted["values"]
        if inside != {"In": True, "NotIn": False}[wanted["operator"]]:
            return False
    return True


def _port(ports: list[Rule] | None, port: int, protocol: str) -> bool:
    return ports is None or any(
        found.get("protocol", "TCP") == protocol and found["port"] <= port <= found.get("endPort", found["port"])
        for found in ports
    )


def _peer(peers: list[Rule] | None, peer: Peer, policy: Rule) -> bool:
    return peers is None or any(_matches(found, peer, policy["metadata"]["namespace"]) for found in peers)


def _matches(found: Rule, peer: Peer, own: str) -> bool:
    if block := found.get("ipBlock"):
        return isinstance(peer, str) and _within(block, peer)
    if isinstance(peer, str):
        return False
    if "namespaceSelector" in found:
        inside = selects(found["namespaceSelector"], {"kubernetes.io/metadata.name": peer.namespace})
    else:
        inside = peer.namespace == own
    return inside and selects(found.get("podSelector", {}), peer.labels)


def _within(block: Rule, address: str) -> bool:
    ip = ip_address(address)
    return ip in ip_network(block["cidr"]) and not any(ip in ip_network(hole) for hole in block.get("except", []))
