"""Which provider the settings mean."""

from core.errors import Misconfigured
from core.gateway.providers import Provider
from core.gateway.providers.anthropic import Anthropic
from core.gateway.providers.practice import Practice
from core.redaction import Redactor
from core.settings import Settings, secrets_of


def provider_for(settings: Settings) -> Provider:
    """Raises: Misconfigured: this version does not have it."""
    match settings.provider:
        case "anthropic":
            key, url = settings.anthropic_api_key, settings.anthropic_base_url
            return Anthropic(key=key, base_url=url, redactor=Redactor(secrets_of(settings)))
        case "practice":
            return Practice()
        case other:
            raise Misconfigured(f"OMA_MODEL={other} is not built yet: use anthropic")
