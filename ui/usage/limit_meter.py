"""The meter of a month's limit: a bar of the amount spent with a mark at 80 per cent, and a forecast."""

from datetime import date

from core.domain.limits import WARN_AT
from ui.layout.html import tag
from ui.layout.i18n import Translations
from ui.usage.periods import days_of_month


def limit_meter(words: Translations, *, spent_usd: float, limit_usd: float, today: date) -> None:
    """Draw it into the element that is open. Without a limit there is the projection alone."""
    ahead = spent_usd / today.day * days_of_month(today)
    with tag("div", classes="limit-meter", testid="limit-meter"):
        if limit_usd:
            share = min(1.0, spent_usd / limit_usd)
            level = "bad" if share >= 1 else "warn" if share >= WARN_AT[0] / 100 else ""
            label = words.t("limits.spent_of", spent=words.money(spent_usd), limit=words.money(limit_usd))
            bar = tag("div", classes=f"bar {level}".strip(), role="meter", aria_label=label)
            bar.attributes(aria_valuenow=f"{share * 100:.0f}", aria_valuemin="0", aria_valuemax="100")
            with bar:
                tag("i", style=f"width:{share:.2%}")
                tag("b", style=f"left:{WARN_AT[0]}%")
        with tag("div", classes="ends meta"):
            tag("span", words.t("limits.ahead", usd=words.money(ahead)) if spent_usd else "")
            if limit_usd:
                warn_usd = words.money(limit_usd * WARN_AT[0] / 100)
                tag("span", words.t("limits.warns_at", percent=WARN_AT[0], usd=warn_usd))
