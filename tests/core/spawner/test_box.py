"""Asked from inside: what a box shows, what it lets its inhabitants change, and what it never shows."""

import os
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.config.runtime_dir import guests, listening
from core.spawner import probe
from core.spawner.box import ETC, HOME, BwrapFds, arguments, files
from core.spawner.host import inspect_host as look_at_host
from core.spawner.local import LocalSpawner
from core.spawner.probe import try_box, try_cage
from core.spawner.process_tree import children
from tests.core.spawner.boxes import attempt, look, started

ESCAPES = {
    "a user namespace": "libc(libc_.unshare(0x10000000))",
    "a child in a user namespace": "libc(libc_.syscall(clone, 0x10000011, 0, 0, 0, 0))",
    "a mount": "libc(libc_.mount(b'none', b'/tmp', b'tmpfs', 0, None))",
    "another root": "os.chroot('/tmp')",
    "becoming root": "os.setuid(0)",
    "a kernel key": "libc(libc_.syscall(add_key, b'user', b'x', b'y', 1, -4))",
    "a raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "a device": "os.mknod('/tmp/sda', 0o60600, os.makedev(8, 0))",
    "the host's name": "socket.sethostname('x')",
    "what runs when a program crashes": "open('/proc/sys/kernel/core_pattern', 'a')",
    "the kernel's log": "libc(libc_.klogctl(10, None, 0))",
    "an io_uring": "libc(libc_.syscall(425, 1, bytes(120)))",
    "another's namespace": "libc(libc_.setns(os.open('/proc/1/ns/net', os.O_RDONLY), 0))",
}
WIRES = BwrapFds(info=3, block=4, seccomp=5, files={})
LIBC = """
import ctypes
clone, add_key = {'x86_64': (56, 248), 'aarch64': (220, 217)}[os.uname().machine]
libc_ = ctypes.CDLL(None, use_errno=True)
def libc(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


async def inside(spawner: LocalSpawner, expression: str) -> Any:
    async with started(spawner) as running:
        return await look(spawner, running, expression)


async def test_the_agent_is_an_ordinary_user_without_capabilities(spawner: LocalSpawner) -> None:
    status = await inside(
        spawner, "dict(line.split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)"
    )
    assert status["Uid"].split() == ["1000"] * 4
    assert status["Gid"].split() == ["1000"] * 4
    assert status["NoNewPrivs"].strip() == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind


@pytest.mark.parametrize("way", ESCAPES)
async def test_there_is_no_way_to(spawner: LocalSpawner, way: str) -> None:
    async with started(spawner) as running:
        tried = await attempt(spawner, running, LIBC + ESCAPES[way] + "\nanswer = 'done'")
    assert tried.split(":")[0] in ("PermissionError", "OSError", "FileNotFoundError"), tried


async def test_on_a_machine_whose_call_numbers_we_do_not_know_there_are_no_namespaces_inside_either(
    spawner: LocalSpawner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.spawner.seccomp.program", bytes)  # the filter alone would refuse it
    async with started(spawner) as running:
        way = ESCAPES["a child in a user namespace"]
        tried = await attempt(spawner, running, LIBC + way + "\nanswer = 'done'")
    assert tried.split(":")[0] in ("PermissionError", "OSError"), tried


async def test_the_environment_is_three_words_and_the_folder(spawner: LocalSpawner, monkeypatch: Any) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
    found = await inside(spawner, "dict(os.environ)")
    assert found == {"HOME": HOME, "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PWD": HOME}


async def test_no_process_but_its_own_can_be_seen_and_none_tells_of_the_platform(
    spawner: LocalSpawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
    seen = await inside(
        spawner,
        "{pid: [open(f'/proc/{pid}/{file}').read() for file in ('cmdline', 'environ')]"
        " for pid in os.listdir('/proc') if pid.isdigit()}",
    )
    assert len(seen) == 1  # the runner, which is the first process
    assert not any(word in str(told) for told in seen.values() for word in ("canary", str(tmp_path), "ANTHROPIC"))


async def test_nothing_that_the_platform_has_open_is_open_inside(spawner: LocalSpawner, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)  # as a careless library would
        found = await inside(spawner, "fds_at_start")
    kinds = sorted(target.split(":")[0].rsplit("/", 1)[-1] for target in found.values())
    assert kinds == ["pipe", "runner-local-owner-b1.log", "runner-local-owner-b1.log", "socket"]


async def test_there_is_no_network_and_no_route(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        assert await look(spawner, running, "[name for _, name in socket.if_nameindex()]") == ["lo"]
        assert await look(spawner, running, "open('/proc/net/route').read().count('\\n')") == 1  # its heading
        for address in ("169.254.169.254", "10.0.0.1", "1.1.1.1"):
            said = await look(spawner, running, f"socket.create_connection(('{address}', 80), 3)")
            assert "unreachable" in said


def test_what_the_trial_of_this_machine_finds_is_no_network() -> None:
    assert "network" not in try_box(look_at_host())


def test_a_trial_that_takes_too_long_is_a_sentence_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    if try_box(look_at_host()):
        pytest.skip("no box here")
    monkeypatch.setattr(probe, "START_S", 0.001)
    before = children(os.getpid())
    assert "no answer within" in try_box(look_at_host())
    assert not try_cage.__wrapped__(look_at_host())
    assert children(os.getpid()) == before


async def test_a_port_of_the_machine_cannot_be_reached(spawner: LocalSpawner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = await inside(spawner, f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 3)")
    assert "refused" in said


async def test_the_gateways_socket_is_reached_whenever_it_is_made(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        path = Path(running.spawner_state["dir"], "out", "box.sock")
        for _ in range(2):  # made by the gateway, and made anew after its restart
            with listening(path, group=guests(path.parent)) as server:
                greeter = threading.Thread(target=greet, args=(server,))
                greeter.start()
                heard = "s = socket.socket(socket.AF_UNIX); s.connect(given['box_sock']); answer = s.recv(9).decode()"
                assert await attempt(spawner, running, heard) == "gateway"
                greeter.join(5.0)
            path.unlink()


def greet(server: socket.socket) -> None:
    with server.accept()[0] as connection:
        connection.sendall(b"gateway")


async def test_home_and_two_places_that_vanish_are_all_that_can_be_written(spawner: LocalSpawner) -> None:
    host = look_at_host()
    elsewhere = ["/proc", "/usr", "/sys", "/opt/venv/lib", str(host.prefix)]  # as large as the machine makes them
    writable = (
        f"elsewhere = {elsewhere}"
        + """
