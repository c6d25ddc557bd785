"""Runs inside the box, started by the agent's own Bash: one row a probe, empty when it held, else what was found.

    python box_probe.py FACTS.json        # prints {"table": {name: found}, "controls": {name: found}}

Standard library only. FACTS has canaries backwards (this file, the prompt and this process must not be what is found),
and places of the machine outside. Kernel files are only opened for writing, never written: some are not the box's own.
"""

import contextlib
import ctypes
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FACTS = json.loads(Path(sys.argv[1]).read_text())
CANARIES = {name: text[::-1].encode() for name, text in FACTS["canaries"].items()}
LIBC = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
MEMORY_BYTES = 400 << 20  # read of all processes together
PROBES: dict[str, Callable[[], object]] = {}
ROOT = "/proc/1/" + "root"
WAY = os.environ.get("HTTPS_PROXY", "")


def probe(function: Callable[[], object]) -> Callable[[], object]:
    PROBES[function.__name__] = function
    return function


def canaries(content: bytes) -> list[str]:
    return [name for name, canary in CANARIES.items() if canary in content]


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def read(path: object) -> bytes:
    with contextlib.suppress(OSError):
        return Path(str(path)).read_bytes()
    return b""


def opened(path: str, flags: int = os.O_WRONLY) -> list[str]:
    with contextlib.suppress(OSError):
        os.close(os.open(path, flags | os.O_NONBLOCK))
        return [path]
    return []


def call(number: int, *words: object) -> str:
    """Empty when the kernel refused."""
    result = LIBC.syscall(number, *words)
    return "" if result == -1 else f"call {number} gave {result}"


# --- S1: what there is to be read of secrets --------------------------------------------------------------------------

for _file in ("environ", "cmdline", "status", "mountinfo"):
    PROBES[f"s1_{_file}_of_all"] = lambda file=_file: [
        (p, f) for p in pids() if (f := canaries(read(f"/proc/{p}/{file}")))
    ]


@probe
def s1_own_environment() -> object:
    return canaries("\0".join(f"{name}={value}" for name, value in os.environ.items()).encode())


@probe
def s1_memory_of_all() -> object:
    found, left = [], MEMORY_BYTES
    for pid in pids():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in read(f"/proc/{pid}/maps").decode().splitlines():
                span, rights = line.split()[:2]
                start, end = (int(at, 16) for at in span.split("-"))
                if rights[:2] != "rw" or end - start > left:
                    continue
                left -= end - start
                with contextlib.suppress(OSError, OverflowError):
                    memory.seek(start)
                    found += [(pid, name) for name in canaries(memory.read(end - start))]
    return found


@probe
def s1_memory_of_the_runner() -> object:
    return [
        pid
        for pid in pids()
        if b"main.py" in read(f"/proc/{pid}/cmdline")
        for _ in opened(f"/proc/{pid}/mem", os.O_RDONLY)
    ]


@probe
def s1_memory_and_environment_of_the_first_process() -> object:
    return opened("/proc/1/mem", os.O_RDONLY) + opened("/proc/1/environ", os.O_RDONLY) + opened("/proc/1/fd/1")


@probe
def s1_core_dumps() -> object:
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)[1] or opened("/proc/sys/kernel/core_pattern")


for _name, _places in {
    "home": "/home",
    "program": "/opt/oma",
    "etc": "/etc",
    "run": "/run",
    "tmp": "/tmp /dev/shm /var/tmp",
}.items():

    def _search(places: str = _places) -> object:
        found = []
        for place in places.split():
            for folder, _, names in os.walk(place):
                for path in (Path(folder, name) for name in names):
                    if path.is_file() and not path.is_symlink() and path.stat().st_size < 64 << 20:
                        found += [(str(path), name) for name in canaries(read(path))]
        return found

    PROBES[f"s1_files_in_{_name}"] = _search


@probe
def s1_kernel_keys() -> object:
    return call(250 if X86 else 219, 0, -4, 0) or call(248 if X86 else 217, b"user", b"x", b"y", 1, -4)


# --- S2: what is there of the machine ---------------------------------------------------------------------------------

for _name, _path in FACTS["places"].items():
    PROBES[f"s2_{_name}"] = lambda path=_path: [path] if os.path.lexists(path) else []


@probe
def s2_foreign_processes() -> object:
    known = ("bwrap", "claude", "bash", "python", "sh", "/opt/venv/bin/python", "main.py")
    told = {pid: read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode() for pid in pids()}
    return [(pid, words) for pid, words in told.items() if words and not any(word in words for word in known)]


@probe
def s2_descriptors_that_lead_outside() -> object:
    found = []
    for pid in pids():
        for fd in os.listdir(f"/proc/{pid}/fd") if os.access(f"/proc/{pid}/fd", os.R_OK) else []:
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                if target.startswith("/") and not os.path.lexists(target.removesuffix(" (deleted)")):
                    if not target.startswith(("/tmp/", "/home/agent/", "/dev/", "/memfd:")):
                        found += [(pid, fd, target)] * bool(opened(f"/proc/{pid}/fd/{fd}"))
    return found


