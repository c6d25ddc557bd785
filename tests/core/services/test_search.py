"""The search of a user's conversations: excerpts, the owner, and sessions that are gone."""

from pathlib import Path

import pytest

from core.domain.errors import NotFound
from core.domain.events import UserSaid, numbered
from core.domain.records import Session, UserId, now
from core.services.search import AROUND_CHARS, Search, excerpt_of
from core.store.sqlite import SqliteStore

ALICE, BOB = UserId("google-1"), UserId("google-2")


def test_an_excerpt_is_one_line_around_what_was_asked_for() -> None:
    text = "가나다 " * 100 + "\n\n새 이슈를 요약해 줘\n" + "라마바 " * 100
    excerpt, marked = excerpt_of(text, "이슈 요약")
    assert "\n" not in excerpt and len(excerpt) < 4 * AROUND_CHARS + 10
    assert [excerpt[begin:end] for begin, end in marked] == ["이슈", "요약"]


@pytest.mark.parametrize("query", ["", "…", "(", "a|b", "\\", "이" * 1000])
def test_no_query_breaks_an_excerpt(query: str) -> None:
    assert excerpt_of("a|b (이) \\", query)[0] == "a|b (이) \\"


def test_words_of_scripts_with_spaces_are_marked_from_their_beginning() -> None:
    excerpt, marked = excerpt_of("reissue the Issues", "issue")
    assert [excerpt[begin:end] for begin, end in marked] == ["Issue"]


async def test_only_the_owner_finds_a_message_and_only_while_its_session_is_there(tmp_path: Path) -> None:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        search = Search(store)
        session = Session(id="s1", agent="a1", title="회의", created_at=now(), updated_at=now())
        await store.put(session, owner=ALICE)
        await store.append("s1", [numbered(UserSaid(message_id="m", text="새 보고서"), seq=1, at=now())], owner=ALICE)
        [found] = await search.find("보고", user=ALICE)
        assert (found.agent, found.title, found.seq, found.by) == ("a1", "회의", 1, "user")
        assert await search.find("보고", user=BOB) == []
        with pytest.raises(NotFound):
            await search.find("보고", user=BOB, session="s1")
        await store.delete(Session, "s1", owner=ALICE)
        assert await search.find("보고", user=ALICE) == []
