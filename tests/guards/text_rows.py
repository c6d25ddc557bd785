"""Text of strangers: what the model writes, on the page; what anybody calls themselves, in the log."""

from tests.guards.guard import Guard

PROSE = "ui/transcript/prose.py"
TEST = "tests/ui/test_prose.py"
ACTS = f"{TEST}::test_nothing_a_model_writes_can_act"

GUARDS = (
    Guard("no HTML of the model's own", "X2", PROSE, '{"html": False,', '{"html": True,', ACTS),
    Guard("links lead to the web and to mail only", "X4", PROSE, "markdown.validateLink = safe_address", "markdown.validateLink = bool", ACTS),
    Guard(
        "schemes of links", "X4", PROSE, 'frozenset({"http", "https", "mailto"})', 'frozenset({"http", "https", "mailto", "javascript"})',
        f"{TEST}::test_where_a_link_may_lead",
    ),
    Guard(
        "a link without a host is none", "X4", PROSE,
        'parts.scheme.lower() in SCHEMES and (parts.scheme.lower() == "mailto" or bool(parts.hostname))', "parts.scheme.lower() in SCHEMES",
        f"{TEST}::test_where_a_link_may_lead",
    ),
    Guard(
        "a link gives nothing away", "X4 X7", PROSE, ' rel="noopener noreferrer nofollow"', "",
        f"{TEST}::test_a_link_says_where_it_leads_and_gives_nothing_away",
    ),
    Guard(
        "a link says where it leads", "X4", PROSE, ' title="{shown}"', "",
        f"{TEST}::test_a_link_says_where_it_leads_and_gives_nothing_away",
    ),
    Guard(
        "an image is not loaded", "X3", PROSE, 'else f"{_link(source)}{words or escape(source)}</a>"', "else f'<img src=\"{escape(source)}\">'",
        f"{TEST}::test_an_image_is_a_link_because_loading_it_would_tell_who_reads",
    ),
    Guard(
        "an address in a link is escaped", "X2", PROSE, "    shown = escape(address)\n", "    shown = address\n",
        f"{TEST}::test_a_bare_address_is_a_link_without_the_sentence_around_it",
    ),
    Guard(
        "words in a link are escaped", "X2", PROSE, 'return escape(words) if env.get("in_link")', 'return words if env.get("in_link")',
        f"{TEST}::test_text_is_text_wherever_it_stands",
    ),
    Guard(
        "words are escaped", "X2", PROSE, 'return "".join([*parts, escape(words[done:])])', 'return "".join([*parts, words[done:]])',
        f"{TEST}::test_text_is_text_wherever_it_stands",
    ),
    Guard(
        "the name of a code block's language is escaped", "X2", PROSE, "    name = escape(language[:20])\n", "    name = language\n", ACTS,
    ),
    Guard(
        "code is escaped where it is coloured", "X2", "ui/transcript/code.py", "        text = escape(value, quote=False)\n", "        text = value\n",
        f"{TEST}::test_the_text_of_a_code_block_is_its_source_byte_for_byte",
    ),
    Guard(
        "code is escaped where it is not coloured", "X2", "ui/transcript/code.py",
        "_longest_line(source) > MAX_LINE:\n        return escape(source, quote=False)", "_longest_line(source) > MAX_LINE:\n        return source",
        f"{TEST}::test_the_text_of_a_code_block_is_its_source_byte_for_byte",
    ),
    Guard(
        "a text that is too long is shown as it is", "X5", PROSE, "    if len(text) > MAX_CHARS:\n        return plain(text)\n", "",
        f"{TEST}::test_what_is_too_long_is_shown_as_it_was_written",
    ),
    Guard(
        "a text that is plain is escaped", "X2", PROSE, "{escape(text, quote=False)}</div>'", "{text}</div>'",
        f"{TEST}::test_text_is_text_wherever_it_stands",
    ),
    Guard(
        "a log entry is one line", "L1", "core/logs.py", 'return character if character.isprintable() else character.encode("unicode_escape").decode()', "return character",
        "tests/core/test_logs.py::test_what_a_stranger_says_stays_one_short_visible_line",
    ),
)  # fmt: skip
