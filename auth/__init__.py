"""Who is at the browser: sign-in, login sessions, guards of requests and sockets, headers."""

from auth.service import Auth, check, install, request_origin, user_of

__all__ = ["Auth", "check", "install", "request_origin", "user_of"]
