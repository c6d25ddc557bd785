"""Numbers, money and times as they are written where the reader is."""

from datetime import UTC, datetime, timedelta

import pytest

from core.domain.records import now
from ui.layout.i18n import choose, ends_in_consonant, words

KO, EN = words("ko", "Asia/Seoul"), words("en", "America/New_York")


def test_one_and_many_are_told_apart_where_the_language_does() -> None:
    assert EN.t("common.inbox_count", n=1) == "Inbox, 1 request"
    assert EN.t("common.inbox_count", n=1200) == "Inbox, 1,200 requests"
    assert KO.t("common.inbox_count", n=1) == "받은 요청 1건"


def test_braces_in_what_is_put_in_stay_what_they_are() -> None:
    assert KO.t("dashboard.archived", name="{name} {0} %s") == "{name} {0} %s 에이전트를 보관했어요."


def test_a_code_of_a_newer_version_gets_a_sentence_too() -> None:
    assert KO.code("error", "never_heard_of", "internal") == KO.t("error.internal")


def test_money_shows_its_currency_and_never_rounds_something_to_nothing() -> None:
    assert (KO.money(0.184), EN.money(1234.5), EN.money(0)) == ("US$0.18", "US$1,234.50", "US$0.00")
    assert KO.money(0.0004) == "<US$0.01"


def test_durations_are_as_exact_as_somebody_wants_to_know() -> None:
    assert [KO.lasting(s) for s in (0.42, 12.6, 192, 3900)] == ["0.4초", "12초", "3분 12초", "1시간 5분"]


def test_times_are_relative_today_and_then_shorter_and_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 11, 24, 1, 54, tzinfo=UTC)  # 10:54 in Seoul
    monkeypatch.setattr("ui.layout.i18n.now", lambda: at)
    said = [KO.when(at - timedelta(minutes=m)) for m in (0.5, 42, 125, 1000, 60 * 72, 60 * 24 * 12, 60 * 24 * 400)]
    assert said == ["방금", "42분 전", "2시간 전", "어제 오후 6:14", "토요일", "11월 12일", "2025. 10. 20."]
    assert EN.when(at - timedelta(minutes=1000)) == "16 hours ago"  # still the same day in New York
    assert KO.since(at - timedelta(seconds=5)) == "1분"
    assert KO.full(at) == "2026년 11월 24일 화요일 오전 10:54"


def test_a_clock_a_little_ahead_of_ours_is_just_now() -> None:
    assert KO.when(now() + timedelta(seconds=20)) == "방금"


@pytest.mark.parametrize(
    ("profile", "cookies", "accept", "spoken"),
    [
        ("en", {"oma_locale": "ko"}, "ko", "en"),
        ("", {"oma_locale": "en"}, "ko-KR,ko;q=0.9", "en"),
        ("", {}, "en-GB,en;q=0.9,ko;q=0.1", "en"),
        ("", {}, "ja,ko;q=0.5", "ko"),
        ("", {}, "fr-FR", "ko"),
        ("xx", {"oma_locale": "../.."}, "", "ko"),
    ],
)
def test_the_language_is_the_users_then_the_browsers_then_korean(
    profile: str, cookies: dict[str, str], accept: str, spoken: str
) -> None:
    assert choose(profile=profile, cookies=cookies, accept=accept).locale == spoken


def test_a_time_zone_that_is_none_falls_back() -> None:
    assert str(choose(cookies={"oma_zone": "../../etc/passwd"}).zone) == "Asia/Seoul"
    assert str(choose(cookies={"oma_zone": "Europe/Berlin"}).zone) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        ("비밀", True),
        ("열쇠", False),
        ("SLACK_TOKEN", True),
        ("API_KEY", False),
        ("DB1", True),
        ("DB2", False),
        ("", False),
    ],
)
def test_a_particle_is_chosen_by_the_last_sound_of_the_word_before_it(word: str, ends: bool) -> None:
    assert ends_in_consonant(word) is ends
    assert KO.t("secrets.deleted", name=word) == f"{word}{'을' if ends else '를'} 삭제했어요."
