"""Full-text search over messages in the embedded store: an FTS5 index that triggers keep beside the events.

A row of the index has the number `n · 2^40 + k`, where `n` is its owner's number: so the messages of one owner are one
range of rows, which SQLite reads from its end, the newest first, without looking at those of others.
"""

import aiosqlite

from core.store.search_terms import phrases, terms

FUNCTION = "search_terms"
OWNER_ROWS = 1 << 40
SEARCHED = "('user_said', 'text')"  # the events that people and models write
OPTIMIZE = "INSERT INTO message_index (message_index) VALUES ('optimize')"

_OWNED = "n * 1099511627776"
_NEXT = f"""(SELECT max({_OWNED}, coalesce((SELECT max(id) FROM message_rows
    WHERE id BETWEEN {_OWNED} AND {_OWNED} + 1099511627775), 0)) + 1 FROM message_owners WHERE owner = new.owner)"""
_ADD = f"""
    INSERT OR IGNORE INTO message_owners (owner) VALUES (new.owner);
    INSERT INTO message_rows SELECT {_NEXT}, new.owner, new.session, new.seq;
    INSERT INTO message_index (rowid, terms) SELECT id, {FUNCTION}(json_extract(new.body, '$.text')) FROM message_rows
        WHERE owner = new.owner AND session = new.session AND seq = new.seq;"""
TABLES = (
    "CREATE TABLE message_owners (n INTEGER PRIMARY KEY, owner TEXT NOT NULL UNIQUE)",
    """CREATE TABLE message_rows
       (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, session TEXT NOT NULL, seq INTEGER NOT NULL,
       UNIQUE (owner, session, seq))""",
    'CREATE VIRTUAL TABLE message_index USING fts5(terms, tokenize = "unicode61 remove_diacritics 0")',
    f"""CREATE TRIGGER messages_added AFTER INSERT ON events
        WHEN json_extract(new.body, '$.type') IN {SEARCHED} BEGIN {_ADD} END""",
    f"""CREATE TRIGGER messages_deleted AFTER DELETE ON events
        WHEN json_extract(old.body, '$.type') IN {SEARCHED} BEGIN
        DELETE FROM message_index WHERE rowid = (SELECT id FROM message_rows
            WHERE owner = old.owner AND session = old.session AND seq = old.seq);
        DELETE FROM message_rows WHERE owner = old.owner AND session = old.session AND seq = old.seq; END""",
    # The messages that an earlier version has stored, oldest first.
    "INSERT INTO message_owners (owner) SELECT DISTINCT owner FROM events",
    f"""INSERT INTO message_rows SELECT {_OWNED} + row_number() OVER (PARTITION BY owner ORDER BY at, session, seq),
        owner, session, seq FROM events JOIN message_owners USING (owner)
        WHERE json_extract(body, '$.type') IN {SEARCHED}""",
    f"""INSERT INTO message_index (rowid, terms) SELECT id, {FUNCTION}(json_extract(body, '$.text'))
        FROM message_rows JOIN events USING (owner, session, seq)""",
)
FIND = """SELECT r.session, e.body FROM message_index i
    JOIN message_rows r ON r.id = i.rowid
    JOIN events e ON e.owner = r.owner AND e.session = r.session AND e.seq = r.seq
    WHERE i.terms MATCH ? AND i.rowid BETWEEN ? AND ? AND (? = '' OR r.session = ?)
    ORDER BY i.rowid DESC LIMIT ?"""


async def prepare(db: aiosqlite.Connection) -> None:
    """Give a connection the function that the triggers call."""
    await db.create_function(FUNCTION, 1, _joined, deterministic=True)


async def find(db: aiosqlite.Connection, query: str, *, owner: str, session: str, limit: int) -> list[tuple[str, str]]:
    """Return the sessions and bodies of the newest messages that fit, newest first."""
    wanted = " AND ".join(f'"{" ".join(phrase)}"*' for phrase in phrases(query))
    owned = list(await db.execute_fetchall("SELECT n FROM message_owners WHERE owner = ?", (owner,)))
    if not wanted or not owned:
        return []
    first = owned[0][0] * OWNER_ROWS
    rows = await db.execute_fetchall(FIND, (wanted, first, first + OWNER_ROWS - 1, session, session, limit))
    return [(row[0], row[1]) for row in rows]


def _joined(text: str | None) -> str:
    return " ".join(terms(text or ""))
