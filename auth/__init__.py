"""Sign-in, login sessions, the guards of requests and sockets, and security headers."""

from auth.service import AuthService, check, install, request_origin, user_of

__all__ = ["AuthService", "check", "install", "request_origin", "user_of"]
