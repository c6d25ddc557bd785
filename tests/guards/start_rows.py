"""Guards of starts: every incomplete production configuration, and local mode on a network, are refused."""

from tests.guards.guard import Guard

FILE, SETTINGS = "core/config/checks.py", "core/config/settings.py"
VALUES, PROXIES = "core/config/values.py", "core/config/proxies.py"


def case(name: str) -> str:
    return f"tests/core/config/test_checks.py::test_an_unsafe_configuration_is_refused_with_the_name_of_the_setting[{name}]"


CLUSTER = (
    "tests/core/config/test_checks.py::test_an_unsafe_gateway_of_a_cluster_is_refused_with_the_name_of_the_setting"
)


def refusal(what: str, condition: str, name: str) -> Guard:
    rows = "C1" if "secret" in what else "C2"
    return Guard(f"production: {what}", rows, FILE, f"        ({condition},", "        (False,", case(name))


GUARDS = (
    refusal("no practice model", 'settings.provider == "practice"', "the practice model"),
    refusal("no emulator as the store", "settings.firestore_emulator", "an emulator as the store"),
    refusal("no emulator as the vault", "settings.secret_manager_emulator", "an emulator as the vault"),
    refusal("the token goes to Google", "settings.vertex_base_url", "a stranger's address for Vertex"),
    refusal("no API server to try with", "settings.kubernetes_url", "an API server without a credential"),
    refusal("a provider", "not settings.oidc_client_id", "no sign-in provider"),
    refusal("the provider's password", "not settings.oidc_client_secret", "no secret at the provider"),
    refusal("somebody named who may come in", "_admits_all(settings)", "Google and nobody named"),
    refusal("the proxy in front", "not settings.trusted_proxies", "no proxy named"),
    refusal("https", 'public.scheme != "https"', "a public address without TLS"),
    refusal("one host", "not _names_one_host(public)", "a public address with a user"),
    refusal("a session secret", "not settings.session_secret", "no session secret"),
    refusal("no weak session secret", "any(weak(secret) for secret in settings.session_secret)", "a short secret"),
    refusal("no well-known session secret", "any(WELL_KNOWN.search(secret) for secret in settings.session_secret)", "a well-known secret"),
    refusal("secrets that differ", "_alike(settings)", "the model key as session secret"),
    refusal("no data directory for everybody", "_writable_by_others(settings.data_dir)", "a data directory for everybody"),
    refusal("no traces in the clear", "_in_the_clear(settings.otlp_endpoint)", "traces in the clear to another host"),
    refusal("no mail service of everybody", "PUBLIC_MAIL & {domain.lower() for domain in settings.allowed_domains}", "a mail service of everybody"),
    Guard("a pattern is no secret", "C1", FILE, "len(set(triples)) < DIFFERENT_PART * len(triples)", "False", case("a repeated pattern as secret")),
    Guard("counting is no secret", "C1", FILE, "steps > len(secret) * STEPS_PART", "False", case("an alphabet as secret")),
    Guard("other public providers", "C2", FILE, "issuer.hostname in PUBLIC_PROVIDERS", 'issuer.hostname == "accounts.google.com"', case("another public provider and nobody named")),
    Guard("addresses are counted together", "A10 C2", PROXIES, "count = sum(one.num_addresses for one in collapsed)", "count = max((one.num_addresses for one in collapsed), default=0) // 2", case("half of the internet in sixteen parts")),
    Guard("IPv4 in IPv6 is IPv4", "A10 C2", PROXIES, "if isinstance(network, IPv6Network) and network.overlaps(MAPPED):", "if False:", case("all of IPv4 written as IPv6")),
    Guard("numbers have a range", "C2", SETTINGS, "if value is None or not RANGES[name].holds(value):", "if value is None:", "tests/core/config/test_values.py::test_a_number_out_of_range_is_refused_with_its_range"),
    Guard("values have a form", "C2", SETTINGS, 'if said := FORMS[name](value) if name in FORMS else "":', 'if said := "":', case("everybody's address")),
    Guard("ports differ", "C2", FILE, "if len(set(ports)) < len(ports):", "if False:", case("two listeners on one port")),
    Guard("one server a data directory", "R6", "core/config/data_lock.py", "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass", "tests/core/config/test_data_lock.py::test_the_second_is_told_which_process_has_it_and_where"),
    refusal("no key in the clear", 'upstream.scheme != "https" and upstream.hostname not in LOOPBACK', "the model key in the clear"),
    Guard(
        "production: a sandbox", "C2", FILE, 'settings.sandbox in ("none", "landlock"),', "False,", case("no sandbox"),
    ),
    Guard(
        "proxies are not the whole internet", "A10 C2", FILE, "    for line in too_trusting(settings.trusted_proxies):", '    for line in ():', case("all of IPv6 trusted"),
    ),
    Guard(
        "no cluster without a credential but on this machine", "C2", FILE, "if settings.kubernetes_url and urlsplit(settings.kubernetes_url).hostname not in LOOPBACK:", "if False:",
        case("a far API server without a credential"),
    ),
    Guard(
        "administrators have addresses", "C2", VALUES, "        if match is None or not DOMAIN.fullmatch(match[\"domain\"]):", "        if False:", case("everybody an administrator"),
    ),
    Guard(
        "a model credential", "C2", FILE, 'if has_the_key and settings.provider == "anthropic" and not settings.anthropic_api_key:', "if False:",
        case("no model key"),
    ),
    Guard(
        "Vertex is where Google says", "C2", FILE, "            if not NAME_AT_GOOGLE[line].fullmatch(word):\n", "            if False:\n",
        case("a region of Vertex that is another host"),
    ),
    Guard(
        "a vault at Google has a project", "C2", FILE, "        if value and not settings.gcp_project:\n", "        if False:\n",
        case("a vault at Google in no project"),
    ),
    Guard(
        "no key file and no personal login at Google", "C1", "core/google/identity.py", "    if not isinstance(credentials, compute_engine.Credentials | identity_pool.Credentials):\n",
        "    if False:\n", "tests/core/vault/test_google.py::TestIdentity::test_a_key_file_is_refused",
    ),
    Guard(
        "a gateway of a cluster has a port", "C2", FILE, 'if part == "gateway" and apart and not settings.gateway_port:', "if False:",
        f"{CLUSTER}[no port]",
    ),
    Guard(
        "a gateway of a cluster has the model's key", "C2", FILE, 'has_the_key = part == "gateway" or not apart', "has_the_key = not apart",
        f"{CLUSTER}[no model key]",
    ),
    Guard(
        "no port for boxes of this machine", "C2", FILE, "if settings.gateway_port and not apart:", "if False:",
        case("a port for boxes, and boxes on this machine"),
    ),
    Guard(
        "on one machine the gateway starts as strictly as the web", "C2", FILE, 'people=part == "web" or not apart', 'people=part == "web"',
        "tests/core/config/test_checks.py::test_in_a_cluster_each_part_starts_with_what_it_needs_and_no_more",
    ),
    Guard(
        "a boot key nobody guesses: web", "C2", "core/spawner/factory.py", "if len(key) < KEY_CHARS:", "if False:",
        "tests/core/spawner/test_factory.py::test_the_boot_key_is_a_file_with_a_key_in_it",
    ),
    Guard(
        "production has a sandbox that runs", "C2", "core/spawner/probe.py", 'if settings.production or settings.sandbox != "auto":',
        'if settings.sandbox != "auto":', "tests/core/spawner/test_host.py::test_a_box_is_done_without_only_where_that_is_allowed",
    ),
    Guard(
        "a sandbox that was asked for runs", "C2", "core/spawner/probe.py", 'if settings.production or settings.sandbox != "auto":',
        "if settings.production:", "tests/core/spawner/test_host.py::test_a_box_is_done_without_only_where_that_is_allowed",
    ),
    Guard(
        "a setting that is misspelt is not its default", "C2", SETTINGS, "    if unknown:\n", "    if False:\n",
        "tests/core/config/test_settings.py::test_a_value_that_cannot_be_read_is_refused_with_its_name",
    ),
    Guard(
        "local mode listens to this machine only", "C2", "auth/service.py", 'if settings.host not in LOOPBACK | {"::1"}:', "if False:",
        "tests/auth/test_local.py::test_local_mode_does_not_listen_to_a_network",
    ),
    Guard(
        "no link in production", "C2", "auth/service.py", "    if settings.production:\n        return None\n", "",
        "tests/auth/test_local.py::test_it_is_not_there_in_production",
    ),
    Guard(
        "a provider has TLS", "C2", "auth/service.py", 'if not issuer.startswith("https://") and not', "if False and not",
        "tests/auth/test_oidc.py::TestTheWayIn::test_an_issuer_without_tls_is_refused_at_the_start",
    ),
    Guard(
        "a key that others can read is refused", "C1", "core/config/runtime_dir.py", "if stat.S_IMODE(found.st_mode) & 0o077:", "if False:",
        "tests/core/config/test_runtime_dir.py::test_a_key_that_others_can_read_is_refused",
    ),
    Guard(
        "a key that was emptied is refused", "C1", "core/config/runtime_dir.py", "if len(text) < 32:", "if False:",
        "tests/core/config/test_runtime_dir.py::test_an_emptied_key_is_refused",
    ),
    Guard(
        "the key's file is for us alone", "C1", "core/config/runtime_dir.py", "os.O_EXCL, 0o600)", "os.O_EXCL, 0o644)",
        "tests/core/config/test_runtime_dir.py::test_the_key_is_made_once_for_us_alone_and_does_not_show_itself", by="Misconfigured",
    ),
    Guard(
        "the runtime directory is for us alone", "S2", "core/config/runtime_dir.py", "        folder.chmod(0o700)\n", "        pass\n",
        "tests/core/config/test_runtime_dir.py::test_the_directory_is_for_us_alone_also_when_it_was_there_with_other_rights",
    ),
    Guard(
        "the runtime directory is ours and no link", "S2 F2", "core/config/runtime_dir.py",
        "if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():", "if found.st_uid != os.getuid():",
        "tests/core/config/test_runtime_dir.py::test_a_link_in_its_place_is_refused",
    ),
    Guard(
        "the runtime directory is not somebody else's", "S2", "core/config/runtime_dir.py",
        "if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():", "if not stat.S_ISDIR(found.st_mode):",
        "tests/core/config/test_runtime_dir.py::test_a_directory_of_somebody_else_is_refused",
    ),
)  # fmt: skip
