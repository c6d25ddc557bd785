"""Signing in: every claim of an id_token, state and PKCE, the lists, `next=`, the printed link, the login itself."""

from tests.guards.guard import Guard

OIDC, LOGINS, LAYERED = "tests/auth/test_oidc.py", "tests/auth/test_logins.py", "tests/auth/test_layered_guards.py"
HELD, LISTED = "auth/access_lists.py", "tests/auth/test_access_lists.py"
CLAIMS, ROUTES, PROVIDER, STORED = "auth/claims.py", "auth/routes.py", "auth/oidc.py", "auth/logins.py"
HOST_COOKIE = f"{OIDC}::TestTheWayIn::test_the_cookie_is_a_host_cookie_that_scripts_cannot_read"
BACK = f"{OIDC}::TestStateAndCode"
LISTS = f"{OIDC}::TestWhoMayComeIn::test_lists_are_compared_whole_and_only_with_a_verified_address"


def token(kind: str) -> str:
    return f"{OIDC}::test_a_hostile_id_token_signs_nobody_in[{kind}]"


def claim(name: str, good: str, kind: str) -> Guard:
    """The library is shown a good value, whatever the token says."""
    looked_at = "CodeIDToken(dict(claims), dict(header)"
    return Guard(
        f"id_token: {name}", "A2", CLAIMS, looked_at, f"CodeIDToken({{**claims, {good}}}, dict(header)", token(kind)
    )


