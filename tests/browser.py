"""Which Chromium the tests drive: Debian's, and where it is there the build without a browser's own windows.

The shell is the same engine: a profile costs it 0.4 seconds of processor, not 1.6, and the suite opens hundreds.
"""

from pathlib import Path

PROGRAMS = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking --no-first-run "
    "--disable-component-update --disable-sync"
).split()


def chromium() -> str:
    """Its path; empty if there is none."""
    return next((program for program in PROGRAMS if Path(program).exists()), "")
