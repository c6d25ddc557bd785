"""FastAPI endpoints whose bodies and answers are msgspec structs, decoded strictly and described in OpenAPI."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from fastapi import APIRouter, Depends, Header, Request, Response

import auth
from core.domain.errors import BadInput
from core.domain.records import User

COMMON = (400, 401, 403, 429, 500, 503)  # what every endpoint may answer, from guard, limits and platform
DEPTH_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Endpoint = Callable[..., Awaitable[Any]]
E = TypeVar("E", bound=Endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The description of an endpoint for OpenAPI beyond its path and query; `takes` and `gives` are media types."""

    body: type[msgspec.Struct] | None
    answer: Any
    status: int
    problems: tuple[int, ...]
    takes: str = ""
    gives: str = ""


class ApiRouter(APIRouter):
    """A FastAPI router for one resource; `name` is its tag in OpenAPI."""

    def __init__(self, name: str) -> None:
        super().__init__(tags=[name])

    def endpoint(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        problems: tuple[int, ...] = (),
        takes: str = "",
        gives: str = "",
    ) -> Callable[[E], E]:
        """Register a function: its struct parameter is the body, its return annotation is the answer.

        `takes` and `gives` name the media types of a body or an answer that is a stream of bytes.
        """

        def add(function: E) -> E:
            served = _served(function, status=status, problems=problems, takes=takes, gives=gives)
            self.add_api_route(path, served, methods=[method], status_code=status, response_model=None)
            return function

        return add


async def _signed_in(request: Request) -> User:
    """Raises: NotSignedIn."""
    return auth.user_of(request)


Caller = Annotated[User, Depends(_signed_in)]
"""The signed-in user of the request; `.user_id` is the owner of what is theirs."""

IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", max_length=200)]
"""Names one intention of the client: the same key sent again finds what the first request made. Empty: none."""


def as_json(value: object, *, status: int = 200) -> Response:
    """Return an answer with `value`, a struct or a container of structs, as its body."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


def description_of(endpoint: Endpoint) -> Description:
    """Return what `ApiRouter.endpoint` noted about a function that FastAPI calls."""
    description: Description = endpoint.description  # type: ignore[attr-defined]
    return description


def _served(
    function: Endpoint, *, status: int, problems: tuple[int, ...], takes: str = "", gives: str = ""
) -> Endpoint:
    """Return the function as FastAPI calls it, with its description as an attribute."""
    hints = get_type_hints(function, include_extras=True)
    answer = hints.pop("return")
    bodies = {name: hint for name, hint in hints.items() if _is_struct(hint)}
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=Annotated[bodies[name], Depends(_reader(bodies[name]))])
        if name in bodies
        else parameter.replace(annotation=hints[name])
        for name, parameter in signature.parameters.items()
    ]

    @wraps(function)
    async def served(**values: Any) -> Response:
        result = await function(**values)
        return result if isinstance(result, Response) else as_json(result, status=status)

    served.__signature__ = signature.replace(parameters=parameters, return_annotation=Response)  # type: ignore[attr-defined]
    body = next(iter(bodies.values()), None)
    description = Description(body=body, answer=answer, status=status, problems=problems, takes=takes, gives=gives)
    served.description = description  # type: ignore[attr-defined]
    return served


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _reader(kind: type[msgspec.Struct]) -> Callable[[Request], Awaitable[Any]]:
    """A dependency that reads the body as `kind`."""
    decoder = msgspec.json.Decoder(kind)

    async def read(request: Request) -> Any:
        """Raises: BadInput: it is no JSON, or a field has another type."""
        return decode(await request.body(), decoder)

    return read


def decode(body: bytes, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """Return the decoded body; a missing one counts as an object without fields. Raises: BadInput."""
    try:
        return decoder.decode(body or b"{}")
    except msgspec.ValidationError as error:
        raise BadInput(f"The body does not fit: {error}.") from error
    except DEPTH_ERRORS as error:
        raise BadInput("The body is not JSON.") from error
