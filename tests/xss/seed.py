"""A user whose every text is a payload: the rows in the store, the runner's log, and where to look for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from auth.accounts import upsert_user
from auth.claims import Identity
from auth.logins import Logins
from core.domain import events as e
from core.domain.audit import AuditEntry
from core.domain.records import (
    SYSTEM,
    Agent,
    Announcement,
    Connection,
    Login,
    Request,
    Session,
    User,
    UserId,
    new_agent_id,
    new_session_id,
    now,
)
from core.domain.states import SessionState
from core.store import Store

STORED = 250  # events of a session that are history; the rest come from the runner while the page looks on
Log = list[e.AnyEvent]


@dataclass(frozen=True, slots=True)
class Seeded:
    """The page of each sink, and the cookie to open it with."""

    cookie: str
    pages: dict[str, str] = field(default_factory=dict)
    last_seq: dict[str, int] = field(default_factory=dict)  # of pages with a transcript


def chunks(texts: Sequence[str], count: int) -> list[str]:
    """All of them in so many texts."""
    return [" ".join(texts[at::count]) for at in range(count)]


def logs(texts: Sequence[str]) -> dict[str, Log]:
    """A session for each kind of text that an agent, its model or its tools can bring onto the screen."""
    numbered = list(enumerate(texts))
    return {
        "user message": [e.UserSaid(message_id=f"m{n}", text=text) for n, text in numbered],
        "file name": [
            e.UserSaid(message_id=f"m{n}", text="b", attachments=(e.Attachment(name=text, path=text),))
            for n, text in numbered
        ],
        "assistant markdown": [e.Text(message=f"m{n}", block=0, text=text) for n, text in numbered],
        "thinking": [e.Thinking(message=f"m{n}", block=0, text=text) for n, text in numbered],
        "tool name": _calls([(text, {}, "b", True) for text in texts]),
        "tool input": _calls([("Bash", {"command": text, "description": text}, "b", True) for text in texts]),
        "unknown tool's input": _calls([("mcp__x__y", {"a": text, text: "b"}, "b", True) for text in texts]),
        "path and diff": _calls(
            [("Edit", {"file_path": text, "old_string": text, "new_string": text + "b"}, "b", True) for text in texts]
        ),
        "tool output": _calls([("Bash", {"command": "b"}, text, True) for text in texts]),
        "tool error": _calls([("Bash", {"command": "b"}, text, False) for text in texts]),
        "error text": [
            one
            for n, text in numbered
            for one in (
                e.UserSaid(message_id=f"m{n}", text="b"),
                e.TurnFinished(outcome="error", reason=text, detail=text),
            )
        ],
        "notice": [one for text in texts for one in (e.Notice(level="warn", text=text), e.Retrying(reason=text))],
        "todos": [e.Todos(items=tuple(e.TodoItem(text=text, status="now") for text in texts))],
        "decision": [one for n, text in numbered for one in _decided(f"d{n}", text)],
        "cards": _asked(texts),
    }


def _calls(given: Sequence[tuple[str, dict[str, Any], str, bool]]) -> Log:
    found: Log = []
    for n, (name, input, output, ok) in enumerate(given):
        found.append(e.ToolCalled(id=f"t{n}", name=name, input=input))
        found.append(e.ToolReturned(id=f"t{n}", ok=ok, content=output))
    return found


def _decided(id: str, text: str) -> Log:
    question = e.Question(text=text, options=((text, text),))
    return [
        e.Asked(request_id=id, kind="question", questions=(question,)),
        e.Answered(
            request_id=id,
            decision="answer",
            by="u web",
            message=text,
            answers={text: text},
            replies={text: e.Reply(choices=(text,), text=text)},
        ),
    ]


def _asked(texts: Sequence[str]) -> Log:
    """Cards that wait, one after another: a command, an unknown tool, an edit, questions, a plan."""
    lines = "\n".join(texts)
    rows = {f"{n} {text}": text for n, text in enumerate(texts)}
    words: dict[str, Any] = {"reason": lines, "rule": lines, "folder": lines}
    options = tuple((text, text) for text in texts)
    return [
        e.Asked(request_id="bash", kind="permission", tool="Bash", input={"command": lines}, **words),
        e.Asked(request_id="tool", kind="permission", tool=lines, input=rows, **words),
        e.Asked(request_id="edit", kind="permission", tool="Write", input={"file_path": lines, "content": lines}),
        e.Asked(request_id="ask", kind="question", questions=(e.Question(text=lines, header=lines, options=options),)),
        e.Asked(request_id="plan", kind="plan", plan="\n\n".join(texts)),
    ]


def unfinished(texts: Sequence[str]) -> Log:
    """An answer that is being written, each payload a block, in pieces of seven characters."""
    return [
        e.TextDelta(message="live", block=block, text=text[at : at + 7])
        for block, text in enumerate(texts)
        for at in range(0, len(text), 7)
    ]


async def seed(store: Store, texts: Sequence[str], *, key: str, disk: dict[UserId, dict[str, Log]]) -> Seeded:
    """Write it all. `disk` is what the runner remembers."""
    person = Identity(issuer="https://idp.test", subject="mallory", email=texts[0], name=" ".join(texts))
    user = UserId((await upsert_user(store, person, admin=True)).id)
    await store.change(User, user, owner=SYSTEM, admin_granted=True)  # no settings name them
    cookie = await Logins(store, [key]).start(await upsert_user(store, person, admin=True))
    last_seq: dict[str, int] = {}
    pages = {"agents": "/dashboard", "inbox": "/inbox", "settings": "/settings", "people and audit log": "/admin"}
    agent = await _platform(store, user, texts)
    pages["connections"] = f"/agents/{agent}/connections"
    pages["titles"] = f"/workspace/{agent}?session={await _titled(store, user, agent, texts)}"
    home = await _agent(store, user, name="b")
    for name, log in {**logs(texts), "unfinished answer": []}.items():
        session = await _session(store, user, home, title="b")
        stored: Log = [e.numbered(event, seq=n + 1) for n, event in enumerate(log)]
        disk.setdefault(user, {})[session] = stored
        await store.append(session, stored[: STORED if len(stored) > STORED else len(stored) // 2], owner=user)
        pages[name], last_seq[name] = f"/workspace/{home}?session={session}", len(stored)
    await store.put(Announcement(text=" ".join(texts), at=now()), owner=SYSTEM)
    every = quote(" ".join(texts))
    pages["sign-in error"] = f"/login?error={every[:3000]}&next={every[3000:6000]}"
    pages["no such page"] = f"/workspace/{quote(''.join(' '.join(texts).split()))[:6000]}"
    return Seeded(cookie, pages, last_seq)


async def _platform(store: Store, user: UserId, texts: Sequence[str]) -> str:
    """Agents, what waits, what was done and where it went; the id of the agent with connections."""
    for n, text in enumerate(texts):
        at = now() - timedelta(seconds=n)
        agent = await _agent(store, user, name=text, description=text, icon=text, rules=(text,))
        session = await _session(store, user, agent, title="b", last_line=text)
        words = {"summary": text, "reason": text if n % 2 else "", "tool": text}
        if n % 3 == 0:
            kind = ("permission", "question", "plan")[n // 3 % 3]
            await store.put(
                Request(id=f"r{n}", agent=agent, session=session, kind=kind, asked_at=at, **words), owner=user
            )
    for text in chunks(texts, 90):
        person = Identity(issuer=text, subject=text, email=text, name=text, picture=text)
        await upsert_user(store, person, admin=False)
    for n, text in enumerate(chunks(texts, 20)):
        login = Login(
            id=f"l{n}", user=user, created_at=now(), seen_at=now(), expires_at=now() + timedelta(days=1),
            address=text, device=text,
        )  # fmt: skip
        await store.put(login, owner=SYSTEM)
    for text in chunks(texts, 45):
        await store.add_audit_entry(
            AuditEntry(at=now(), what=text, who=text, about=text + "b", detail=text, address=text, device=text)
        )
    return await _connected(store, user, texts)


async def _connected(store: Store, user: UserId, texts: Sequence[str]) -> str:
    joined = " ".join(texts)
    agent = await _agent(store, user, name=joined, egress=tuple(texts))
    for n, text in enumerate(chunks(texts, 90)):
        row = Connection(
            id=f"o{n}", agent=agent, session="s", host=text, port=443, address=text, reason=text,
            decision=("refused", "connected", "failed")[n % 3], updated_at=now(),
        )  # fmt: skip
        await store.put(row, owner=user)
    return agent


async def _titled(store: Store, user: UserId, agent: str, texts: Sequence[str]) -> str:
    for text in texts:
        await _session(store, user, agent, title=text)
    return await _session(store, user, agent, title=" ".join(texts))


async def _agent(store: Store, user: UserId, **fields: Any) -> str:
    agent = Agent(id=new_agent_id(), draft=False, created_at=now(), updated_at=now(), **fields)
    await store.create(agent, owner=user)
    return agent.id


async def _session(store: Store, user: UserId, agent: str, **fields: Any) -> str:
    session = Session(
        id=new_session_id(), agent=agent, created_at=now(), updated_at=now(), state=SessionState.IDLE, **fields
    )
    await store.create(session, owner=user)
    return session.id
