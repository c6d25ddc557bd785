"""All rows, from every file of this folder that has some."""

from importlib import import_module
from pathlib import Path

from tests.guards.guard import Guard

HERE = Path(__file__).parent
# The attacks of SECURITY.md that the program withstands by a guard of its own; L2 is the lock file's and the image's.
SERVED = frozenset(
    "A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 C1 C2 C3 W1 W2 W3 W4 W5 W6 Z1 Z2 Z3 Z4 Z5 Z6 X1 X2 X3 X4 X5 X6 X7 "
    "F1 F2 F3 F4 F5 F6 S1 S2 S3 S4 S5 S6 S7 S8 S9 R1 R2 R3 R4 R5 R6 L1 T1 T2 T2-1 T2-2 T2-3 T2-4 T2-7 T2-8".split()
)


def guards() -> list[Guard]:
    """Return all rows in the order of their files' names."""
    found: list[Guard] = []
    for path in sorted(HERE.glob("*_rows.py")):
        found += import_module(f"tests.guards.{path.stem}").GUARDS
    return found
