"""Guards of connections out of a box: the name, the port, the agent's list, classes of addresses, the token, the
limits.
"""

from tests.guards.guard import Guard

HERE = "tests/core/gateway/egress"
POLICY, EGRESS, HEAD, ADDRESSES = (
    f"core/gateway/egress/{name}.py" for name in ("policy", "egress", "proxy_request", "addresses")
)
TUNNEL = f"{HERE}/test_tunnel.py"
ODD = f"{HERE}/test_proxy_request.py::test_what_is_odd_is_refused"


def row(host: str, port: int = 80) -> str:
    return f"{HERE}/test_policy.py::test_the_table[{host!r}:{port}]"


# What a network's entry is taken out of the list for, and an address in it.
NETWORKS = {
    '("0.0.0.0/8", "an unspecified address")': "0.0.0.0",
    '("10.0.0.0/8", "a private address")': "10.0.0.1",
    '("100.64.0.0/10", "an address inside a provider\'s network")': "100.64.0.1",
    '("127.0.0.0/8", "this machine itself")': "127.8.9.10",
    '("169.254.0.0/16", "a link-local address (clouds keep their metadata there)")': "169.254.169.254",
    '("172.16.0.0/12", "a private address")': "172.31.255.255",
    '("192.0.0.0/24", "a reserved address")': "192.0.0.192",
    '("192.0.2.0/24", "a reserved address")': "192.0.2.1",
    '("192.88.99.0/24", "a reserved address")': "192.88.99.1",
    '("192.168.0.0/16", "a private address")': "192.168.1.1",
    '("198.18.0.0/15", "a reserved address")': "198.18.0.1",
    '("198.51.100.0/24", "a reserved address")': "198.51.100.1",
    '("203.0.113.0/24", "a reserved address")': "203.0.113.1",
    '("224.0.0.0/4", "a multicast address")': "224.0.0.1",
    '("240.0.0.0/4", "a reserved address")': "255.255.255.255",
    '("::1/128", "this machine itself")': "[::1]",
    '("::/128", "an unspecified address")': "[::]",
    '("fc00::/7", "a private address")': "[fd00:ec2::254]",
    '("fe80::/10", "a link-local address")': "[fe80::1]",
    '("fec0::/10", "a private address")': "[fec0::1]",
    '("ff00::/8", "a multicast address")': "[ff02::1]",
    '("2001:db8::/32", "a reserved address")': "[2001:db8::1]",
    '("3fff::/20", "a reserved address")': "[3fff::1]",
}

