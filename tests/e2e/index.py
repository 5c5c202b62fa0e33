"""A package index on 127.0.0.1 (PEP 503, with PEP 658 metadata): asks for a password, lies, stalls."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Index:
    """The wheels and source distributions of one directory; what happened is in `requests`."""

    directory: Path
    credential: str | None = None
    # "project" or "file": that answer never ends.
    stall: str | None = None
    wrong_hash: bool = False
    # Answers a path in place of the index, given how often it was asked for before; says whether it did.
    instead: Callable[[Handler, str, int], bool] | None = None
    requests: list[str] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        user = f"{self.credential}@" if self.credential else ""
        return f"http://{user}127.0.0.1:{self.port}/simple/"

    def page(self, project: str) -> bytes:
        links = []
        for wheel in sorted([*self.directory.glob("*.whl"), *self.directory.glob("*.tar.gz")]):
            if wheel.name.split("-")[0].replace("_", "-").lower() != project:
                continue
            digest = "0" * 64 if self.wrong_hash else hashlib.sha256(wheel.read_bytes()).hexdigest()
            if wheel.suffix != ".whl":
                links.append(f'<a href="/files/{wheel.name}#sha256={digest}">{wheel.name}</a>')
                continue
            metadata = hashlib.sha256(read_metadata(wheel)).hexdigest()
            links.append(
                f'<a href="/files/{wheel.name}#sha256={digest}" data-dist-info-metadata="sha256={metadata}"'
                f' data-core-metadata="sha256={metadata}">{wheel.name}</a>'
            )
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode() if links else b""


def read_metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


class Handler(BaseHTTPRequestHandler):
    index: Index
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Silence: the requests are kept, not printed."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        index = self.index
        turn = index.requests.count(self.path)
        index.requests.append(self.path)
        if index.instead and index.instead(self, self.path, turn):
            return None
        if index.credential:
            expected = "Basic " + base64.b64encode(index.credential.encode()).decode()
            if self.headers.get("Authorization") != expected:
                return self.send(401, b"", "text/plain", body, {"WWW-Authenticate": 'Basic realm="index"'})
        if self.path.startswith("/simple/"):
            if index.stall == "project":
                return self.stall_for_ever(b"", 1000)
            page = index.page(self.path.split("/")[2])
            return self.send(200 if page else 404, page, "text/html", body)
        name = self.path.removeprefix("/files/")
        wheel = index.directory / name.removesuffix(".metadata")
        if not wheel.exists():
            return self.send(404, b"", "text/plain", body)
        if name.endswith(".metadata"):
            return self.send(200, read_metadata(wheel), "text/plain", body)
        data = wheel.read_bytes()
        if index.stall == "file" and body:
            return self.stall_for_ever(data[: len(data) // 2], len(data))
        return self.send(200, data, "application/octet-stream", body)

    def send(self, status: int, data: bytes, kind: str, body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def stall_for_ever(self, start: bytes, promised: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        self.wfile.write(start)
        self.wfile.flush()
        self.index.stalled.set()
        self.index.released.wait(60)
        self.close_connection = True


@contextmanager
def serve(directory: Path, **options: object) -> Iterator[Index]:
    index = Index(directory, **options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"index": index}))
    server.daemon_threads = True
    index.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.released.set()
        server.shutdown()
        server.server_close()
