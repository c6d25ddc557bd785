"""The icons of the transcript, as HTML."""


def icon(name: str, more: str = "") -> str:
    """Draw an icon, which screen readers skip."""
    return f'<i class="{f"ic ic-{name} {more}".strip()}" aria-hidden="true"></i>'