GUARDS = (
    claim("iss", '"iss": issuer', "wrong issuer"),
    claim("exp", '"exp": 2**40', "expired"),
    claim("iat", '"iat": 1', "issued tomorrow"),
    claim("nbf", '"nbf": 1', "not valid before tomorrow"),
    claim("nonce", '"nonce": nonce', "another nonce"),
    claim("at_hash", '"at_hash": None', "another access token's hash"),
    Guard(
        "id_token: aud, by the library", "A2", CLAIMS,
        '        "aud": {"essential": True, "value": client_id},\n', "",
        f"{LAYERED}::TestClaims::test_the_library_is_told_whom_a_token_must_be_for",
    ),
    Guard(
        "id_token: sub is a text", "A2", CLAIMS,
        'if not isinstance(claims["sub"], str) or not SUBJECT.fullmatch(claims["sub"]):', "if False:",
        token("subject with a line break"),
    ),
    Guard(
        "id_token: aud is us, whatever azp says", "A2", CLAIMS,
        "if audience not in (client_id, [client_id]) and not (isinstance(audience, list) and client_id in audience):",
        "if False:", f"{LAYERED}::TestClaims::test_our_own_look_at_the_audience_needs_no_library",
    ),
    Guard(
        "id_token: azp is us", "A2", CLAIMS,
        "if (party is not None and party != client_id) or (isinstance(audience, list) and len(audience) > 1 and not party):",
        "if False:", token("audience us, azp empty"),
    ),
    Guard(
        "id_token is there at all", "A2", PROVIDER,
        "        if not isinstance(id_token, str) or not 0 < len(id_token) <= LONGEST_TOKEN:\n",
        '        if not id_token:\n            return Identity(issuer=self.issuer, subject="userinfo")\n        if False:\n',
        token("no id_token at all"),
    ),
    Guard(
        "id_token: signed by the provider", "A2", PROVIDER,
        "token = jwt.decode(id_token, keys, registry=registry)",
        "import json, base64; from types import SimpleNamespace as N; "
        "p = [base64.urlsafe_b64decode(x + '==') for x in id_token.split('.')]; "
        "token = N(claims=json.loads(p[1]), header=json.loads(p[0]))",
        token("another key"),
    ),
    Guard(
        "id_token: no symmetric algorithm", "A2", PROVIDER,
        "registry = JWSRegistry(algorithms=sorted(ALGORITHMS.intersection(offered)), strict_check_header=False)",
        "registry = JWSRegistry(algorithms=['none', 'HS256', 'RS256'], strict_check_header=False)",
        token("alg none"), by="SecurityWarning",  # it is the library that says what it was told to take
    ),
    Guard(
        "email_verified is a true boolean", "A3", CLAIMS,
        'claims.get("email_verified") is True', 'bool(claims.get("email_verified"))', f"{LISTS}[person5-False]",
    ),
    Guard(
        "an address counts only if it is verified", "A3", CLAIMS,
        '.lower() if verified else ""', ".lower()", f"{LISTS}[person4-False]",
    ),
    Guard(
        "a domain is compared whole", "A3", CLAIMS,
        "if name and domain in domains and", "if name and any(domain.endswith(d) for d in domains) and",
        f"{LISTS}[person11-False]",
    ),
    Guard(
        "Google must say its domain (hd)", "A3", CLAIMS,
        "and (identity.issuer != GOOGLE or identity.hosted_domain in domains)", "",
        "tests/auth/test_claims.py::test_a_google_account_of_a_domain_needs_googles_word_for_the_domain",
    ),
    Guard(
        "who is on no list stays out", "A3", ROUTES,
        "            await self._admit(identity)\n", "", f"{LISTS}[person3-False]",
    ),
    Guard(
        "who is on no list any more is signed out", "A4", HELD, "            await logins.revoke_all(UserId(user.id))\n", "",
        f"{LISTED}::test_who_is_on_no_list_any_more_is_signed_out_and_the_others_stay",
    ),
    Guard(
        "who is no administrator by the settings any more is none", "A4", HELD, "if user.role is Role.ADMIN and not (", "if False and not (",
        f"{LISTED}::test_who_is_no_administrator_by_the_settings_any_more_is_none",
    ),
    Guard(
        "the lists are looked at when a web starts", "A4", "auth/service.py", '        tasks.spawn(lists, "hold to the lists")\n', "        lists.close()\n",
        f"{LISTED}::test_a_start_holds_everybody_to_the_lists", by="TimeoutError",
    ),
    Guard(
        "an account is issuer and subject", "A3", "auth/accounts.py",
        "id, at, role = user_id(identity.issuer, identity.subject), now()",
        "id, at, role = user_id(identity.issuer, identity.email), now()",
        f"{OIDC}::TestTheWayIn::test_the_account_is_issuer_and_subject_never_the_address",
    ),
    Guard(
        "who is disabled does not come in", "A4", "auth/accounts.py", "if known.disabled:", "if False:",
        f"{OIDC}::TestWhoMayComeIn::test_a_disabled_account_is_refused",
    ),
    Guard(
        "state is the one of this browser", "A1", ROUTES,
        'if not compare_digest(memory["state"].encode(), given.get("state", "").encode()):', "if False:",
        f"{BACK}::test_a_callback_without_our_state_is_refused",
    ),
    Guard(
        "what a sign-in remembers is signed", "A1", ROUTES,
        'self._flows.loads(request.cookies.get(self._jar.flow, ""), max_age=FLOW_S)',
        'self._flows.loads_unsafe(request.cookies.get(self._jar.flow, ""))[1]',
        f"{LAYERED}::TestMemoryOfASignIn::test_one_that_we_did_not_sign_is_none",
    ),
    Guard(
        "a sign-in ends once", "A1", ROUTES,
        'if not await self._store.claim(f"sign-in/{memory[\'state\']}", holder=token_urlsafe(8), lease_s=FLOW_S):',
        "if False:",
        f"{BACK}::test_a_callback_works_once_even_with_a_kept_cookie_and_a_provider_that_forgets",
    ),
    Guard(
        "the answer is of the provider that was asked", "A1", ROUTES,
        'if given.get("iss", self._settings.oidc_issuer) != self._settings.oidc_issuer:', "if False:",
        f"{BACK}::test_the_answer_of_another_issuer_is_refused",
    ),
    Guard(
        "PKCE", "A1", PROVIDER, "code_challenge_method=\"S256\"", "code_challenge_method=None",
        f"{OIDC}::TestTheWayIn::test_the_request_carries_pkce_state_and_nonce",
    ),
    Guard(
        "the provider calls itself as we call it", "A1", PROVIDER,
        'if known.get("issuer") != self.issuer:', "if False:",
        f"{LAYERED}::test_a_provider_that_calls_itself_otherwise_is_not_believed",
    ),
    Guard(
        "the log never has the code", "L1 S3", ROUTES,
        'raise BadInput("no sign-in under way in this browser", code="bad_state") from error',
        'raise BadInput(f"no sign-in under way: {request.url}", code="bad_state") from error',
        f"{BACK}::test_the_log_has_one_line_and_never_the_code",
    ),
    Guard(
        "next= leads nowhere else, when it is given", "A6", "auth/safe_redirect.py",
        "        if _leads_away(seen):\n            return HOME\n", "",
        "tests/auth/test_safe_redirect.py::test_everything_else_leads_home",
    ),
    Guard(
        "next= is looked at as a browser decodes it", "A6", "auth/safe_redirect.py",
        "        seen = unquote(seen)\n", "", "tests/auth/test_safe_redirect.py::test_everything_else_leads_home",
    ),
    Guard(
        "next= does not lead back into signing in or out", "A6", "auth/safe_redirect.py",
        'or parts.path == "/login" or parts.path.startswith("/auth/")', "",
        "tests/auth/test_safe_redirect.py::test_everything_else_leads_home",
    ),
    Guard(
        "next= has an end", "A6", "auth/safe_redirect.py", "len(text) > LONGEST or ", "",
        "tests/auth/test_safe_redirect.py::test_everything_else_leads_home",
    ),
    Guard(
        "next= passes the check on its way out", "A6", ROUTES,
        'return flow, landing(memory["next"])', 'return flow, memory["next"]',
        f"{LAYERED}::TestMemoryOfASignIn::test_an_address_is_judged_again_when_it_is_used",
    ),
    Guard(
        "next= passes the check on its way in", "A6", ROUTES,
        '"next": safe_next(request.query_params.get("next")),', '"next": request.query_params.get("next", "/"),',
        f"{LAYERED}::TestMemoryOfASignIn::test_an_address_elsewhere_is_not_even_remembered",
    ),
    Guard(
        "a link is good once", "A5", "auth/local.py",
        "self._open.pop(code, (0.0, \"\"))", "self._open.get(code, (0.0, \"\"))",
        "tests/auth/test_local.py::test_a_used_link_signs_nobody_else_in",
    ),
    Guard(
        "a link ends", "A5", "auth/local.py", "ends > self._clock()", "ends > 0",
        "tests/auth/test_local.py::test_a_link_is_good_for_ten_minutes",
    ),
    Guard(
        "a provider that promises to name itself does so", "A2", ROUTES,
        'if "iss" not in given and await self._provider.names_itself():', "if False:",
        f"{BACK}::test_an_answer_without_issuer_of_a_provider_that_promises_one_is_refused",
    ),
    Guard(
        "only GET uses a callback up", "A2", ROUTES, 'if request.method != "GET":  # Starlette adds HEAD, which must not use the sign-in up', 'if request.method == "":  # no',
        f"{BACK}::test_who_only_looks_whether_the_callback_is_there_signs_nobody_in",
    ),
    Guard(
        "links are bounded", "R5", "auth/local.py", "if len(self._open) > MOST:", "if False:",
        "tests/auth/test_local.py::test_links_are_bounded_and_the_oldest_gives_way",
    ),
    Guard(
        "a link works on this machine only", "C2", ROUTES,
        "        if not self._site.loopback(request.headers.get(\"host\", \"\")):\n            raise NotFound(\"local sign-in under another name of this computer\", code=\"wrong_host\")\n",
        "        pass\n", "tests/auth/test_local.py::test_it_is_not_there_under_another_name_of_this_machine",
    ),
    Guard(
        "the cookie is signed", "A5", STORED,
        "return _digest(self._signer.unsign(cookie).decode())", 'return _digest(cookie.partition(".")[0])',
        f"{LOGINS}::test_a_cookie_that_we_did_not_sign_is_nothing",
    ),
    Guard(
        "the store holds no cookie", "S3", STORED,
        "    return sha256(value.encode()).hexdigest()", "    return value",
        f"{LOGINS}::test_the_store_cannot_be_turned_back_into_cookies",
    ),
    Guard("cookie: HttpOnly", "A5", "auth/cookies.py", '"HttpOnly", ', "", HOST_COOKIE),
    Guard("cookie: SameSite", "A5", "auth/cookies.py", '"SameSite=Lax", ', "", HOST_COOKIE),
    Guard("cookie: Path", "A5", "auth/cookies.py", ', "Path=/"]', "]", HOST_COOKIE),
    Guard("cookie: Secure", "A5", "auth/cookies.py", 'parts.append("Secure")', "pass", HOST_COOKIE),
    Guard(
        "cookie: a neighbour's value is no cookie of ours", "A5", "auth/cookies.py",
        'return cookie_parser(headers.get(b"cookie", b"").decode("latin-1"))',
        'from http.cookies import SimpleCookie; return {n: m.value for n, m in SimpleCookie(headers.get(b"cookie", b"").decode("latin-1")).items()}',
        "tests/auth/test_guard.py::TestCookies::test_a_neighbours_cookie_signs_nobody_in_and_nobody_out",
    ),
    Guard(
        "cookie: __Host-", "A5", "auth/cookies.py", 'return f"__Host-{name}" if self.secure else name', "return name",
        HOST_COOKIE,
    ),
    Guard(
        "twelve idle hours end a login", "A5", STORED, " or at - login.seen_at >= IDLE", "",
        f"{LOGINS}::test_idle_for_twelve_hours_ends_it",
    ),
    Guard(
        "an open page alone keeps no login alive", "A5", STORED, "if active and at - signed", "if at - signed",
        f"{LOGINS}::test_looking_without_the_user_doing_anything_does_not_keep_it_alive",
    ),
    Guard(
        "seven days end a login", "A5", STORED, "return at >= login.expires_at or at", "return at",
        f"{LOGINS}::test_seven_days_end_it_however_busy",
    ),
    Guard(
        "a revoked login is over", "A4", STORED, "return not (signed.login.revoked or signed.user.disabled or",
        "return not (signed.user.disabled or",
        f"{LOGINS}::test_a_revoked_login_is_gone_at_once_and_its_watchers_hear_of_it",
    ),
    Guard(
        "a disabled user's login is over", "A4", STORED, "signed.login.revoked or signed.user.disabled or",
        "signed.login.revoked or",
        f"{LOGINS}::test_a_disabled_user_is_out_within_two_seconds", by="TimeoutError",
    ),
    Guard(
        "what is cached is believed for a moment only", "A4", STORED, "CACHE_S = 1.0", "CACHE_S = 1000.0",
        f"{LOGINS}::test_what_another_process_revoked_is_gone_within_two_seconds", by="TimeoutError",
    ),
    Guard(
        "a new id at sign-in, and the old one ends", "A5", STORED,
        "            await self.revoke(old)\n", "            pass\n",
        f"{OIDC}::TestTheWayIn::test_a_new_id_at_every_sign_in_and_the_old_one_ends",
    ),
    Guard(
        "signing out ends the login in the store", "A4", ROUTES,
        "            await self._logins.revoke(login)\n", "",
        "tests/auth/test_guard.py::TestForgery::test_signing_out_ends_the_login_in_the_store",
    ),
    Guard(
        "only one's own logins are ended", "Z2", "auth/service.py",
        "if login not in {one.id for one in await self.logins.list_for(user)}:", "if False:",
        "tests/auth/test_account.py::TestDevices::test_only_living_logins_of_ones_own_are_listed_and_ended",
    ),
)  # fmt: skip
