"""Which provider the settings mean."""

from core.errors import Misconfigured
from core.gateway.providers import Provider
from core.gateway.providers.anthropic import Anthropic
from core.gateway.providers.practice import Practice
from core.settings import Settings


def provider_for(settings: Settings) -> Provider:
    """Raises: Misconfigured: this version does not have it."""
    match settings.provider:
        case "anthropic":
            return Anthropic(key=settings.anthropic_api_key, base_url=settings.anthropic_base_url)
        case "practice":
            return Practice()
        case other:
            raise Misconfigured(f"OMA_MODEL={other} is not built yet: use anthropic")
