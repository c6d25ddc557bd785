"""The audit log as an administrator reads it: names where there are any, and the ids not lost."""

from datetime import UTC, datetime

import pytest

from core.domain.audit import AuditAction, AuditEntry
from core.domain.records import Agent, User
from ui.admin.audit_log import AuditLine, describe, names
from ui.layout.i18n import words

AT = datetime(2026, 11, 26, tzinfo=UTC)


def user(id: str, name: str = "", email: str = "") -> User:
    return User(id=id, issuer="i", subject=id, name=name, email=email, created_at=AT, seen_at=AT)


def agent(id: str, name: str = "") -> Agent:
    return Agent(id=id, name=name, created_at=AT, updated_at=AT)


USERS = [user("u1", "김앨리스"), user("u2", email="bob@example.com"), user("u0")]
KNOWN = names(USERS, [agent("a1", "Digest"), agent("a2")], words=words("ko"), me="u0")


def act(what: AuditAction, **fields: str) -> AuditEntry:
    return AuditEntry(at=AT, what=what, address="10.0.0.1", **fields)


def test_people_and_ones_own_agents_have_names_and_the_ids_stay_in_the_title() -> None:
    shown = describe(act(AuditAction.AGENT_PUBLISHED, who="u1", about="a1", device="Firefox"), KNOWN, words("ko"))
    assert shown == AuditLine(
        what="에이전트 게시", detail="", parts=("김앨리스", "Digest", "10.0.0.1"), exact="u1 · a1 · Firefox"
    )


def test_an_agent_of_somebody_else_and_an_account_that_is_gone_keep_their_ids() -> None:
    assert describe(act(AuditAction.AGENT_DELETED, who="u9", about="theirs"), KNOWN, words("ko")).parts[:2] == (
        "u9",
        "theirs",
    )
    assert describe(act(AuditAction.SIGN_IN, who="u2"), KNOWN, words("ko")).parts == ("bob@example.com", "10.0.0.1")
    assert describe(act(AuditAction.SIGN_IN, who="u0"), KNOWN, words("ko")).parts == ("나", "10.0.0.1")


@pytest.mark.parametrize(
    ("what", "detail", "shown"),
    [
        (AuditAction.REQUEST_ANSWERED, "allow ad58546c-4246", "Allowed once"),
        (AuditAction.REQUEST_ANSWERED, "deny ad58546c-4246", "Denied"),
        (AuditAction.REQUEST_ANSWERED, "allow ad58546c-4246 Bash: rm -rf out", "Allowed once · Bash: rm -rf out"),
        (AuditAction.REQUEST_ANSWERED, "strange ad58546c", "strange ad58546c"),
        (AuditAction.ROLE_CHANGED, "admin", "Make admin"),
        (AuditAction.RULE_ADDED, "Bash(ls:*)", "Bash(ls:*)"),
        (AuditAction.SIGN_IN_REFUSED, "not_allowed eve@example.com", "not_allowed eve@example.com"),
    ],
)
def test_a_detail_is_said_in_words_where_there_are_some(what: AuditAction, detail: str, shown: str) -> None:
    row = describe(act(what, detail=detail), {}, words("en"))
    assert row.detail == shown
    assert detail in row.exact
