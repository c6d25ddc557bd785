"""Guards of what the platform sends to addresses that users name: where it may go, how it is signed, how often, to whom."""

from tests.guards.guard import Guard

HERE = "tests/core/services/notify"
POST, SENDER, WEBHOOK, EMAIL, CHANNELS = (
    f"core/services/notify/{name}.py" for name in ("guarded_post", "sender", "webhook", "email", "channels")
)
POSTS, SENDS = f"{HERE}/test_guarded_post.py", f"{HERE}/test_sender.py"

MODEL, CONNECTED = "core/services/model_connection.py", "tests/core/gateway/test_connected.py"

GUARDS = (
    Guard(
        "model connection: the administrators' only", "Z1", MODEL, "        if not self.may_change(user):\n", "        if False:\n",
        f"{CONNECTED}::test_only_the_owner_and_administrators_may_look_or_change", by="Failed",
    ),
    Guard(
        "model connection: a key is trimmed and is one word", "S6", MODEL, "if not KEY.fullmatch(stripped):", "if False:",
        f"{CONNECTED}::test_what_cannot_be_a_key_is_refused", by="Failed",
    ),
    Guard(
        "model connection: a region is no other host", "S6", MODEL,
        "if not PROJECT.fullmatch(project) or not REGION.fullmatch(region):", "if False:",
        f"{CONNECTED}::test_what_cannot_be_a_project_or_region_is_refused", by="Failed",
    ),
    Guard(
        "notifications: addresses are checked", "S6", POST,
        "        return await self._policy.addresses(target, allowed=EVERYWHERE)\n",
        "        return list(await self._policy.outside.resolve(target.host))\n",
        f"{POSTS}::test_a_name_that_leads_inside_is_refused_and_nobody_is_called",
    ),
    Guard(
        "notifications: what was checked is what is connected to", "S6", POST,
        "resolver=resolver, use_dns_cache=False, ssl", "use_dns_cache=False, ssl",
        f"{POSTS}::test_a_name_that_changes_its_mind_after_the_check_leads_nowhere",
        by="NotDelivered",
    ),
    Guard(
        "notifications: redirects are not followed", "S6", POST, "allow_redirects=False", "allow_redirects=True",
        f"{POSTS}::test_a_redirect_is_not_followed",
        by="Failed",
    ),
    Guard(
        "notifications: https and its port only", "S6", POST,
        'if parts.scheme != "https" or not parts.hostname or odd or " " in url or port not in (None, HTTPS):', "if odd:",
        f"{POSTS}::test_what_is_no_https_url_is_refused",
    ),
    Guard(
        "notifications: the answer of the other side is printable", "L1", POST,
        '"".join(c if c.isprintable() else " " for c in said).strip()', "said.strip()",
        f"{POSTS}::test_a_refusal_says_whether_a_later_attempt_may_help",
    ),
    Guard(
        "notifications: an address is judged when it is saved", "S6", CHANNELS,
        "        await self._post.check(secret.url)\n", "",
        "tests/web/test_api.py::test_channels_are_made_changed_tested_and_deleted_and_show_no_secret",
    ),
    Guard(
        "notifications: the signature covers id and time", "S6", WEBHOOK, 'f"{id}.{timestamp}.".encode() + body', "body",
        f"{HERE}/test_webhook.py::test_the_signature_is_that_of_the_specification",
    ),
    Guard(
        "notifications: words do not become markup of Slack", "X3", WEBHOOK,
        'plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")', "plain = text",
        f"{HERE}/test_webhook.py::test_words_of_agents_do_not_become_links_or_mentions_in_slack",
    ),
    Guard(
        "notifications: a password goes over an encrypted connection", "S6", EMAIL,
        "must_encrypt = bool(self.password) and self.host not in LOOPBACK", "must_encrypt = False",
        f"{HERE}/test_email.py::test_a_password_leaves_this_machine_encrypted_only",
    ),
    Guard(
        "notifications: one web at a time has a user", "R5", SENDER,
        "            if not await self._store.claim(claim, holder=self._me, lease_s=LEASE_S):\n                return\n", "",
        f"{SENDS}::test_what_one_web_is_sending_is_not_taken_for_cut_off_by_another",
    ),
    Guard(
        "notifications: what cannot be told apart is not repeated", "R5", SENDER,
        "if transport and transport.may_repeat:", "if transport:",
        f"{SENDS}::test_a_web_that_dies_while_it_sends_leaves_it_to_the_next_one_that_repeats_only_what_can_be_told_apart",
    ),
    Guard(
        "notifications: a flood becomes a digest", "R5", SENDER, "            if until:\n", "            if False:\n",
        f"{SENDS}::test_a_flood_becomes_a_digest_and_nothing_of_it_is_lost",
    ),
    Guard(
        "notifications: tests are bounded", "R5", CHANNELS, "if len(recent) >= TESTS:", "if False:",
        f"{SENDS}::test_a_test_goes_at_once_says_what_was_answered_and_is_bounded", by="Failed",
    ),
    Guard(
        "notifications: mail goes to who signed in", "S6", CHANNELS,
        "        if self._verified_only and address.lower() != user.email.lower():\n", "        if False:\n",
        f"{HERE}/test_channels.py::test_in_production_mail_goes_only_to_the_address_that_somebody_signed_in_with",
        by="Failed",
    ),
)  # fmt: skip
