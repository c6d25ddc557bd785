"""`main.py`'s web with a clock that runs so many times as fast: `python fast_web.py SPEED`.

Gateway, boxes and CLIs keep real time, so a schedule's hour passes in minutes while all work takes as long as it takes.
"""

import sys
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.domain import records

REAL, SPEED = records.now, float(sys.argv[1])
BEGAN = REAL()


def fast() -> datetime:
    """Return the shown time."""
    return BEGAN + (REAL() - BEGAN) * SPEED


if __name__ == "__main__":
    records.now = fast  # before anything else imports it by name
    import main

    sys.exit(main.main([]))
