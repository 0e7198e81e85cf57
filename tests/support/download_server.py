"""A server on this machine in place of Zenodo, GitHub and GitLab, with the faults of real ones.

It answers `/<host>/<path>` with what is put there, with ranges as the real servers do. The client
reaches it as a mirror. A list of faults per address is used up, one for each request.
"""

import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ZENODO = "zenodo.org/api/records"
GITHUB = "github.com/CheyneyComputerScience/CREMA-D"
GITLAB = "gitlab.com/cs-cooper-lab/crema-d-mirror"
FORMS = ("list", "entries", "mapping")
"""Forms in which Zenodo has stated the files of a record: a list, and InvenioRDM's two."""

CODELOAD = "codeload.github.com/CheyneyComputerScience/CREMA-D/zip/refs/heads/master"


@dataclass
class Fault:
    """What goes wrong with one answer: a status, a redirect, or a body that ends early."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None  # bytes after which the connection closes
    stall_s: float = 0.0  # seconds without a byte before it closes
    drip_s: float = 0.0  # seconds from one byte to the next
    shifted: int = 0  # bytes by which the range differs from the one that was asked for
    body: bytes | None = None  # sent instead


@dataclass
class Site:
    """Contents and faults of a server, and what it was asked."""

    port: int = 0
    bodies: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    objects: dict[str, dict[str, bytes]] = field(default_factory=dict)  # repository -> LFS objects
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    ignores_ranges: bool = False
    unsized: set[str] = field(default_factory=set)  # paths that are sent in chunks, without a size
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def zenodo(self, record: int, files: dict[str, bytes], form: str = "list") -> None:
        """Put a record there, in one of the forms of Zenodo's metadata (`FORMS`)."""
        entries = []
        for name, body in files.items():
            path = f"{ZENODO}/{record}/files/{name}"
            self.bodies[f"{path}/content"] = body
            links = {"self": f"https://{path}/content"}
            if form != "list":
                links = {"self": f"https://{path}", "content": f"https://{path}/content"}
            checksum = f"md5:{hashlib.md5(body).hexdigest()}"
            entries.append({"key": name, "size": len(body), "checksum": checksum, "links": links})
        found: dict | list = {"enabled": True, "count": len(files), "entries": entries}
        if form == "mapping":
            found["entries"] = {entry["key"]: entry for entry in entries}
        answer = {"id": record, "files": entries if form == "list" else found}
        self.bodies[f"{ZENODO}/{record}"] = json.dumps(answer).encode()

    def repository(self, archive: bytes, github: dict[str, bytes], gitlab: dict[str, bytes]):
        """Put the archive of a repository there, and the LFS objects of its two servers."""
        self.bodies[CODELOAD] = archive
        self.unsized.add(CODELOAD)
        self.faults[f"{GITHUB}/archive/refs/heads/master.zip"] = [
            Fault(302, {"Location": f"https://{CODELOAD}"}) for _ in range(50)
        ]
        self.objects = {GITHUB: github, GITLAB: gitlab}

    def batch(self, path: str, body: bytes) -> bytes | None:
        """Return the answer of an LFS server to a request for objects."""
        place = path.removesuffix(".git/info/lfs/objects/batch")
        if place not in self.objects:
            return None
        answers = []
        for entry in json.loads(body)["objects"]:
            oid, content = entry["oid"], self.objects[place].get(entry["oid"])
            if content is None:
                error = {"code": 404, "message": "Object does not exist"}
                answers.append({**entry, "error": error})
                continue
            self.bodies[f"{place}.git/lfs/{oid}"] = content
            href = f"https://{place}.git/lfs/{oid}"
            actions = {"download": {"href": href, "header": {"X-Token": "of one hour"}}}
            answers.append({**entry, "actions": actions})
        return json.dumps({"transfer": "basic", "objects": answers}).encode()


def _parts(body: bytes, size: int = 1000) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


@contextmanager
def serving() -> Iterator[Site]:
    """Run a server until the block ends."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer(site.bodies.get(self.path.lstrip("/")))

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(site.batch(self.path.lstrip("/"), body))

        def _answer(self, body: bytes | None) -> None:
            path, asked = self.path.lstrip("/"), self.headers.get("Range")
            site.asked.append((path, asked))
            asked = None if site.ignores_ranges else asked
            site.headers.append(dict(self.headers))
            waiting = site.faults.get(path, [])
            fault = waiting.pop(0) if waiting else Fault()
            if fault.status or body is None:
                self.send_response(fault.status or 404)
                self.send_header("Set-Cookie", "session=1; Path=/")
                for name, value in fault.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = body if fault.body is None else fault.body
            begin = int(re.match(r"bytes=(\d+)-", asked)[1]) + fault.shifted if asked else 0
            rest = body[begin:]
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
            self.send_header("Set-Cookie", "session=1; Path=/")
            if path in site.unsized:
                self.send_header("Transfer-Encoding", "chunked")
                rest = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in _parts(rest)) + b"0\r\n\r\n"
            else:
                self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            if fault.drip_s:
                with suppress(ConnectionError):  # the client does not wait for it
                    for at in range(len(rest)):
                        self.wfile.write(rest[at : at + 1])
                        if site.ended.wait(fault.drip_s):
                            break
                return
            self.wfile.write(rest if fault.cut is None else rest[: fault.cut])
            if fault.stall_s:
                self.wfile.flush()
                site.ended.wait(fault.stall_s)
            self.close_connection = fault.cut is not None

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield site
    finally:
        site.ended.set()
        server.shutdown()
        server.server_close()


def pointer(content: bytes) -> bytes:
    """Return the LFS pointer of a file."""
    oid = hashlib.sha256(content).hexdigest()
    head = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\n"
    return f"{head}size {len(content)}\n".encode()


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a ZIP archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    """Return path -> content of the files below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
