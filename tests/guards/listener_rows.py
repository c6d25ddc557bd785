"""Guards of the web's requests: address, origin, login, rate limits, and headers of answers."""

from tests.guards.guard import Guard

TEST, LAYERED = "tests/auth/test_guard.py", "tests/auth/test_layered_guards.py"
FORGERY = f"{TEST}::TestForgery::test_a_request_from_elsewhere_changes_nothing"
SIX = f"{TEST}::TestHeaders::test_every_answer_carries_the_six_exactly"
LIMITED = f"{TEST}::TestLimits::test_a_body_over_the_limit_is_refused_declared_or_not"
PROXIES = f"{TEST}::TestProxies"
NAMES = f"{TEST}::TestNames::test_a_name_that_is_not_ours_is_refused"
NONCE = f"{TEST}::TestHeaders::test_a_page_of_nicegui_gets_a_fresh_nonce_for_its_scripts_and_is_compressed"
GUARD, HEADERS, SITE = "auth/guard.py", "auth/headers.py", "auth/site.py"


def header(name: str, words: str) -> Guard:
    return Guard(f"header {name}", "X7" if "frame" in name or "opener" in name else "X2", HEADERS, words, "", SIX)


GUARDS = (
    Guard(
        "a body has one length", "A10", GUARD, "    if {b\"content-length\", b\"transfer-encoding\"} <= names:", "    if False:",
        "tests/auth/test_hostile_log.py::test_such_a_request_gets_one_400_and_the_connection_closes_and_the_log_has_one_line[two lengths]",
    ),
    Guard(
        "hostile requests are one line a minute", "L1", "auth/hostile_log.py", "        if now < until:\n", "        if False:\n",
        "tests/auth/test_hostile_log.py::test_a_message_is_said_once_a_minute_with_the_count_of_those_that_were_not_and_without_a_traceback",
    ),
    Guard(
        "a stranger gets nothing but what is open", "Z1", GUARD,
        'return None if "user" in state else self._stranger(scope, unsafe=unsafe)', "return None",
        f"{TEST}::TestStrangers::test_the_api_says_401_in_our_words",
    ),
    Guard(
        "a stranger who would change something is refused", "Z1", GUARD,
        'if unsafe or path.startswith(("/api/", SOCKET_PREFIX)):', 'if path.startswith(("/api/", SOCKET_PREFIX)):',
        f"{TEST}::TestStrangers::test_what_would_change_something_is_refused_not_redirected",
    ),
    Guard(
        "a change says that it comes from our page", "A9", GUARD,
        "            _no_forgery(headers, origin)\n", "", FORGERY + "[headers0]",
    ),
    Guard(
        "Sec-Fetch-Site is same-origin", "A9", GUARD,
        'if site is not None and site != b"same-origin":', "if False:", FORGERY + "[headers14]",
    ),
    Guard(
        "a change that says nothing of its origin", "A9", GUARD,
        "if said is None and site is None:", "if False:", FORGERY + "[headers0]",
    ),
    Guard(
        "the Origin of a change is ours", "A9", GUARD,
        'if said is not None and said.decode("latin-1").lower() != origin:', "if False:", FORGERY + "[headers1]",
    ),
    Guard(
        "the Origin of a change is compared whole", "A9 A8", GUARD,
        'if said is not None and said.decode("latin-1").lower() != origin:',
        'if said is not None and not said.decode("latin-1").lower().startswith(origin):',
        FORGERY + "[headers4]",
    ),
    Guard(
        "reading changes nothing: signing out is a POST", "A9", "auth/routes.py",
        'return [Route("/auth/logout", self.logout, methods=["POST"])]',
        'return [Route("/auth/logout", self.logout, methods=["POST", "GET"])]',
        f"{TEST}::TestForgery::test_getting_the_sign_out_address_changes_nothing",
    ),
    Guard(
        "only our names", "A10", GUARD,
        'self._site.origin(hosts[0].decode("latin-1")) if', 'self._site.origin(self._site.url.partition("//")[2]) if', NAMES,
    ),
    Guard(
        "one Host header and not two", "A10", GUARD,
        "if len(hosts) == 1 else None", "if hosts else None",
        f"{LAYERED}::TestHeaders::test_two_host_headers_are_refused_whichever_comes_first",
    ),
    Guard(
        "our name is compared whole", "A10", SITE,
        "match = HOST.fullmatch(host.lower())", "match = HOST.match(host.lower())", NAMES,
    ),
    Guard(
        "forwarded headers of a client are taken away", "A10", GUARD,
        '        strip_forwarded(scope, scheme=origin.partition(":")[0])\n', "",
        f"{PROXIES}::test_what_a_client_says_of_itself_is_taken_away",
    ),
    Guard(
        "only a trusted proxy says who called", "A10 A7", SITE,
        "        if not self._trusted(peer):\n            return str(peer)\n", "",
        f"{PROXIES}::test_what_a_client_says_of_itself_is_taken_away",
    ),
    Guard(
        "of a chain of proxies only our own hop counts", "A10 A7", SITE,
        'for hop in reversed(chain.decode("latin-1").split(",")):', 'for hop in chain.decode("latin-1").split(","):',
        f"{PROXIES}::test_a_trusted_proxy_says_who_called_and_only_its_own_hop_counts",
    ),
    Guard(
        "sign-ins of one address are slowed", "A7 R5", GUARD,
        '            await self._rates.hit(SIGN_IN, network_of(state["address"]))\n', "            pass\n",
        f"{TEST}::TestLimits::test_a_flood_of_sign_ins_from_one_address_is_slowed_and_others_are_not",
    ),
    Guard(
        "an IPv6 network counts as one caller", "A7", SITE,
        "return str(IPv6Network((address, 64), strict=False))", "return caller",
        f"{TEST}::TestLimits::test_one_customers_ipv6_network_counts_as_one",
    ),
    Guard(
        "a declared body is not over the limit", "R5", GUARD,
        "            declared(headers, self._body_limit(scope))\n", "", LIMITED, by="AssertionError",
    ),
    header("x-content-type-options", '    (b"x-content-type-options", b"nosniff"),\n'),
    header("x-frame-options", '    (b"x-frame-options", b"DENY"),\n'),
    header("x-xss-protection", '    (b"x-xss-protection", b"1; mode=block"),\n'),
    header("referrer-policy", '    (b"referrer-policy", b"strict-origin-when-cross-origin"),\n'),
    header(
        "strict-transport-security",
        '    (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload"),\n',
    ),
    header("cross-origin-opener-policy", '    (b"cross-origin-opener-policy", b"same-origin"),\n'),
    Guard(
        "header cross-origin-resource-policy", "X2", HEADERS,
        '    (b"cross-origin-resource-policy", b"same-origin"),\n', "",
        f"{LAYERED}::TestHeaders::test_the_two_beside_the_six_are_on_every_answer",
    ),
    Guard(
        "header permissions-policy", "X2", HEADERS,
        'b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()"', 'b"usb=()"',
        f"{LAYERED}::TestHeaders::test_the_two_beside_the_six_are_on_every_answer",
    ),
    Guard(
        "what is no page may do nothing", "X2", HEADERS,
        "NOTHING = \"default-src 'none'; base-uri", "NOTHING = \"default-src *; base-uri", SIX,
    ),
    Guard(
        "a page runs no script without its nonce", "X2", HEADERS,
        "script-src 'self' 'nonce-{nonce}' 'unsafe-eval'", "script-src 'self' 'unsafe-inline' 'unsafe-eval'", NONCE,
    ),
    Guard(
        "a nonce is used once", "X2", HEADERS,
        "nonce = secrets.token_urlsafe(16)", 'nonce = "always-the-same-one"', NONCE,
    ),
    Guard(
        "a page loads and reaches nothing elsewhere", "X3 S8", HEADERS,
        "\"img-src 'self' data:; font-src 'self' data:; connect-src 'self' {socket};",
        "\"img-src *; font-src *; connect-src *;",
        f"{LAYERED}::TestHeaders::test_the_policy_of_a_page_names_nobody_but_us",
    ),
    Guard(
        "a page is framed by nobody", "X7", HEADERS,
        "\"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'\"",
        "\"object-src 'none'; base-uri 'none'; form-action 'self'\"",
        f"{LAYERED}::TestHeaders::test_the_policy_of_a_page_names_nobody_but_us",
    ),
    Guard(
        "ours replace the same headers from below", "X2", HEADERS,
        "kept = [pair for pair in headers if pair[0] not in fixed]", "kept = list(headers)",
        f"{LAYERED}::TestHeaders::test_a_header_of_ours_from_below_does_not_stand_beside_it",
    ),
    Guard(
        "no answer is kept by a cache", "A4", HEADERS,
        "[(b\"cache-control\", b\"no-store\")]", "[]", SIX,
    ),
    Guard(
        "a page that breaks has its headers", "C3", HEADERS,
        "            if not response.started:\n", "            if False:\n",
        f"{TEST}::TestHeaders::test_a_page_that_breaks_carries_them_too_and_says_nothing",
    ),
)  # fmt: skip
