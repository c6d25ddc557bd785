"""Chooses the provider from the settings."""

from core.config.settings import Settings, secrets_of
from core.gateway.providers import Provider
from core.gateway.providers.anthropic import Anthropic
from core.gateway.providers.passthrough import PassthroughProvider, Upstream
from core.observability.redaction import Redactor


def provider_for(settings: Settings) -> Provider:
    """Return the provider that the settings name. See `upstream_for`."""
    if settings.provider == "practice":
        # imported only if chosen, because it reads its sentences
        from core.gateway.providers.practice import PracticeProvider

        return PracticeProvider()
    return PassthroughProvider(upstream_for(settings))


def upstream_for(settings: Settings) -> Upstream:
    """Return the upstream. It may ask the network for our identity: call it in a thread. Raises: Misconfigured."""
    if settings.provider == "anthropic":
        key, url = settings.anthropic_api_key, settings.anthropic_base_url
        return Anthropic(key=key, base_url=url, redactor=Redactor(secrets_of(settings)))
    # imported only if chosen: Google's identity costs 0.3 s of start
    from core.gateway.providers.vertex import Vertex
    from core.gateway.providers.vertex_token import WorkloadToken

    return Vertex(
        token=WorkloadToken(),
        project=settings.vertex_project,
        region=settings.vertex_region,
        base_url=settings.vertex_base_url,
        secrets=secrets_of(settings),
    )
