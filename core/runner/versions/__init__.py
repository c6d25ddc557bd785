"""Versions of an agent's folder: committed without git's programs, checked by digest, checked out for runs."""
