"""The retries of calls by Google's clients, and the errors after which it is unknown whether a call was carried out."""

from typing import Any

from google.api_core import exceptions
from google.api_core.retry import if_exception_type
from google.api_core.retry_async import AsyncRetry

UNCERTAIN = (exceptions.ServiceUnavailable, exceptions.InternalServerError, exceptions.GatewayTimeout)


def repeated(*errors: type[Exception], within_s: float) -> dict[str, Any]:
    """Return the arguments of a call that is retried after `errors`. `within_s` limits one attempt and all together."""
    retry = AsyncRetry(
        predicate=if_exception_type(*errors), initial=0.05, maximum=1.0, multiplier=2.0, timeout=within_s
    )
    return {"retry": retry, "timeout": within_s}


def cause(error: Exception) -> Exception:
    """Return the underlying error of a client that only says that it has given up retrying."""
    return (error.cause if isinstance(error, exceptions.RetryError) else None) or error
