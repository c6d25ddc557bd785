"""The stand-in for the runner in tests of the spawner: it answers questions over the inherited socket."""

import argparse
import json
import os
import socket
import sys

parser = argparse.ArgumentParser()
parser.add_argument("role")
parser.add_argument("--fd", type=int)
parser.add_argument("--home")
parser.add_argument("--box-sock")
parser.add_argument("--cli")
given = parser.parse_args()
boot = json.loads(sys.stdin.readline())
names = {"boot": boot, "given": vars(given), "os": os, "sys": sys, "socket": socket, "fds_at_start": {}}
for entry in os.listdir("/proc/self/fd"):
    try:
        names["fds_at_start"][int(entry)] = os.readlink(f"/proc/self/fd/{entry}")
    except OSError:  # the listing's own
        continue
print("stand-in is up", flush=True)
listener = socket.socket(fileno=given.fd)
while True:
    connection, _ = listener.accept()
    with connection, connection.makefile("rw") as talk:
        request = json.loads(talk.readline())
        if "exit" in request:
            os._exit(request["exit"])
        try:
            if "run" in request:
                exec(request["run"], names)
            answer = {"is": eval(request["look"], names) if "look" in request else names.get("answer")}
        except BaseException as error:  # noqa: BLE001  # whatever it is, the test wants to see it
            answer = {"error": f"{type(error).__name__}: {error}"}
        talk.write(json.dumps(answer) + "\n")
        talk.flush()
