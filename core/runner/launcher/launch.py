"""Run a program in the session's tool domain and end as it ends.

`python -IS launch.py [NAME=VALUE…] -- PROGRAM ARGUMENT…`: the variables are added to the program's environment.

The CLI starts this instead of a shell or an MCP server. It passes its standard streams, working directory,
arguments and environment to the fork server of the session (fork_server.py), waits, and passes signals on. The private
modules of the standard library are imported because the public ones cost half of the start-up time.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

ADDRESS = "OMA_TOOLS"  # the fork server's abstract socket; pinned by the session's settings
UNREACHABLE = 126  # exit status, as a shell's for a program that cannot be run
PASSED_ON = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP)


def main() -> int:
    divide = sys.argv.index("--")
    for word in sys.argv[1:divide]:
        name, _, value = word.partition("=")
        os.environ[name] = value
    try:
        server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        server.connect("\0" + os.environ.get(ADDRESS, ""))
        _send(server, sys.argv[divide + 1 :])
    except OSError as error:
        os.write(2, f"the agent's programs cannot be started: {error}\n".encode())
        return UNREACHABLE
    for number in PASSED_ON:
        _signal.signal(number, lambda number, _: server.send(bytes([number])))
    said = server.recv(4)  # nothing: its keeper was killed
    status = int.from_bytes(said, "big") if len(said) == 4 else int(_signal.SIGKILL)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        _signal.signal(number, _signal.SIG_DFL) if number not in (_signal.SIGKILL, _signal.SIGSTOP) else None
        os.kill(os.getpid(), number)
    return os.waitstatus_to_exitcode(status)


def _send(server: _socket.socket, program: list[str]) -> None:
    here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    fds = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2, here))
    words = [os.fsencode(word) for word in program]
    environment = [name + b"=" + value for name, value in os.environb.items()]
    body = b"\0".join([*words, b"", *environment])
    server.sendmsg(
        [len(body).to_bytes(4, "big"), len(words).to_bytes(4, "big")],
        [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)],
    )
    server.sendall(body)


if __name__ == "__main__":
    sys.exit(main())
