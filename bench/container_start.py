"""`python -m bench.container_start IMAGE`: from `podman run` to a runner that answers. Needs `make image`."""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.figures import figure
from tests.product import MAIN, free_port

ROUNDS = 5
PODMAN = str(MAIN.parent / "scripts" / "podman")
CLOSED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "2g", "--cpus", "1"]
FOLDERS = ["--tmpfs", "/tmp", "--tmpfs", "/home/agent:mode=1777"]
LIMIT_S = 60.0


def main(image: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "boot-key")
        key.write_text("for-this-benchmark-only-" + "0" * 20)
        key.chmod(0o644)
        took = [_one(image, f"oma-bench-{number}", key) for number in range(ROUNDS)]
    print(json.dumps({"K3_container_start": figure(took)}))


def _one(image: str, name: str, key: Path) -> float:
    port = free_port()
    run = [PODMAN, "run", "--detach", "--rm", "--name", name, "--network", "host", *CLOSED, *FOLDERS]
    run += ["--volume", f"{key}:/run/secrets/oma/boot-key:ro", image, "runner", f"--listen=127.0.0.1:{port}"]
    run += ["--home=/home/agent", "--gateway=http://127.0.0.1:9", "--cli=/usr/local/bin/claude"]
    began = time.monotonic()
    subprocess.run([*run, "--boot-key=/run/secrets/oma/boot-key"], check=True, capture_output=True, timeout=LIMIT_S)
    try:
        while not _answers(port):
            assert time.monotonic() - began < LIMIT_S, "it does not answer"
            time.sleep(0.01)
        return (time.monotonic() - began) * 1000
    finally:
        subprocess.run([PODMAN, "rm", "--force", name], check=False, capture_output=True, timeout=LIMIT_S)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "localhost/oh-my-agent:dev")
