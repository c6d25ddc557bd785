"""Which provider the settings mean."""

from core.config.settings import Settings, secrets_of
from core.gateway.providers import Provider
from core.gateway.providers.anthropic import Anthropic
from core.gateway.providers.passthrough import PassthroughProvider, Upstream
from core.observability.redaction import Redactor


def provider_for(settings: Settings) -> Provider:
    """As `upstream_for`, and practice."""
    if settings.provider == "practice":
        # Its sentences are read when it is imported for use: only who chose it pays
        from core.gateway.providers.practice import PracticeProvider

        return PracticeProvider()
    return PassthroughProvider(upstream_for(settings))


def upstream_for(settings: Settings) -> Upstream:
    """May ask the network who we are, so call it in a thread. Raises: Misconfigured: nobody who may be let in."""
    if settings.provider == "anthropic":
        key, url = settings.anthropic_api_key, settings.anthropic_base_url
        return Anthropic(key=key, base_url=url, redactor=Redactor(secrets_of(settings)))
    # Google's identity weighs 0.3 s of start: only who chose it pays
    from core.gateway.providers.vertex import Vertex
    from core.gateway.providers.vertex_token import WorkloadToken

    return Vertex(
        token=WorkloadToken(),
        project=settings.vertex_project,
        region=settings.vertex_region,
        base_url=settings.vertex_base_url,
        secrets=secrets_of(settings),
    )
