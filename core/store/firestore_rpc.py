"""Firestore's client for all our calls: without key files, with time limits, and with our own errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud.firestore_v1.async_client import AsyncClient

from core.domain.errors import BadInput, Misconfigured, StoreUnavailable
from core.google.identity import workload_identity
from core.google.retries import UNCERTAIN, cause, repeated

CALL_S = 6.0  # for one attempt, and for all its repetitions
WAIT_S = 12.0  # a whole verb
SCOPE = "https://www.googleapis.com/auth/datastore"
NOT_DONE = (exceptions.Aborted, exceptions.ResourceExhausted)  # refused before anything was written

# ANY_TIMES is for calls that may happen twice. ONCE repeats a call only if it surely did not happen.
ANY_TIMES = repeated(*NOT_DONE, *UNCERTAIN, within_s=CALL_S)
ONCE = repeated(*NOT_DONE, within_s=CALL_S)


class FirestoreConnection:
    """Firestore's client, and whether it is still open."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self._closed = False

    @classmethod
    async def open(cls, project: str, *, emulator: bool) -> "FirestoreConnection":
        """Open the client. With `emulator` the library finds it in FIRESTORE_EMULATOR_HOST, without an identity.

        Raises: Misconfigured: there is no project or no identity, or the identity is a file.
        """
        if not project:
            raise Misconfigured("OMA_STORE=firestore needs OMA_GCP_PROJECT")
        if emulator:
            return cls(AsyncClient(project=project))
        who = await asyncio.to_thread(workload_identity, SCOPE, otherwise="set FIRESTORE_EMULATOR_HOST")
        return cls(AsyncClient(project=project, credentials=who))

    async def close(self) -> None:
        """Close the client; a second call does nothing."""
        if not self._closed:
            self._closed = True
            await self.client._firestore_api.transport.close()  # the client has no close of its own

    @asynccontextmanager
    async def call(self) -> AsyncIterator[AsyncClient]:
        """Surround every use of the client, with a limit of WAIT_S seconds.

        Raises: StoreUnavailable: it did not answer, or refused. BadInput: it cannot store this.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            async with asyncio.timeout(WAIT_S):
                yield self.client
        except (exceptions.InvalidArgument, exceptions.OutOfRange) as error:
            raise BadInput(f"Firestore cannot keep this: {error.message}"[:500]) from error
        except (exceptions.PermissionDenied, exceptions.Unauthenticated) as error:
            said = "grant roles/datastore.user to the platform's service account"
            raise StoreUnavailable(f"Firestore refuses us ({error.message}): {said}"[:500]) from error
        except (exceptions.GoogleAPIError, GoogleAuthError, TimeoutError) as error:
            why = cause(error)
            raise StoreUnavailable(f"Firestore failed: {type(why).__name__} {why}"[:500]) from error
