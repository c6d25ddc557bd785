"""Identifiers: stable, path-safe, never an e-mail address."""

import uuid

from core.domain.records import GOOGLE, LOCAL, new_agent_id, new_session_id, user_id


def test_googles_real_subject_stays_readable() -> None:
    assert user_id(GOOGLE, "104382938471") == "google-104382938471"


def test_the_same_subject_of_two_issuers_is_two_people() -> None:
    assert user_id("https://a.example", "1") != user_id("https://b.example", "1") != user_id(LOCAL, "1")


def test_a_hostile_subject_cannot_leave_its_folder() -> None:
    for subject in ("../../etc", "a/b", "\0", "1" * 500, "한글", "٣"):
        for issuer in (GOOGLE, "https://a.example"):
            key = user_id(issuer, subject)
            assert key.replace("-", "").isalnum()
            assert len(key) < 80


def test_a_session_id_is_one_the_cli_takes() -> None:
    assert str(uuid.UUID(new_session_id())) != new_session_id()


def test_agent_ids_are_folder_names() -> None:
    ids = {new_agent_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(i.isalnum() and i.islower() and len(i) == 12 for i in ids if not i.isdigit())
