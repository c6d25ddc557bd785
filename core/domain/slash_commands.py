"""The commands of the CLI that a page offers.

The CLI lists more than work without a terminal. Each of these was tried with the real CLI: it shows an answer or
changes what the session shows (tests/core/runner/test_session_settings.py tries them again). Commands of an agent's
own folder are always offered; the model carries them out.
"""

from typing import Final

OFFERED: Final = (
    "compact", "context", "clear", "usage", "init", "code-review", "security-review", "simplify",
)  # fmt: skip