answer = []
for folder, folders, files in os.walk('/'):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in elsewhere]
    try:
        open(folder + '/new', 'w').close()
        os.unlink(folder + '/new')
        answer.append(folder)
    except OSError:
        pass
"""
    )
    async with started(spawner) as running:
        found = await attempt(spawner, running, writable)
        assert sorted(found) == ["/dev/shm", HOME, "/tmp"]
        files = ("/usr/bin/new", "/opt/oma/core/new", "/opt/oma/core/runner/new", "/etc/passwd", "/run/oma/box.sock")
        for path in (*files, "/opt/venv/lib/new", f"{host.prefix}/new"):
            assert "Read-only" in await attempt(spawner, running, f"open('{path}', 'w')")


async def test_neither_data_nor_homes_nor_sockets_of_the_platform_are_inside(
    spawner: LocalSpawner, tmp_path: Path
) -> None:
    async with started(spawner, user="u-other", id="b2") as other, started(spawner) as running:
        (tmp_path / "data" / "oma.db").touch()
        for path in (
            tmp_path / "data",
            tmp_path / "data" / "homes" / "u-other",
            other.spawner_state["dir"],
            Path.home() / ".ssh",
        ):
            assert not await look(spawner, running, f"os.path.lexists('{path}')")
        assert await look(spawner, running, "os.listdir('/run/oma')") == []
        assert await look(spawner, running, "os.listdir('/home')") == ["agent"]
        assert await look(spawner, running, "os.listdir('/home/agent')") == []
        assert sorted(await look(spawner, running, "os.listdir('/opt/oma')")) == ["core", "main.py"]


async def test_the_kernels_settings_are_read_only_also_where_we_are_root(spawner: LocalSpawner) -> None:
    # Opened, never written: they are the machine's.
    tried = """
