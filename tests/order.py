"""The order of tests: long files first, spread over the workers, so that no worker waits for another at the end."""

from pathlib import Path

import pytest

# Files whose tests share what they have started stay together. Seconds, of those that take more than half a minute.
SECONDS = {
    "e2e/test_crashes.py": 250,
    "e2e/test_cluster_life.py": 150,  # of make proofs, as are the bombs
    "e2e/test_cloud.py": 80,
    "e2e/test_settings.py": 130,
    "e2e/test_endings.py": 50,
    "e2e/test_builder.py": 45,
    "e2e/test_builder_kills.py": 40,
    "e2e/test_run_proofs.py": 45,
    "core/fleet/test_cluster.py": 60,
    "e2e/test_bombs.py": 90,
    "e2e/test_agent_page.py": 70,
    "e2e/test_pages.py": 85,
    "e2e/test_secrets.py": 80,
    "core/gateway/test_over_tcp.py": 75,
    "e2e/test_admin.py": 75,
    "e2e/test_backup.py": 40,
    "e2e/test_permissions.py": 75,
    "e2e/test_practice.py": 75,
    "e2e/test_streaming.py": 75,
    "core/runner/test_lifetimes.py": 70,
    "e2e/test_files.py": 50,
    "e2e/test_connections.py": 60,
    "e2e/test_xss.py": 60,
    "ui/test_page_frame.py": 60,
    "core/runner/test_conversation.py": 55,
    "e2e/test_box.py": 50,
    "e2e/test_strangers.py": 50,
}
HERE = Path(__file__).parent


def seconds(item: pytest.Item) -> int:
    """Return the seconds of a test's file; a default for walks that are in no list."""
    path = item.path.relative_to(HERE)
    return SECONDS.get(path.as_posix(), 20 if path.parts[0] == "e2e" else 0)


def in_order(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same items; the parts that `workers` are given take about the same time until only short ones are left."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if seconds(item):
            files.setdefault(item.path, []).append(item)
    loads, firsts = [0] * workers, [list[pytest.Item]() for _ in range(workers)]
    for tests in sorted(files.values(), key=lambda tests: -seconds(tests[0])):
        least = loads.index(min(loads))
        loads[least] += seconds(tests[0])
        firsts[least] += tests
    short = [item for item in items if not seconds(item)]
    ordered: list[pytest.Item] = []
    for number, first in enumerate(firsts):
        size = (len(items) - len(ordered)) // (workers - number)
        fill = max(0, size - len(first))
        ordered += first + short[:fill]
        del short[:fill]
    return ordered + short
