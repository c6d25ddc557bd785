"""Everything that can go wrong in a way a person or a caller can act on.

A `code` is the contract: it names the sentence in the catalogues (`error.<code>`), goes out as `code` in
problem+json, and crosses from runner and gateway to the web. The text of the exception is for logs.
"""


class PlatformError(Exception):
    """The base of all errors that we raise on purpose. `status` is the HTTP status that web, gateway and runner answer
    with.
    """

    code = "internal"
    status = 500

    def __init__(self, detail: str = "", *, code: str = "") -> None:
        super().__init__(detail or code or self.code)
        if code:
            self.code = code


class BadInput(PlatformError):
    """The request cannot be understood, or a part of it is over a limit."""

    code, status = "bad_input", 400


class NotSignedIn(PlatformError):
    """The request has no valid login."""

    code, status = "not_signed_in", 401


class Forbidden(PlatformError):
    """The caller is known, but not allowed to do this."""

    code, status = "forbidden", 403


class NotFound(PlatformError):
    """The thing does not exist or belongs to another user. The answer is the same for both."""

    code, status = "not_found", 404


class Conflict(PlatformError):
    """The thing was changed meanwhile, or its state does not allow the request."""

    code, status = "conflict", 409


class SeqTaken(Conflict):
    """Another event already has this number in this session."""

    code = "seq_taken"


class TooMuch(PlatformError):
    """A limit was reached: a queue is full, a body is too large or a rate is too high."""

    code, status = "too_much", 429


class FileTooLarge(PlatformError):
    """A file is larger than its limit."""

    code, status = "file_too_large", 413


class RangeOutside(PlatformError):
    """The range that was asked for begins behind the end of the file."""

    code, status = "bad_range", 416


class NoSpace(PlatformError):
    """The disk space of this user is used up; nothing was written."""

    code, status = "no_space", 507


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
