"""This workload's identity at Google: vouched for by its platform, without a key file that could be copied."""

import google.auth
from google.auth import compute_engine, identity_pool
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError

from core.domain.errors import Misconfigured

CLOUD = "https://www.googleapis.com/auth/cloud-platform"  # its roles limit what it may do


def workload_identity(scope: str, *, otherwise: str) -> Credentials:
    """Return credentials from GKE's metadata server or identity federation. It uses the network: call it in a thread.

    A key file is a password that never expires and can be copied, so it is refused, and so is a person's gcloud login.
    `otherwise` ends the error's sentence with an alternative. Raises: Misconfigured.
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