GUARDS = (
    *(
        Guard(f"egress: {entry.split(chr(34))[1]}", "S6", ADDRESSES, f"        {entry},\n", "", row(host))
        for entry, host in NETWORKS.items()
    ),
    Guard(
        "egress: a cloud's metadata by a public number", "S6", ADDRESSES,
        '        ("168.63.129.16/32", "a cloud\'s metadata service"),  # Azure\'s: a public number\n', "",
        row("168.63.129.16"),
    ),
    Guard(
        "egress: Teredo and ORCHID", "S6", ADDRESSES,
        '        ("2001::/23", "an address of a tunnel or a protocol"),  # Teredo, ORCHID, benchmarks\n', "",
        row("[2001:0:53aa:64c::]"),
    ),
    Guard(
        "egress: 6to4", "S6", ADDRESSES,
        '        ("2002::/16", "an address of a tunnel"),  # 6to4 can lead to any IPv4 address\n', "", row("[2002:7f00:1::]"),
    ),
    Guard(
        "egress: IPv4 in IPv6 clothes", "S6", ADDRESSES,
        "return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address", "return address",
        row("[::ffff:a9fe:a9fe]"),
    ),
    Guard(
        "egress: IPv4 behind NAT64", "S6", ADDRESSES, "return refusal_reason(IPv4Address(int(address) & 0xFFFFFFFF))", 'return ""',
        row("[64:ff9b::a9fe:a9fe]"),
    ),
    Guard(
        "egress: ISATAP", "S6", ADDRESSES, "if int(address) >> 32 & 0xFDFFFFFF == 0x00005EFE:", "if False:",
        row("[2606:4700::5efe:a00:1]"),
    ),
    Guard(
        "egress: only what is handed out to anybody", "S6", ADDRESSES,
        'return "" if address in GLOBAL_V6 else "a reserved address"', 'return ""', row("[4000::1]"),
    ),
    Guard(
        "egress: every address of a name is judged", "S6", POLICY, "for address in found[:ADDRESSES]]", "for address in found[:1]]",
        row("mixed.evil.test", 443),
    ),
    Guard(
        "egress: a lookup ends", "R3 S6", "core/gateway/egress/network.py", '    os.environ.setdefault("RES_OPTIONS", RESOLVER)\n', "",
        "tests/core/gateway/egress/test_network.py::test_a_name_server_that_does_not_answer_is_given_up_when_its_box_is_told",
    ),
    Guard(
        "egress: this machine by a public number", "S6", POLICY, "if not reason and self.outside.is_own(address):", "if False:",
        row("93.184.215.99", 443),
    ),
    Guard(
        "egress: what an own address is", "S6", ADDRESSES, "        return True\n", "        return False\n",
        f"{HERE}/test_addresses.py::test_only_this_machines_addresses_are_its_own",
    ),
    Guard(
        "egress: the checked address is dialled, not the name", "S6", POLICY, "        return checked  #", "        return [name]  #",
        f"{TUNNEL}::test_a_name_that_changes_its_mind_is_connected_to_what_was_checked",
    ),
    Guard("egress: names of this network", "S6", POLICY, "            host_patterns.check_public(name)\n", "", row("printer.local")),
    Guard(
        "egress: the cloud's metadata by name", "S6", "core/domain/host_patterns.py", "    if name in METADATA:\n", "    if False:\n", row("metadata.goog"),
    ),
    Guard(
        "egress: addresses in odd spellings", "S6", "core/domain/host_patterns.py", "    if NUMBER.fullmatch(labels[-1]):\n", "    if False:\n",
        row("2852039166"),
    ),
    Guard(
        "egress: names have the characters of names", "S6", "core/domain/host_patterns.py",
        "    if not all(LABEL.fullmatch(label) for label in labels):\n", "    if False:\n", "tests/core/domain/test_host_patterns.py::test_odd_characters_and_odd_spellings_are_no_host",
    ),
    Guard(
        "egress: a name is short before it is brought to one form", "R4", "core/domain/host_patterns.py", "    if len(text) > NAME_CHARS:\n", "    if False:\n",
        "tests/core/domain/test_host_patterns.py::test_what_is_too_long_is_not_brought_to_one_form",
    ),
    Guard(
        "egress: a request is short", "R4", "core/gateway/egress/tunnel.py", "len(self.early) > HEAD_BYTES:\n                return", "False:\n                return",
        f"{TUNNEL}::test_a_request_that_ends_too_late_is_hung_up_on", by="TimeoutError",
    ),
    Guard(
        "egress: a request is short though it ends", "R4", "core/gateway/egress/tunnel.py", 'find(b"\\r\\n\\r\\n", 0, HEAD_BYTES)', 'find(b"\\r\\n\\r\\n")',
        f"{TUNNEL}::test_a_request_that_ends_too_late_is_hung_up_on",
    ),
    Guard("egress: ports", "S8", POLICY, "if target.port not in PORTS:", "if False:", row("example.com", 25)),
    Guard(
        "egress: the agent's list", "S8", POLICY, "if not host_patterns.in_list(name, allowed):", "if False:",
        f"{TUNNEL}::test_the_agents_list_decides",
    ),
    Guard(
        "egress: an entry of the list is compared whole", "S8", "core/domain/host_patterns.py",
        'entry.startswith("*.") and name.endswith(entry[1:])', 'entry.startswith("*.") and name.endswith(entry[2:])',
        "tests/core/domain/test_host_patterns.py::test_an_entry_is_compared_whole",
    ),
    Guard(
        "egress: a list has an end", "R5", "core/domain/host_patterns.py", "if len(wanted) > ENTRIES:", "if False:",
        "tests/core/domain/test_host_patterns.py::test_a_list_has_an_end",
    ),
    Guard(
        "egress: only for who has a session's token", "S7 Z5", EGRESS,
        "claims = verified_claims(ask.token, caller=caller, keys=self._keys)", 'claims = {"session": ask.token}',
        f"{TUNNEL}::test_without_a_token_of_a_session_of_this_box_nothing_is_connected",
    ),
    Guard(
        "egress: so many connections at once", "R4", EGRESS, "if len(account.ends) > self._limits.connections:", "if False:",
        f"{TUNNEL}::test_a_box_has_so_many_connections_and_no_more[open]",
    ),
    Guard(
        "egress: so many new connections", "R4", EGRESS, "        if account.left < 1:\n", "        if False:\n",
        f"{TUNNEL}::test_a_box_has_so_many_connections_and_no_more[new]",
    ),
    Guard(
        "egress: a request ends", "R4", EGRESS, "async with asyncio.timeout(self._limits.head_s):", "async with asyncio.timeout(60):",
        f"{TUNNEL}::test_a_request_that_does_not_end_is_hung_up_on", by="TimeoutError",
    ),
    Guard(
        "egress: a tunnel in which nothing moves ends", "R4", EGRESS, "if quiet >= self._limits.idle_s:", "if False:",
        f"{TUNNEL}::test_where_nothing_moves_the_tunnel_ends", by="TimeoutError",
    ),
    Guard(
        "egress: no faster than it is read", "R2", "core/gateway/egress/tunnel.py",
        "    def pause_writing(self) -> None:\n        if self.other and self.other.transport:", "    def pause_writing(self) -> None:\n        if False:",
        f"{TUNNEL}::test_a_fast_server_waits_for_a_slow_reader",
    ),
    Guard(
        "egress: connections end with their box", "W5", EGRESS, "            for end in list(account.ends):\n", "            for end in ():\n",
        f"{TUNNEL}::test_when_the_box_is_gone_so_are_its_connections", by="TimeoutError",
    ),
    Guard(
        "egress: idle boxes are forgotten", "R3", EGRESS, "            self._forget_idle()\n", "",
        f"{TUNNEL}::test_a_box_is_known_as_long_as_it_has_something_open_or_used_up",
    ),
    Guard(
        "egress: who has used up its connections is not forgotten", "R4", EGRESS,
        "if not account.ends and self._allowance(account) >= self._limits.burst:", "if not account.ends:",
        f"{TUNNEL}::test_a_box_is_known_as_long_as_it_has_something_open_or_used_up",
    ),
    Guard(
        "egress: what was refused is written down", "S8", EGRESS,
        "            self._log.record(self._row(near, ask, who, trip), owner=account.caller.user)\n", "            pass\n",
        f"{TUNNEL}::test_a_refusal_says_host_and_reason_and_is_written_down",
    ),
    Guard(
        "egress: the log of a user has an end", "R3", "core/gateway/egress/connection_log.py", "        for row in rows[self._kept :]:\n", "        for row in ():\n",
        f"{HERE}/test_connection_log.py::test_the_oldest_rows_make_room",
    ),
    Guard(
        "egress: the log's last rows are written", "S8", "core/gateway/egress/connection_log.py", "            async with self._writing:  # the batch under way is written\n", "            if True:\n",
        f"{HERE}/test_connection_log.py::test_what_is_being_written_at_the_end_is_written",
    ),
    Guard(
        "egress: one odd row does not end the log", "S8", "core/gateway/egress/connection_log.py", "                except PlatformError as error:", "                except ImportError as error:",
        f"{HERE}/test_connection_log.py::test_a_row_that_cannot_be_kept_is_not_the_end_of_the_log", by="Conflict",
    ),
    Guard(
        "egress: silent connections are bounded", "R4", "core/gateway/egress/protocol_sniffer.py", "if len(self._waiting) >= UNDECIDED and not self._room():", "if False:",
        f"{HERE}/test_protocol_sniffer.py::test_silent_connections_are_bounded_and_forgotten", by="TimeoutError",
    ),
    Guard(
        "egress: connections to the API are bounded", "R4", "core/gateway/egress/protocol_sniffer.py", "        if decided:\n            self._waiting.discard(self)\n", "        self._waiting.discard(self)\n",
        f"{HERE}/test_protocol_sniffer.py::test_connections_to_the_api_are_bounded_until_they_end", by="TimeoutError",
    ),
    Guard(
        "egress: a request line is one", "S6", HEAD, 'rb"([A-Z]{1,16}) ([\\x21-\\x7e\\x80-\\xff]+) HTTP/1\\.[01]"', 'rb"([A-Z]{1,16}) (.+) HTTP/1\\.[01]"', ODD,
    ),
    Guard("egress: fields are fields", "S6", HEAD, "if not line or not all(fields):", "if not line:", ODD),
    Guard("egress: a host is no user@host", "S6", HEAD, '[^:@/\\[\\]]+)(?::', '[^:/\\[\\]]+)(?::', ODD),
    Guard(
        "egress: what was said to the proxy stays here", "S7", HEAD, 'if pair[0].lower() not in OURS)', "if True)",
        f"{TUNNEL}::test_a_plain_http_request_is_judged_and_passed_on_without_what_was_said_to_the_proxy",
    ),
    Guard(
        "egress: one plain request a connection", "S6", HEAD, "%sConnection: close\\r\\n", "%sConnection: keep-alive\\r\\n",
        f"{TUNNEL}::test_a_plain_http_request_is_judged_and_passed_on_without_what_was_said_to_the_proxy",
    ),
)  # fmt: skip