answer = []
for folder, _, files in os.walk('/proc/sys'):
    for name in files:
        try:
            os.close(os.open(folder + '/' + name, os.O_WRONLY))
            answer.append(folder + '/' + name)
        except OSError:
            pass
for name in ('sysrq-trigger', 'mtrr', 'self/oom_score_adj', '1/oom_score_adj', 'irq/default_smp_affinity'):
    try:
        os.close(os.open('/proc/' + name, os.O_WRONLY))
        answer.append(name)
    except OSError:
        pass
"""
    async with started(spawner) as running:
        assert await attempt(spawner, running, tried) == []


async def test_no_account_of_the_machine_and_no_private_key_is_told(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        assert await look(spawner, running, "[line.split(':')[0] for line in open('/etc/passwd')]") == [
            "agent",
            "nobody",
        ]
        assert await look(spawner, running, "socket.gethostname()") == "box"
        assert not await look(spawner, running, "os.path.exists('/etc/ssl/private') or os.path.exists('/etc/shadow')")


async def test_names_certificates_and_shells_work_as_programs_expect(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        assert await look(spawner, running, "socket.gethostbyname('localhost')") == "127.0.0.1"
        assert await look(spawner, running, "__import__('pwd').getpwuid(os.getuid()).pw_name") == "agent"
        shell = "__import__('subprocess').run(['bash', '-c', 'whoami; cd; pwd'], capture_output=True, text=True).stdout"
        assert await look(spawner, running, shell) == f"agent\n{HOME}\n"
        assert await look(spawner, running, "len(__import__('ssl').create_default_context().get_ca_certs())")
        assert await look(spawner, running, "__import__('msgspec').__name__") == "msgspec"
        cli = "__import__('subprocess').run([given['cli'], '--version'], capture_output=True, text=True).stdout"
        assert "Claude Code" in await look(spawner, running, cli)


async def test_limits_hold_for_the_runner_and_what_it_starts(spawner: LocalSpawner) -> None:
    limits = (
        "__import__('subprocess').run(['bash', '-c', 'ulimit -c; ulimit -u; ulimit -n'], capture_output=True).stdout"
    )
    core, processes, files = (await inside(spawner, f"({limits}).decode()")).split()
    assert core == "0"
    assert int(processes) <= 4096
    assert int(files) <= 4096


async def test_memory_for_temporary_files_has_an_end(spawner: LocalSpawner) -> None:
    for folder in ("/tmp", "/dev/shm"):
        size = await inside(spawner, f"os.statvfs('{folder}').f_blocks * os.statvfs('{folder}').f_frsize")
        assert size <= 256 * 1024**2


def test_no_folder_of_etc_that_may_hold_keys_is_bound_whole() -> None:
    assert not {"/etc", "/etc/ssl", "/etc/pki", "/etc/pki/tls", "/etc/ssl/private"} & set(ETC)


def test_a_python_of_the_system_needs_no_bind_of_its_own() -> None:
    host = replace(look_at_host(), python=Path("/usr/bin/python3.12"), prefix=Path("/usr"), venv=None)
    words = arguments(host, home=Path("/h"), fds=WIRES)
    assert words.count("/usr") == 2  # from, to
    assert "/opt/venv/lib" not in words
    assert host.interpreter == "/usr/bin/python3.12"
    assert "/opt/venv/pyvenv.cfg" not in files(host)


def test_no_line_of_the_box_holds_a_word_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary")
    words = arguments(look_at_host(), home=Path("/h"), fds=WIRES)
    assert not any("canary" in word for word in words)
    assert "--clearenv" in words
    assert words.index("--remount-ro", words.index("--chdir")) > words.index("--bind")
