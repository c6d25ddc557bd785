"""Who this workload is at Google: what its platform vouches for, and no file that could be copied."""

import google.auth
from google.auth import compute_engine, identity_pool
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError

from core.domain.errors import Misconfigured

CLOUD = "https://www.googleapis.com/auth/cloud-platform"  # what it may do there is said by its roles


def workload_identity(scope: str, *, otherwise: str) -> Credentials:
    """As GKE's metadata server says, or identity federation. It asks the network, so call it in a thread.

    A key file is a password that never ends and is copied: it is refused, and so is a person's own gcloud login.
    `otherwise` ends the sentence for whoever has none. Raises: Misconfigured.
    """
    try:
        credentials, _ = google.auth.default(scopes=(scope,))
    except GoogleAuthError as error:
        raise Misconfigured(
            "no Google identity here: run with Workload Identity (a Kubernetes service account bound to a Google one), "
            f"or {otherwise}"
        ) from error
    if not isinstance(credentials, compute_engine.Credentials | identity_pool.Credentials):
        kind = type(credentials).__module__.rpartition(".")[2]
        raise Misconfigured(
            f"the Google identity comes from a file ({kind}): only Workload Identity is accepted; unset "
            "GOOGLE_APPLICATION_CREDENTIALS and remove the file"
        )
    return credentials
