"""Markup that is drawn as one string lets no text or attribute become an element."""

from ui.layout.html import icon_markup, markup

EVIL = '"><img src=x onerror=alert(1)>'


def test_texts_and_attributes_are_escaped_and_only_inner_markup_is_not() -> None:
    drawn = markup("a", EVIL, inner=icon_markup("check"), classes=EVIL, href=EVIL, aria_label=EVIL)
    assert "<img" not in drawn
    shown = drawn.removesuffix('<i class="ic ic-check" aria-hidden="true"></i></a>').partition(">")[0]
    assert shown.count('"') == 2 * 3, "three attributes, and none of their values ends early"
    assert drawn.endswith('<i class="ic ic-check" aria-hidden="true"></i></a>')


def test_an_attribute_without_a_value_is_left_out() -> None:
    assert markup("span", "a & b", title=None, for_="x") == '<span for="x">a &amp; b</span>'
