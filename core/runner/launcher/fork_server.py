"""The parent of all programs of one session's CLI: `python -IS fork_server.py FD`, with FD a listening socket.

It enters a Landlock domain before it starts anything. The kernel lets no process of the domain inspect one outside it
(by ptrace, /proc/PID/{mem,fd,environ}, pidfd_getfd and the like), nor, with Landlock ABI 6, signal it. The CLI and the
runner are outside. All programs of the session share the domain: they can see and signal one another. Each connection
comes from a `launch.py` of the CLI and gets a process of its own, the keeper. It starts the program in a new session,
reports its exit status and kills it when the launcher dies. The fork server is a child subreaper, so that all its
descendants stay below it, whatever they do to their environment, parents or session. It uses only the standard library,
without site-packages, so that it starts fast.
"""

import array
import ctypes
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from functools import partial

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, FILTER = 4, 22, 36, 38, 2
PR_CAPBSET_DROP, ROOTS_OWN = 24, (19, 21, 38)  # CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_PERFMON
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT, VERSION, PATH_BENEATH = 444, 445, 446, 1, 1
MAKE_CHAR = 1 << 6  # a domain has to restrict something, and only root can create character devices anyway
REFER, REFER_SINCE = 1 << 13, 2  # renaming into another folder; every domain refuses it unless it is allowed
SCOPE_SIGNAL, SIGNAL_SINCE = 1 << 1, 6
REQUEST_BYTES = 16 * 1024**2  # arguments and environment together; the kernel takes 2 to 6 MB

# Calls that read or take from another process: ptrace, process_vm_readv, process_vm_writev, kcmp and pidfd_getfd, as
# (x86_64, aarch64). In a domain they reach its own programs only; this is for kernels without Landlock.
REFUSED = ((101, 117), (310, 270), (311, 271), (312, 272), (438, 438))
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # EPERM


class RulesetAttr(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class SockFprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_void_p)]


def enter_domain() -> int:
    """Put this process and its children into a Landlock domain. Returns the kernel's Landlock ABI; 0
    without Landlock.
    """
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for number in ROOTS_OWN:  # with them root could read every environment in spite of Landlock; a box has none
        LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    abi = LIBC.syscall(LANDLOCK_CREATE, None, 0, VERSION)
    if abi < 1:
        return 0
    scoped, refer = abi >= SIGNAL_SINCE, REFER if abi >= REFER_SINCE else 0
    attributes = RulesetAttr(MAKE_CHAR | refer, 0, SCOPE_SIGNAL if scoped else 0)
    ruleset = LIBC.syscall(LANDLOCK_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes) if scoped else 8, 0)
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    if refer:
        everywhere = PathBeneathAttr(refer, root)
        LIBC.syscall(LANDLOCK_ADD, ruleset, PATH_BENEATH, ctypes.byref(everywhere), 0)
    os.close(root)
    if ruleset < 0 or LIBC.syscall(LANDLOCK_RESTRICT, ruleset, 0) < 0:
        return 0
    os.close(ruleset)
    return int(abi)


def refuse_calls(machine: str = platform.machine()) -> None:
    """Install the filter on system calls for this process and its children; nothing on unknown machines."""
    if lines := filter_program(machine):
        content = ctypes.create_string_buffer(lines, len(lines))
        program = SockFprog(len(lines) // 8, ctypes.addressof(content))
        LIBC.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0)


