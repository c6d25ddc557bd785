"""How calls of Google's clients are repeated, and which of their errors leave open whether the call was done."""

from typing import Any

from google.api_core import exceptions
from google.api_core.retry import if_exception_type
from google.api_core.retry_async import AsyncRetry

UNCERTAIN = (exceptions.ServiceUnavailable, exceptions.InternalServerError, exceptions.GatewayTimeout)


def repeated(*errors: type[Exception], within_s: float) -> dict[str, Any]:
    """Arguments of a call: one attempt takes so long at most, and so do all of them together."""
    retry = AsyncRetry(
        predicate=if_exception_type(*errors), initial=0.05, maximum=1.0, multiplier=2.0, timeout=within_s
    )
    return {"retry": retry, "timeout": within_s}


def cause(error: Exception) -> Exception:
    """What it was about, where the client only says that it has given up repeating."""
    return (error.cause if isinstance(error, exceptions.RetryError) else None) or error
