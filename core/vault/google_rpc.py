"""Secret Manager's client for all our calls: without key files, with time limits, and with our own errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)

from core.domain.errors import Misconfigured, VaultUnavailable
from core.google.identity import CLOUD, workload_identity
from core.google.retries import UNCERTAIN, cause, repeated

CALL_S = 4.0  # for one attempt, and for all its repetitions
WAIT_S = 12.0  # a whole verb
NOT_DONE = (exceptions.ResourceExhausted,)  # the quota is by the minute

# Every call except the one that moves the head may happen twice.
ANY_TIMES = repeated(*NOT_DONE, *UNCERTAIN, within_s=CALL_S)
ONCE = repeated(*NOT_DONE, within_s=CALL_S)


class SecretManagerConnection:
    """The client, and whether it is still open. It uses grpc.aio, so that a cancelled call leaves no thread behind."""

    def __init__(self, client: SecretManagerServiceAsyncClient) -> None:
        self._client = client
        self._closed = False

    @classmethod
    async def open(cls, *, emulator: str = "") -> "SecretManagerConnection":
        """Open the client. `emulator` is its address and needs no identity. Raises: Misconfigured: there is no
        identity, or it is a file.
        """
        if emulator:
            channel = grpc.aio.insecure_channel(emulator)
            transport = SecretManagerServiceGrpcAsyncIOTransport(channel=channel)
            return cls(SecretManagerServiceAsyncClient(transport=transport))
        who = await asyncio.to_thread(workload_identity, CLOUD, otherwise="set SECRET_MANAGER_EMULATOR_HOST")
        return cls(SecretManagerServiceAsyncClient(credentials=who))

    async def close(self) -> None:
        """Close the client. Idempotent."""
        if not self._closed:
            self._closed = True
            await self._client.transport.close()  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def call(self) -> AsyncIterator[SecretManagerServiceAsyncClient]:
        """Surround every use of the client, with a limit of WAIT_S seconds. Raises: VaultUnavailable: with the reason
        and its remedy.
        """
        if self._closed:
            raise VaultUnavailable("the vault is closed")
        try:
            async with asyncio.timeout(WAIT_S):
                yield self._client
        except (exceptions.GoogleAPIError, GoogleAuthError, TimeoutError) as error:
            raise VaultUnavailable(_why(error)[:500]) from error


def _why(error: Exception) -> str:
    why = cause(error)
    said = f"{type(why).__name__} {getattr(why, 'message', None) or why}"
    match why:
        case exceptions.PermissionDenied() | exceptions.Unauthenticated():
            return f"Secret Manager refuses us: grant what `k8s/setup.sh identities` grants ({said})"
        case exceptions.ResourceExhausted():
            return f"Secret Manager's quota is used up: wait a minute, or have it raised ({said})"
        case exceptions.InvalidArgument() | exceptions.FailedPrecondition():
            return f"Secret Manager does not take it: look at OMA_GCP_PROJECT and OMA_GCP_REGION ({said})"
    return f"Secret Manager does not answer: look at its status and at the way there ({said})"


def named(project: str) -> str:
    """Return the project as a parent of secrets. Raises: Misconfigured: it is empty."""
    if not project:
        raise Misconfigured("OMA_VAULT=google needs OMA_GCP_PROJECT, the Google Cloud project it is in")
    return f"projects/{project}"