@probe
def s2_another_root() -> object:
    return [name for name in os.listdir(ROOT + "/home") if name != "agent"] if opened(ROOT + "/home", 0) else []


# --- S6: ways out ----------------------------------------------------------------------------------------------------


def reached(address: str, port: int, family: int = socket.AF_INET) -> list[str]:
    with socket.socket(family) as tried:
        tried.settimeout(1.0)
        with contextlib.suppress(OSError):
            tried.connect((address, port))
            return [f"{address}:{port}"]
    return []


PROBES["s6_interfaces"] = lambda: [name for _, name in socket.if_nameindex() if name != "lo"]
PROBES["s6_routes"] = lambda: read("/proc/net/route").decode().splitlines()[1:]
PROBES["s6_metadata"] = lambda: reached("169.254.169.254", 80)
PROBES["s6_internet"] = lambda: reached("1.1.1.1", 443)
PROBES["s6_private"] = lambda: reached("10.0.0.1", 80)
PROBES["s6_ipv6"] = lambda: reached("2606:4700:4700::1111", 443, socket.AF_INET6)
PROBES["s6_link_local"] = lambda: reached("fe80::1", 80, socket.AF_INET6)
PROBES["s6_the_platforms_port"] = lambda: reached("127.0.0.1", FACTS["port"])


@probe
def s6_names() -> object:
    with contextlib.suppress(OSError):
        return socket.gethostbyname("example.com")
    return []


@probe
def s6_sockets_in_files() -> object:
    found = subprocess.run(["find", "/", "-xdev", "-type", "s"], capture_output=True, text=True).stdout.split()
    found += subprocess.run(
        ["find", "/run", "/tmp", "/home", "-type", "s"], capture_output=True, text=True
    ).stdout.split()
    return sorted({path for path in found if not path.startswith("/tmp/cc-socks/")} - {"/run/oma/box.sock"})


@probe
def s6_abstract_sockets() -> object:
    lines = read("/proc/net/unix").decode().splitlines()
    return [line for line in lines if "@" in line and "@oma-tools-" not in line]  # the box's own fork servers


@probe
def s6_vsock_to_the_hypervisor() -> object:
    try:
        return str(socket.socket(40, socket.SOCK_STREAM))
    except OSError:
        return []


@probe
def s6_raw_packets() -> object:
    found = []
    for family, kind in (
        (socket.AF_INET, socket.SOCK_RAW),
        (socket.AF_PACKET, socket.SOCK_RAW),
        (38, socket.SOCK_SEQPACKET),
    ):
        with contextlib.suppress(OSError):
            found.append(str(socket.socket(family, kind, 1 if family == socket.AF_INET else 0)))
    return found


