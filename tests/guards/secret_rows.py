"""The key and other secrets: gone from what is logged, kept, shown to a box; by value in every spelling, and by look."""

from tests.guards.guard import Guard

VALUES, SHAPES, LOGS = (
    "core/observability/redaction.py",
    "core/observability/secret_patterns.py",
    "core/observability/logs.py",
)
BY_VALUE, BY_LOOK = "tests/core/observability/test_redaction.py", "tests/core/observability/test_secret_patterns.py"
LOG, STAYS = "tests/core/observability/test_logs.py", "tests/core/gateway/test_key_stays.py"
PASSING = "core/gateway/providers/passthrough.py"
ENDS = f"{LOG}::test_warnings_and_what_nobody_caught_are_entries_too"


def spelled(how: str, old: str, new: str, case: str) -> Guard:
    case = f"{BY_VALUE}::test_a_value_is_gone_however_it_is_spelled[{case}]"
    return Guard(f"masked: {how}", "S3 L1", VALUES, old, new, case)


# By the word behind which a pattern stands: what the tests call a secret of that look.
KEYS = {
    "sk-ant-": "Anthropic", "sk-": "OpenAI of a project", "ghp_ gho_ ghu_ ghs_ ghr_": "GitHub", "github_pat_": "GitHub fine-grained",
    "glpat-": "GitLab", "AIza": "Google", "GOCSPX-": "Google client secret", "ya29.": "Google token", "xox": "Slack",
    "AKIA ASIA": "AWS", "k_live_": "Stripe", "npm_": "npm", "pypi-AgE": "PyPI", "PRIVATE": "PEM, cut", "eyJ": "ours",
}  # fmt: skip

GUARDS = (
    spelled("in a URL", 'for quoted in (quote(text, safe=""), quote(text), quote_plus(text)):', "for quoted in ():", "in a URL-password"),
    spelled(
        "in JSON", "for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]):",
        "for escaped in ():", "in JSON-password",
    ),
    spelled("in JSON in JSON", "        yield json.dumps(escaped)[1:-1]", "        pass", "in JSON in JSON-backslashes"),
    spelled("in HTML", "    yield html.escape(text)\n", "", "in HTML-password"),
    spelled("in a URL in small letters", "        yield ESCAPE.sub(lambda escape: escape[0].lower(), quoted)\n", "", "in a URL in small letters-password"),
    spelled("in JSON for pages", "        yield escaped.translate(IN_PAGES)\n", "", "in JSON for pages-password"),
    spelled("in JSON with slashes escaped", '        yield escaped.replace("/", "\\\\/")\n', "", "in JSON with slashes escaped-password"),
    spelled("in hex", "    yield raw.hex()\n", "", "in hex-key"),
    spelled("in hex in capitals", "    yield raw.hex().upper()\n", "", "in hex in capitals-key"),
    spelled("in base64", "    for shift in range(3):\n", "    for shift in ():\n", "in base64-key"),
    spelled("in base64 behind something", "    for shift in range(3):\n", "    for shift in (0,):\n", "in base64 behind one character-key"),
    Guard(
        "masked: in base64 in lines", "S3 L1", VALUES, "BASE64_PIECE = 19", "BASE64_PIECE = LONGEST",
        f"{BY_VALUE}::test_of_base64_in_lines_at_most_the_piece_at_a_break_is_left[-long]",
    ),
    Guard(
        "masked: what overlaps", "S3", VALUES, "        if spans and start <= spans[-1][1]:\n", "        if False:\n",
        f"{BY_VALUE}::test_no_part_of_overlapping_values_is_left",
    ),
    Guard(
        "masked: one line of several", "S3", VALUES, "*(line for line in lines if len(line) >= SHORTEST_LINE)", "*()",
        f"{BY_VALUE}::test_of_a_value_of_many_lines_each_long_line_counts_by_itself",
    ),
    Guard(
        "masked: long values piece by piece", "S3", VALUES, "    while len(spelling) > longest:\n", "    while False:\n",
        f"{BY_VALUE}::test_no_spelling_is_longer_than_a_stream_waits_for",
    ),
    *(
        Guard(
            f"looks like a secret: {word}", "S3 L1", SHAPES, f'"{word}"', '"never"',
            f"{BY_LOOK}::test_a_key_of_a_known_service_is_masked[{{}}-{case}]",
        )
        for word, case in KEYS.items()
    ),
    Guard(
        "a credential looks like a secret", "S3 L1", SHAPES, "= KEYS + BEARERS) -> str", "= KEYS) -> str",
        f"{BY_LOOK}::test_a_credential_is_masked_and_its_name_stays",
    ),
    Guard(
        "the log: values", "S3 L1", LOGS, "return truncate_middle(self._redactor.mask_line(text), MESSAGE_BYTES, spell)", "return truncate_middle(text, MESSAGE_BYTES, spell)",
        f"{LOG}::test_a_secret_in_a_traceback_or_an_argument_is_masked",
    ),
    Guard("the log: what ends a process", "S3 L1", LOGS, "    sys.excepthook = _log_uncaught\n", "", ENDS, by="JSONDecodeError"),
    Guard("the log: what ends a thread", "S3 L1", LOGS, "    threading.excepthook = lambda", "    lambda_ = lambda", ENDS, by="JSONDecodeError"),
    Guard("the log: warnings of libraries", "S3 L1", LOGS, "    logging.captureWarnings(True)\n", "", ENDS, by="JSONDecodeError"),
    Guard(
        "the audit log holds no key", "S3 L1", "core/services/audit.py", "escape_line(visible(mask(text[:READ_CHARS])), longest)", "escape_line(visible(text[:READ_CHARS]), longest)",
        "tests/core/services/test_audit.py::test_a_key_in_a_rule_is_not_kept",
    ),
    Guard(
        "what the model says of the key: bodies", "S1 S3", PASSING, "self._upstream.redactor.mask_bytes(worded)[:ERROR_BYTES]", "worded[:ERROR_BYTES]",
        f"{STAYS}::test_what_the_model_quotes_of_the_key_reaches_no_box[429]",
    ),
    Guard(
        "what the model says of the key: headers", "S1 S3", PASSING, "{name: self._upstream.redactor.mask_text(value) for", "{name: value for",
        f"{STAYS}::test_what_the_model_quotes_of_the_key_reaches_no_box[429]",
    ),
    Guard(
        "no event is kept with the key", "S1 S3", "core/gateway/box_api.py", "read_batch(self._redactor.mask_bytes(body))", "read_batch(body)",
        f"{STAYS}::test_an_event_that_holds_the_key_is_kept_without_it",
    ),
)  # fmt: skip
