"""Text of strangers: what the model writes, on the page; what anybody calls themselves, in the log."""

from tests.guards.guard import Guard

PROSE, ADDRESSES = "ui/transcript/markdown.py", "ui/transcript/addresses.py"
TEST = "tests/ui/test_markdown.py"
ACTS = f"{TEST}::test_nothing_a_model_writes_can_act"
ITEMS, STEP, ANSI = "ui/transcript/items.py", "ui/transcript/tool_card.py", "ui/transcript/ansi.py"
DETAILS, PICTURES = "ui/transcript/tool_details.py", "ui/transcript/pictures.py"
IN_TIME = f"{TEST}::test_no_time_left_means_the_text_as_it_was_written"
SLOW = f"{TEST}::test_a_text_built_to_be_slow_costs_no_more_than_its_budget"


def shown(what: str, file: str, old: str, new: str) -> Guard:
    return Guard(
        f"shown as text: {what}",
        "X1",
        file,
        old,
        new,
        "tests/ui/test_transcript_reducer.py::test_everything_in_the_log_is_escaped",
    )


GUARDS = (
    Guard("no HTML of the model's own", "X2", PROSE, '{"html": False,', '{"html": True,', ACTS),
    Guard(
        "links lead to the web and to mail only", "X4", PROSE,
        "        if safe_address(address):\n            return link_start(address)\n", "        if address:\n            return link_start(address)\n", ACTS,
    ),
    Guard(
        "a path is no address", "X4", PROSE, "markdown.validateLink = linkable", "markdown.validateLink = bool",
        f"{TEST}::test_an_address_that_leads_nowhere_good_stays_as_it_was_written",
    ),
    Guard(
        "schemes of links", "X4", ADDRESSES, 'frozenset({"http", "https", "mailto"})', 'frozenset({"http", "https", "mailto", "javascript"})',
        f"{TEST}::test_where_a_link_may_lead",
    ),
    Guard(
        "a link without a host is none", "X4", ADDRESSES,
        'parts.scheme.lower() in SCHEMES and (parts.scheme.lower() == "mailto" or bool(parts.hostname))', "parts.scheme.lower() in SCHEMES",
        f"{TEST}::test_where_a_link_may_lead",
    ),
    Guard(
        "a link gives nothing away", "X4 X7", ADDRESSES, ' rel="noopener noreferrer nofollow"', "",
        f"{TEST}::test_a_link_says_where_it_leads_and_gives_nothing_away",
    ),
    Guard(
        "a link says where it leads", "X4", ADDRESSES, ' title="{shown}"', "",
        f"{TEST}::test_a_link_says_where_it_leads_and_gives_nothing_away",
    ),
    Guard(
        "an image is not loaded", "X3", PROSE, 'else f"{link_start(source)}{words or escape(source)}</a>"', "else f'<img src=\"{escape(source)}\">'",
        f"{TEST}::test_an_image_is_a_link_because_loading_it_would_tell_who_reads",
    ),
    Guard(
        "an address in a link is escaped", "X2", ADDRESSES, "    shown = escape(address)\n", "    shown = address\n",
        f"{TEST}::test_a_bare_address_is_a_link_without_the_sentence_around_it",
    ),
    Guard(
        "words in a link are escaped", "X2", PROSE, 'return escape(words) if env.get("in_link")', 'return words if env.get("in_link")',
        f"{TEST}::test_text_is_text_wherever_it_stands",
    ),
    Guard(
        "words are escaped", "X2", ADDRESSES, 'return "".join([*parts, escape(words[done:])])', 'return "".join([*parts, words[done:]])',
        f"{TEST}::test_text_is_text_wherever_it_stands",
    ),
    Guard(
        "the name of a code block's language is escaped", "X2", PROSE, "    name = escape(language[:20])\n", "    name = language\n", ACTS,
    ),
    Guard(
        "texts of a list's markup are escaped", "X2", "ui/layout/html.py", "{escape(text, quote=False)}", "{text}",
        "tests/ui/test_html.py::test_texts_and_attributes_are_escaped_and_only_inner_markup_is_not",
    ),
    Guard(
        "attributes of a list's markup are escaped", "X2", "ui/layout/html.py", "{escape(str(value))}", "{value}",
        "tests/ui/test_html.py::test_texts_and_attributes_are_escaped_and_only_inner_markup_is_not",
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
    Guard("a text's time is looked at", "X5 R4", "ui/transcript/budget.py", "if self._ticks % EVERY == 0 and self.spent:", "if False:", f"{IN_TIME}[inline]"),
    Guard(
        "time is counted in a line", "X5 R4", PROSE, "def _tick_inline(state: StateInline, silent: bool) -> bool:\n    state.env[\"budget\"].tick()\n",
        "def _tick_inline(state: StateInline, silent: bool) -> bool:\n", f"{IN_TIME}[inline]",
    ),
    Guard(
        "time is counted between lines", "X5 R4", PROSE,
        "def _tick_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:\n    state.env[\"budget\"].tick()\n",
        "def _tick_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:\n", f"{IN_TIME}[block]",
    ),
    Guard(
        "time is counted in code", "X5 R4", "ui/transcript/code.py", "        if budget.spent:\n", "        if False:\n",
        f"{TEST}::test_code_loses_its_colours_rather_than_its_form_when_there_is_no_time_left",
    ),
    Guard(
        "a table is not made up of nothing", "X5 R4", PROSE, "    if columns * rows > CELLS + len(state.src) * CELLS_PER_CHAR:\n", "    if False:\n",
        f"{SLOW}[wide table, short rows]",
    ),
    Guard(
        "a line of marks is text", "X5 R4", PROSE, "if mark not in \"*_~\" or not", "if True or not",
        f"{TEST}::test_a_line_drawn_with_marks_costs_the_same_however_long",
    ),
    Guard(
        "what is being written has less time", "X5 R4", PROSE, "    budget = Budget(min(LIVE_S + len(text) * BUDGET_S_PER_CHAR, LIVE_MOST_S), now)\n",
        "    budget = Budget(BUDGET_S + len(text) * BUDGET_S_PER_CHAR, now)\n",
        f"{TEST}::test_a_text_that_is_being_written_holds_nobody_up",
    ),
    shown("what was said", ITEMS, "dir=\"auto\">{escape(text, quote=False)}</div>'\n        more", "dir=\"auto\">{text}</div>'\n        more"),
    shown("what was thought", ITEMS, "thought\" dir=\"auto\">{escape(text, quote=False)}</div>", "thought\" dir=\"auto\">{text}</div>"),
    shown("a task", ITEMS, "<span>{escape(item.text, quote=False)}</span></li>", "<span>{item.text}</span></li>"),
    shown("a notice", ITEMS, "<span>{escape(text, quote=False)}</span></div>", "<span>{text}</span></div>"),
    shown("an error", ITEMS, "<div class=\"out\">{escape(event.detail, quote=False)}</div>", "<div class=\"out\">{event.detail}</div>"),
    shown("a question", ITEMS, "<span class=\"v\">{escape(question.text, quote=False)}</span>", "<span class=\"v\">{question.text}</span>"),
    shown("what a tool is asked for", STEP, "{escape(tool_labels.short(shown), quote=False)}", "{tool_labels.short(shown)}"),
    shown("what a tool is given", DETAILS, "{escape(tool_labels.visible(cut(value, FIELD_CHARS)), quote=False)}", "{cut(value, FIELD_CHARS)}"),
    shown("what a draft is for", DETAILS, "{escape(cut(said, FIELD_CHARS), quote=False)}", "{cut(said, FIELD_CHARS)}"),
    shown("what a tool printed", ANSI, "else escape(visible(text), quote=False)", "else text"),
    Guard(
        "a picture is of the kind that it says", "X3", PICTURES,
        "    if not data.startswith(BEGINNINGS.get(picture.media_type, ())):\n", "    if False:\n",
        "tests/ui/test_transcript_reducer.py::test_what_is_no_picture_is_not_shown",
    ),
    Guard(
        "what was printed in colours is escaped", "X1", ANSI,
        "        text = escape(visible(\"\".join(char for char, _ in cells)), quote=False)\n", "        text = \"\".join(char for char, _ in cells)\n",
        "tests/ui/test_ansi.py::test_colours_are_classes_and_nothing_that_was_printed_can_be_hidden_or_become_markup",
    ),
    Guard(
        "a jump to the right is paid for", "X5 R4", ANSI, "missing = min(self._column - len(line), self._padding)", "missing = self._column - len(line)",
        "tests/ui/test_ansi.py::test_hostile_output_is_rendered_within_its_time_and_not_blown_up",
    ),
    shown("what a file became", "ui/transcript/diff.py", "{escape(visible(text), quote=False)}", "{text}"),
    Guard(
        "a log entry is one line", "L1", "core/observability/logs.py", 'return character if character.isprintable() else character.encode("unicode_escape").decode()', "return character",
        "tests/core/observability/test_logs.py::test_what_a_stranger_says_stays_one_short_visible_line",
    ),
)  # fmt: skip
