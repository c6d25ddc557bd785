"""Who is at the browser: sign-in, login sessions, guards of requests and sockets, headers."""

from auth.door import Auth, install

__all__ = ["Auth", "install"]