def answered(path: str) -> str:
    """Return the gateway's answer to a runner's call that a program of the agent makes; empty if it is refused."""
    body = json.dumps({"session": FACTS["session"], "events": [], "after": 0}).encode()
    token = re.fullmatch(r"http://oma:(.*)@.*", WAY).group(1)  # type: ignore[union-attr]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    said = []
    for proof in ("", f"Authorization: Bearer {token}\r\n"):
        with socket.socket(socket.AF_UNIX) as way:
            way.settimeout(10)
            way.connect("/run/oma/box.sock")
            way.sendall(f"{head}{proof}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            said.append(way.recv(4096).decode(errors="replace").split("\r\n")[0])
    return "" if [line.split(" ")[1:2] for line in said] == [["401"], ["401"]] else f"{said}"


def connects(target: str, head: str = "") -> str:
    """The status of a CONNECT by the box's own way out; empty unless it was granted."""
    user, host, port = re.fullmatch(r"http://(.*)@(.*):(\d+)", WAY).groups()  # type: ignore[union-attr]
    import base64

    known = head or f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"
    with socket.create_connection((host, int(port)), 10) as way:
        way.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{known}\r\n".encode())
        status = way.recv(4096).decode(errors="replace").split("\r\n")[0]
    return "" if status.split(" ")[1:2] and status.split(" ")[1][0] in "45" else status or "no answer"


for _target in (
    "127.0.0.1:80", "localhost:443", "0.0.0.0:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "169.254.169.254:80",
    "metadata.google.internal:80", "[::ffff:a9fe:a9fe]:80", "2130706433:80", "0x7f000001:80", "0177.0.0.1:80",
    "10.0.0.1:443", "192.168.0.1:443", "172.16.0.1:443", "100.64.0.1:443", "[fe80::1]:80", "[fd00::1]:443",
    "example.com:25", "example.com:3306", f"127.0.0.1:{FACTS['port']}", "127.0.0.1%00.example.com:443",
):  # fmt: skip
    PROBES[f"s6_egress_{_target}"] = lambda target=_target: connects(target)
for _call in FACTS["runners_calls"]:
    PROBES[f"s7_the_runners_{_call}"] = lambda call=_call: answered(call)
PROBES["s6_egress_without_a_token"] = lambda: connects("example.com:443", "X: y\r\n")
PROBES["s6_egress_with_a_made_up_token"] = lambda: connects(
    "example.com:443", "Proxy-Authorization: Basic b21hOng=\r\n"
)

# --- S9: ways up -----------------------------------------------------------------------------------------------------

PROBES["s9_user_namespace"] = lambda: call(272 if X86 else 97, 0x10000000)
PROBES["s9_clone_with_user_namespace"] = lambda: call(56 if X86 else 220, 0x10000011, 0, 0, 0, 0)
PROBES["s9_clone3"] = lambda: call(435, (ctypes.c_uint64 * 8)(0x10000000, 0, 0, 0, 17, 0, 0, 0), 64)
PROBES["s9_mount"] = lambda: call(165 if X86 else 40, b"none", b"/tmp", b"tmpfs", 0, 0)
PROBES["s9_new_mount_api"] = lambda: call(430, b"tmpfs", 0)
PROBES["s9_setns"] = lambda: call(308 if X86 else 268, os.open("/proc/self/ns/net", os.O_RDONLY), 0)
PROBES["s9_io_uring"] = lambda: call(425, 1, bytes(120))
PROBES["s9_bpf"] = lambda: call(321 if X86 else 280, 0, bytes(64), 64)
PROBES["s9_perf"] = lambda: call(298 if X86 else 241, bytes(128), 0, -1, -1, 0)
PROBES["s9_userfaultfd"] = lambda: call(323 if X86 else 282, 0)
PROBES["s9_kernel_module"] = lambda: call(313 if X86 else 273, 0, b"", 0)
PROBES["s9_setuid"] = lambda: call(105 if X86 else 146, 0)
PROBES["s9_setgroups"] = lambda: call(116 if X86 else 159, 1, (ctypes.c_uint * 1)(0))
PROBES["s9_chroot"] = lambda: call(161 if X86 else 51, b"/tmp")
PROBES["s9_host_name"] = lambda: call(170 if X86 else 161, b"x", 1)
PROBES["s9_device_node"] = lambda: call(133 if X86 else 33, b"/tmp/sda", 0o60600, os.makedev(8, 0)) if X86 else ""
PROBES["s9_ptrace_init"] = lambda: call(101 if X86 else 117, 16, 1, 0, 0)
PROBES["s9_ptrace_the_runner"] = lambda: [
    told
    for pid in pids()
    if b"main.py" in read(f"/proc/{pid}/cmdline") and (told := call(101 if X86 else 117, 0x4206, pid, 0, 0))
]
PROBES["s9_terminal"] = lambda: opened("/dev/tty", os.O_RDWR) + opened("/dev/console", os.O_RDWR)
PROBES["s9_devices"] = lambda: [
    p
    for n in ("mem", "kmsg", "kvm", "fuse", "vda", "sda", "vsock", "net/tun")
    for p in opened(f"/dev/{n}", os.O_RDONLY)
]
PROBES["s9_sysrq"] = lambda: opened("/proc/sysrq-trigger")
PROBES["s9_control_groups"] = lambda: (
    [str(p) for p in Path("/sys/fs/cgroup").glob("**/cgroup.procs")] if os.path.isdir("/sys/fs/cgroup") else []
)
PROBES["s9_sysfs"] = lambda: [str(p) for p in Path("/sys").glob("kernel/*") if opened(str(p))]
PROBES["s9_oom_score"] = lambda: opened("/proc/self/oom_score_adj") + opened("/proc/1/oom_score_adj")


@probe
def s9_kernel_settings() -> object:
    return [path for folder, _, names in os.walk("/proc/sys") for name in names for path in opened(f"{folder}/{name}")]


@probe
def s9_capabilities() -> object:
    status = dict(line.split(":\t") for line in read("/proc/self/status").decode().splitlines() if ":\t" in line)
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)]
    return (
        held
        + ([] if status["NoNewPrivs"] == "1" else ["new privileges"])
        + ([] if status["Seccomp"] == "2" else ["no filter"])
    )


@probe
def s9_writing_the_program() -> object:
    places = (
        "/opt/oma/main.py",
        "/opt/venv/bin/python",
        "/usr/bin/env",
        "/etc/passwd",
        "/etc/claude-code/managed-settings.json",
    )
    return [path for path in places for _ in opened(path)] + opened("/etc/claude-code/new", os.O_WRONLY | os.O_CREAT)


def main() -> None:
    Path("/tmp/control").write_bytes(b"".join(CANARIES.values()))
    controls = {
        "a canary that is there is found": _search("/tmp"),
        "processes are seen": len(pids()),
        "the environment is seen": os.environ.get("OMA_SESSION", ""),
    }
    os.unlink("/tmp/control")
    table = {}
    for name, each in PROBES.items():
        try:
            table[name] = each()
        except Exception as error:  # noqa: BLE001  # a probe that breaks has shown nothing
            table[name] = f"the probe broke: {type(error).__name__}: {error}"
    print(json.dumps({"table": table, "controls": controls}, default=str))


main()