def filter_program(machine: str) -> bytes:
    """Return REFUSED as a BPF program. Calls of other architectures are refused altogether."""
    if machine not in ARCHITECTURES:
        return b""
    numbers = [row[list(ARCHITECTURES).index(machine)] for row in REFUSED]
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, ARCHITECTURES[machine]), (RETURN, 0, 0, REFUSE), (LOAD, 0, 0, 0)]
    refuse = len(numbers) + 1  # steps from the first test to the last line
    steps.append((AT_LEAST, refuse, 0, X32))
    steps += [(EQUAL, refuse - 1 - at, 0, number) for at, number in enumerate(numbers)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    return b"".join(struct.pack("HBBI", code, yes, no, value) for code, yes, no, value in steps)


def serve(listening: socket.socket) -> None:
    """Serve without end: each connection of our own user gets a keeper."""
    while True:
        launcher, _ = listening.accept()
        _, uid, _ = struct.unpack("3i", launcher.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        with suppress(OSError), launcher:  # if no process can be started, the closed socket tells the launcher
            if uid == os.getuid() and os.fork() == 0:
                listening.close()
                os._exit(_in_child(partial(keep, launcher)))


def _in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked child and return its exit status: a child must never continue as its parent."""
    try:
        work()
    except (OSError, ValueError) as error:
        os.write(2, f"a program could not be started: {error}\n".encode())
        return 127
    return 0


def keep(launcher: socket.socket) -> None:
    """Start the program that a launcher asks for and wait for its end. Raises: OSError, ValueError: a
    broken request.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    words, environment, fds = _receive(launcher)
    child = os.fork()
    if child == 0:
        os._exit(_in_child(partial(_run, words, environment, fds)))
    for fd in fds:
        os.close(fd)
    exited = os.pidfd_open(child)
    while True:
        ready, _, _ = select.select([exited, launcher.fileno()], [], [])
        if exited in ready:
            _, status = os.waitpid(child, 0)
            with suppress(OSError):  # the launcher does not wait any more
                launcher.send(status.to_bytes(4, "big"))
            return
        numbers = launcher.recv(64) or bytes([signal.SIGKILL])  # the launcher has been killed
        for number in numbers:
            _signal(child, number)
        if numbers == bytes([signal.SIGKILL]):
            os.waitpid(child, 0)
            return


def _signal(child: int, number: int) -> None:
    """Send a signal to the program's process group, or to the program if the group does not exist yet."""
    try:
        os.killpg(child, number)
    except OSError:
        with suppress(OSError):
            os.kill(child, number)


def _receive(launcher: socket.socket) -> tuple[list[bytes], dict[bytes, bytes], list[int]]:
    rights = socket.CMSG_SPACE(4 * 4)
    head, ancillary, _, _ = launcher.recvmsg(8, rights)
    fds = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % 4])
    size, count = struct.unpack(">II", head) if len(head) == 8 else (0, 0)
    if len(fds) != 4 or not 0 < size <= REQUEST_BYTES:
        raise ValueError("a broken request")
    parts = _exactly(launcher, size).split(b"\0")
    environment = (part.partition(b"=") for part in parts[count + 1 :])
    return parts[:count], {name: value for name, _, value in environment if name}, list(fds)


def _exactly(launcher: socket.socket, size: int) -> bytes:
    body = bytearray()
    while len(body) < size:
        if not (piece := launcher.recv(min(size - len(body), 1 << 16))):
            raise ValueError("a broken request")
        body += piece
    return bytes(body)


def _run(words: list[bytes], environment: dict[bytes, bytes], fds: list[int]) -> None:
    os.setsid()
    os.fchdir(fds[3])
    for number in range(3):
        os.dup2(fds[number], number)
    os.closerange(3, max(fds) + 64)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would what it starts
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(words[0], words, environment)  # noqa: S606  # the launcher says which program, and the CLI which launcher


def run_on_terminal(words: list[str]) -> int:
    """Run a program as the first one of the terminal; its exit status. Raises: OSError: there is no such terminal."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    child = os.fork()
    if child == 0:
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os._exit(_in_child(partial(os.execvp, words[0], words)))
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTOU, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the program
    status = 0
    while True:  # orphans of the program come here, and are waited for as well
        ended, status = os.wait()
        if ended == child:
            break
    with suppress(ChildProcessError):  # as soon as nothing is left
        while True:
            for orphan in _children():
                os.kill(orphan, signal.SIGKILL)
            os.wait()
    return os.waitstatus_to_exitcode(status)


def _children() -> list[int]:
    """The pids of all living children of this process."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
            if int(file.read().rpartition(b")")[2].split()[1]) == os.getpid():
                found.append(int(name))
    return found


if __name__ == "__main__":
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # programs of the domain cannot change what the next one starts as
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    enter_domain()
    refuse_calls()
    if sys.argv[1] == "terminal":
        sys.exit(run_on_terminal(sys.argv[2:]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps orphans
    serve(socket.socket(fileno=int(sys.argv[1])))
