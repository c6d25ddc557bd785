"""Tests that names, addresses, time limits and affinity agree from the browser to the web, in both load balancers."""

import json

import pytest

from core.config.settings import read
from tests.k8s.rendered import GOOGLE, ROOT, container, kinds, one, port, resources, settings
from web.server import KEEP_ALIVE_S

DAY_S = 86400
DOMAINS = ["oh-my-agent.info", "app.oh-my-agent.info"]
BALANCER_KEEP_ALIVE_S = 610  # fixed, of Google's front ends


def test_service_ingress_and_google_s_resources_name_each_other() -> None:
    service, ingress = one("production", "Service", "web"), one("production", "Ingress", "web")
    notes = service["metadata"]["annotations"]
    assert json.loads(notes["cloud.google.com/neg"]) == {"ingress": True}
    backend = json.loads(notes["cloud.google.com/backend-config"])["default"]
    assert one("production", "BackendConfig", backend)["metadata"]["namespace"] == service["metadata"]["namespace"]
    said = ingress["metadata"]["annotations"]
    assert said["kubernetes.io/ingress.class"] == "gce" and "ingressClassName" not in ingress["spec"]
    assert said["kubernetes.io/ingress.allow-http"] == "true", "without it nothing can be redirected"
    front = one("production", "FrontendConfig", said["networking.gke.io/v1beta1.FrontendConfig"])
    certificate = one("production", "ManagedCertificate", said["networking.gke.io/managed-certificates"])
    assert certificate["metadata"]["name"] == "ai-agent-ssl-cert"
    assert certificate["spec"]["domains"] == DOMAINS
    assert front["spec"]["redirectToHttps"]["enabled"] is True
    script = (ROOT / "k8s" / "setup.sh").read_text()
    assert f"SSL_POLICY={front['spec']['sslPolicy']}\n" in script
    assert f"ADDRESS={said['kubernetes.io/ingress.global-static-ip-name']}\n" in script


def test_every_name_leads_to_the_web() -> None:
    rules = one("production", "Ingress", "web")["spec"]["rules"]
    assert [rule["host"] for rule in rules] == DOMAINS
    service = one("production", "Service", "web")
    for rule in rules:
        (path,) = rule["http"]["paths"]
        target = path["backend"]["service"]
        assert target["name"] == service["metadata"]["name"]
        assert target["port"]["name"] in {found["name"] for found in service["spec"]["ports"]}
    got = read(settings("production"))
    assert (got.url, got.aliases) == (f"https://{DOMAINS[0]}", (DOMAINS[1],))


def test_sockets_live_a_day_pages_stay_on_their_replica_and_ends_are_drained() -> None:
    spec, web = one("production", "BackendConfig", "web")["spec"], container("production", "web")
    assert spec["timeoutSec"] == DAY_S
    assert spec["sessionAffinity"] == {"affinityType": "GENERATED_COOKIE", "affinityCookieTtlSec": DAY_S}
    assert spec["connectionDraining"] == {"drainingTimeoutSec": 60}
    health = spec["healthCheck"]
    assert (health["requestPath"], health["port"]) == (web["readinessProbe"]["httpGet"]["path"], port(web, "http"))


def test_the_regional_balancer_says_the_same() -> None:
    overlay = "gateway-regional"
    policy, health = (one(overlay, kind, "web")["spec"] for kind in ("GCPBackendPolicy", "HealthCheckPolicy"))
    backend = one("production", "BackendConfig", "web")["spec"]
    assert policy["default"]["timeoutSec"] == backend["timeoutSec"]
    assert policy["default"]["connectionDraining"] == backend["connectionDraining"]
    assert policy["default"]["sessionAffinity"] == {"type": "GENERATED_COOKIE", "cookieTtlSec": DAY_S}
    checked = health["default"]["config"]["httpHealthCheck"]
    assert (checked["requestPath"], checked["port"]) == (
        backend["healthCheck"]["requestPath"],
        backend["healthCheck"]["port"],
    )
    assert policy["targetRef"] == health["targetRef"] == {"group": "", "kind": "Service", "name": "web"}
    gateway = one(overlay, "Gateway", "web")
    assert gateway["spec"]["gatewayClassName"] == "gke-l7-regional-external-managed"
    listeners = {listener["name"] for listener in gateway["spec"]["listeners"]}
    routes = kinds(overlay, "HTTPRoute")
    assert {ref["sectionName"] for route in routes for ref in route["spec"]["parentRefs"]} == listeners
    assert [host for route in routes for host in route["spec"].get("hostnames", [])] == DOMAINS[::-1]
    for kind in ("Ingress", "ManagedCertificate", "FrontendConfig", "BackendConfig"):
        assert kinds(overlay, kind) == []


@pytest.mark.parametrize("overlay", GOOGLE)
def test_the_web_keeps_connections_longer_than_the_balancer(overlay: str) -> None:
    assert KEEP_ALIVE_S > BALANCER_KEEP_ALIVE_S


def test_minimal_has_nothing_of_google() -> None:
    for resource in resources("minimal"):
        assert "google" not in resource["apiVersion"] and "gke" not in resource["apiVersion"]
        assert "x-k8s.io" not in resource["apiVersion"], "no CRDs"
        notes = " ".join(resource["metadata"].get("annotations", {}))
        assert "google" not in notes and "gke" not in notes
        assert "gke" not in json.dumps(resource.get("spec", {}).get("template", resource.get("template", {})))
    got = read(settings("minimal"))
    assert (got.store, got.vault, got.gcp_project) == ("sqlite", "local", "")
