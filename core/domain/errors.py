"""Everything that can go wrong in a way a person or a caller can act on.

A `code` is the contract: it names the sentence in the catalogues (`error.<code>`), goes out as `code` in
problem+json, and crosses from runner and gateway to the web. The text of the exception is for logs.
"""


class PlatformError(Exception):
    """Base of all errors we raise on purpose; `status` is its HTTP status at every door."""

    code = "internal"
    status = 500

    def __init__(self, detail: str = "", *, code: str = "") -> None:
        super().__init__(detail or code or self.code)
        if code:
            self.code = code


class BadInput(PlatformError):
    """What was asked cannot be understood or is over a limit."""

    code, status = "bad_input", 400


class NotSignedIn(PlatformError):
    """Nobody is signed in, or not any more."""

    code, status = "not_signed_in", 401


class Forbidden(PlatformError):
    """Known caller, but not allowed to do this."""

    code, status = "forbidden", 403


class NotFound(PlatformError):
    """Not there, or not yours: the two are never told apart."""

    code, status = "not_found", 404


class Conflict(PlatformError):
    """It changed meanwhile, or is in a state that does not allow it."""

    code, status = "conflict", 409


class SeqTaken(Conflict):
    """Another event already has this number in this session."""

    code = "seq_taken"


class TooMuch(PlatformError):
    """A bound was reached: a queue is full, a body too large, a rate too high."""

    code, status = "too_much", 429


class Unavailable(PlatformError):
    """Something we depend on does not answer now; trying again may help."""

    code, status = "unavailable", 503


class RunnerUnavailable(Unavailable):
    """The user's box could not be started or does not answer."""

    code = "runner_unavailable"


class StoreUnavailable(Unavailable):
    """The store refused or timed out; nothing was written."""

    code = "store_unavailable"


class VaultUnavailable(Unavailable):
    """The users' secrets cannot be read or written now; nothing was changed."""

    code = "vault_unavailable"


class Misconfigured(PlatformError):
    """The settings do not allow a start. The text is one clear line for the terminal."""

    code = "misconfigured"
