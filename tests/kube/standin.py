"""The stand-in for a box's process in tests without a runner: GET /healthz, and a word about itself."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ADDRESS, HOME = sys.argv[1], Path(sys.argv[2])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self._path()
        if path is None:
            self._say(200, b'{"status":"ok","bound":false}')
        else:
            self._say(200, path.read_bytes()) if path.exists() else self._say(404, b"")

    def do_PUT(self) -> None:
        path = self._path()
        assert path
        path.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
        self._say(200, b"")

    def do_POST(self) -> None:
        self._say(200, b"")
        self.wfile.flush()
        os._exit(0)

    def _path(self) -> Path | None:
        query = parse_qs(urlsplit(self.path).query)
        return HOME / query["path"][0] if "path" in query else None

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


ThreadingHTTPServer((ADDRESS, 8080), Handler).serve_forever()
