"""Finds the Chromium for the tests: Debian's, or if present the build without windows."""

from pathlib import Path

PROGRAMS = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking --no-first-run "
    "--disable-component-update --disable-sync"
).split()


def chromium() -> str:
    """Its path; empty if there is none."""
    return next((program for program in PROGRAMS if Path(program).exists()), "")
