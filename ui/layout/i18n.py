"""Translations: sentences from the catalogues, and numbers, money and times in the format of the language.

Catalogues are `ui/locale/<language>/<page>.po`, merged and compiled in memory; a msgid is a key (`dashboard.title`).
"""

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from babel.core import Locale, negotiate_locale
from babel.dates import format_date, format_time, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from core.domain.records import now

FOLDER = Path(__file__).resolve().parents[1] / "locale"
LOCALES = ("ko", "en")
ZONES = {"ko": "Asia/Seoul", "en": "UTC"}  # until the browser has sent its own by cookie
LOCALE_COOKIE = "oma_locale"
CONSONANT_ENDS = "013678bcklmnpqt"  # 영 일 삼 육 칠 팔, and TOKEN, HOOK, URL; but KEY, ID, USER end in a vowel
THEME_COOKIE = "oma_theme"
ZONE_COOKIE = "oma_zone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Translations:
    """The texts of one language in one time zone."""

    locale: str
    zone: ZoneInfo
    catalogue: gettext.NullTranslations

    def t(self, key: str, /, **values: object) -> str:
        """The sentence of this key; `n` picks among plural forms. An unknown key shows itself (a test forbids it)."""
        n = values.get("n")
        if isinstance(n, int):
            text = self.catalogue.ngettext(key, key, n)
            values["n"] = self.number(n)
        else:
            text = self.catalogue.gettext(key)
        return text.format(**{name: _word(value) for name, value in values.items()}) if values else text

    def has(self, key: str) -> bool:
        """True if the catalogue has this key. Needed for keys with a code from elsewhere (`error.<code>`)."""
        return self.catalogue.gettext(key) != key

    def code(self, family: str, code: str, otherwise: str, **values: object) -> str:
        """The sentence of `<family>.<code>`, or of `<family>.<otherwise>` for a code this version does not know."""
        known = self.has(f"{family}.{code}")
        return self.t(f"{family}.{code if known else otherwise}", **values)

    def number(self, value: float) -> str:
        """A number with separators: 12,400."""
        return _decimal(value, "", self.locale)

    def money(self, usd: float) -> str:
        """An amount of money: US$0.18. Less than a cent is shown as such and not rounded to zero."""
        if 0 < usd < 0.01:
            return "<US$0.01"
        return "US$" + _decimal(usd, "#,##0.00", self.locale)

    def size(self, count: int) -> str:
        """A number of bytes: 1.2 kB."""
        value, unit = float(count), "B"
        for larger in ("kB", "MB", "GB", "TB"):
            if value < 999.5:
                break
            value, unit = value / 1000, larger
        digits = "#,##0.#" if value < 10 and unit != "B" else "#,##0"
        return f"{_decimal(value, digits, self.locale)} {unit}"

    def when(self, at: datetime) -> str:
        """A time as people say it, relative within a day: 42분 전 · 어제 오후 2:06 · 금요일 · 11월 12일."""
        local, today = at.astimezone(self.zone), now().astimezone(self.zone)
        age, days = today - local, (today.date() - local.date()).days
        if age < timedelta(minutes=1):
            return self.t("time.just_now")
        if days == 0:
            unit = timedelta(minutes=1) if age < timedelta(hours=1) else timedelta(hours=1)
            whole = unit * (age // unit)
            return format_timedelta(-whole, add_direction=True, threshold=1, locale=self.locale)
        if days == 1:
            return self.t("time.yesterday", time=self.clock(at))
        return self.day(at)

    def ahead(self, at: datetime) -> str:
        """A time to come: 오늘 오후 2:00 · 내일 오전 9:00 · 12월 1일 오전 9:00."""
        local, today = at.astimezone(self.zone), now().astimezone(self.zone)
        days = (local.date() - today.date()).days
        if days in (0, 1):
            return self.t("time.today" if days == 0 else "time.tomorrow", time=self.clock(at))
        return f"{format_date(local, self.t('time.day_pattern'), locale=self.locale)} {self.clock(at)}"

    def since(self, at: datetime) -> str:
        """The time since then: 2분."""
        age = max(now() - at, timedelta(minutes=1))
        return format_timedelta(age, granularity="minute", threshold=1, locale=self.locale)

    def day(self, at: datetime) -> str:
        """A day: 금요일 within a week, then 11월 12일, then with the year."""
        local, today = at.astimezone(self.zone), now().astimezone(self.zone)
        days = (today.date() - local.date()).days
        if 0 <= days < 7:
            return format_date(local, "EEEE", locale=self.locale)
        pattern = self.t("time.day_pattern") if local.year == today.year else "medium"
        return format_date(local, pattern, locale=self.locale)

    def date(self, day: date) -> str:
        """A calendar day without a time zone: 11월 24일 (화)."""
        return format_date(day, self.t("time.date_pattern"), locale=self.locale)

    def clock(self, at: datetime) -> str:
        """A time of day: 오전 9:00."""
        # a pattern of our own: CLDR's short form says PM in Korean
        return format_time(at, self.t("time.clock_pattern"), tzinfo=self.zone, locale=self.locale)

    def moment(self, at: datetime) -> str:
        """A day of this year with its weekday and time: 11월 24일 화요일 오전 9:00."""
        local = at.astimezone(self.zone)
        return f"{format_date(local, self.t('time.weekday_pattern'), locale=self.locale)} {self.clock(at)}"

    def exact(self, at: datetime) -> str:
        """A time of day with its seconds, for steps that follow each other closely: 9:00:02."""
        return format_time(at, "H:mm:ss", tzinfo=self.zone, locale=self.locale)

    def full(self, at: datetime) -> str:
        """The whole date and time: for a title on hover."""
        return f"{format_date(at.astimezone(self.zone), 'full', locale=self.locale)} {self.clock(at)}"

    def lasting(self, seconds: float) -> str:
        """A duration: 0.4초 · 12초 · 3분 12초 · 1시간 5분."""
        if seconds < 10:
            return self.t("time.seconds", seconds=format_decimal(seconds, format="0.#", locale=self.locale))
        if seconds < 60:
            return self.t("time.seconds", seconds=int(seconds))
        minutes, rest = divmod(int(seconds), 60)
        if minutes < 60:
            return self.t("time.minutes", minutes=minutes, seconds=rest)
        return self.t("time.hours", hours=minutes // 60, minutes=minutes % 60)


class ParticleValue(str):
    """A value in a sentence. `{name:을/를}` adds the Korean particle that its last sound asks for."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        after_consonant, slash, after_vowel = spec.partition("/")
        if not slash:
            return super().__format__(spec)
        return self + (after_consonant if ends_in_consonant(self) else after_vowel)


def _word(value: object) -> object:
    return ParticleValue(value) if isinstance(value, str) else value


def ends_in_consonant(word: str) -> bool:
    """True if the word, read aloud in Korean, ends in a consonant; Latin letters are read as in a loan word."""
    last = next((letter for letter in reversed(word.lower()) if letter.isalnum()), "")
    if "가" <= last <= "힣":
        return (ord(last) - ord("가")) % 28 > 0
    return bool(last) and (last in CONSONANT_ENDS or word.lower().endswith("ng"))


@lru_cache(maxsize=2 * 64)
def words(locale: str, zone: str = "") -> Translations:
    """The translations of a language (one of LOCALES) in a time zone; unknown values fall back to the defaults."""
    locale = locale if locale in LOCALES else LOCALES[0]
    zone = zone if zone in _zones() else ZONES[locale]
    return Translations(locale=locale, zone=ZoneInfo(zone), catalogue=_catalogue(locale))


def choose(*, profile: str = "", cookies: Mapping[str, str], accept: str = "") -> Translations:
    """The translations by the first of: the profile, the cookie, Accept-Language, Korean."""
    asked = [part.split(";")[0].strip().replace("-", "_") for part in accept.split(",")[:16]]
    heard = negotiate_locale(asked, list(LOCALES)) or ""
    picked = (profile, cookies.get(LOCALE_COOKIE, ""), heard, LOCALES[0])
    return words(next(one for one in picked if one in LOCALES), cookies.get(ZONE_COOKIE, ""))


def merged(locale: str) -> Catalog:
    """All pages' catalogues of one language in one. Raises: ValueError: a key is there twice."""
    whole = Catalog(locale=Locale.parse(locale))
    for path in sorted((FOLDER / locale).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=locale, abort_invalid=True):
                if message.id and whole.get(message.id if isinstance(message.id, str) else message.id[0]):
                    raise ValueError(f"{message.id} is in {path.name} and in another catalogue")
                if message.id:
                    whole.add(message.id, message.string)
    return whole


@lru_cache(maxsize=len(LOCALES))
def _catalogue(locale: str) -> gettext.NullTranslations:
    buffer = BytesIO()
    write_mo(buffer, merged(locale))
    buffer.seek(0)
    return gettext.GNUTranslations(buffer)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=512)
def _decimal(value: float, pattern: str, locale: str) -> str:
    """A formatted number, cached: formatting costs 150 µs, and pages show the same few numbers again and again."""
    return format_decimal(value, format=pattern or None, locale=locale)
