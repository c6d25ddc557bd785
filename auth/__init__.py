"""Sign-in, login sessions, the guards of requests and sockets, and security headers."""

from auth.service import Auth, check, install, request_origin, user_of

__all__ = ["Auth", "check", "install", "request_origin", "user_of"]
