"""Google's Firestore emulator as a process of ours: found where Google's SDK keeps it, ended by its own pid.

It keeps everything in memory, an own database for every project id, and knows neither composite indexes nor TTL.
"""

import contextlib
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Self

from tests.product import free_port

JAR = Path("platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")
MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
START_S = 60.0  # 3 s on a quiet machine
END_S = 10.0


def emulator_jar() -> Path | None:
    """Return the emulator of the Debian package or of this machine's `gcloud`; None if it or Java is missing."""
    roots = [Path("/usr/lib/google-cloud-sdk")]
    if gcloud := shutil.which("gcloud"):
        roots.append(Path(gcloud).resolve().parents[1])
    found = [root / JAR for root in roots if (root / JAR).is_file()]
    return found[0] if found and shutil.which("java") else None


class Emulator:
    """The running emulator: while the context is open it listens at `host`."""

    def __init__(self) -> None:
        self.host = f"127.0.0.1:{free_port()}"
        self._log = tempfile.TemporaryFile()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        address, port = self.host.split(":")
        words = [
            "java",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xmx512m",
            "-Duser.language=en",
            "-cp",
            str(emulator_jar()),
            MAIN,
            "start",
        ]
        words += [f"--host={address}", f"--port={port}"]
        self._process = subprocess.Popen(words, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while self._process and self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{self.host}/", timeout=1):
                return
            time.sleep(0.1)
        self._log.seek(0)
        raise AssertionError(f"the Firestore emulator did not start:\n{self._log.read()[-4000:].decode()}")

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()
