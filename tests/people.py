"""The people in tests: alice (who owns things), bob (same domain), charlie (who must see nothing), as claims."""

from typing import Any

Person = dict[str, Any]

ALICE: Person = {"sub": "101", "name": "김앨리스", "email": "alice@example.com", "email_verified": True}
BOB: Person = {"sub": "102", "name": "Bob", "email": "bob@example.com", "email_verified": True}
CHARLIE: Person = {"sub": "103", "name": "Charlie", "email": "charlie@elsewhere.test", "email_verified": True}
ROOT: Person = {"sub": "100", "name": "Root", "email": "root@example.com", "email_verified": True}
