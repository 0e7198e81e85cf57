"""Fetches what anyone may fetch: goes on where it stopped, and keeps nothing that is not as stated.

Only hosts that the corpus lists are asked, also where a server sends the request elsewhere.
"""

import hashlib
import logging
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from avfusion.errors import AvfError

log = logging.getLogger(__name__)


_CHUNK = 1 << 20


_TRIES = 5


_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Download:
    """One public file: where it is, where it goes below the root, and how it must come out."""

    url: str
    path: str
    size: int
    digest: str  # "sha256:…" or "md5:…", as the source states it
    hosts: tuple[str, ...] = ()  # others that the source may send the request on to

    @property
    def allowed(self) -> set[str]:
        """Hosts that may be asked."""
        return {urlsplit(self.url).hostname or "", *self.hosts}


class DownloadError(AvfError):
    """A file could not be fetched, or is not the one that was promised."""


def fetch(file: Download, root: Path, pause_s: float = 2.0) -> Path:
    """The file below `root`, whole and checked; what is there already is checked, not fetched.

    A part that was fetched before is kept as `NAME.part` and added to.
    """
    target = root / file.path
    if target.is_file():
        _refuse_other(file, target, f"Move it away and run `avf obtain` again: {target}")
        log.info("%s: there already, as stated", target)
        return target
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    idle = 0  # tries in a row that brought nothing
    while idle < _TRIES:
        before = _size(part)
        try:
            _rest(file, part)
            break
        except (OSError, EOFError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise DownloadError(f"{file.url}: {error}. Look whether it has moved.") from None
            idle = 0 if _size(part) > before else idle + 1
            log.warning("%s: %s; trying again", file.url, error)
            time.sleep(pause_s * 2**idle)
    else:
        raise DownloadError(f"{file.url}: no answer. {part} is kept; run `avf obtain` again.")
    try:
        _refuse_other(file, part, "It was removed; ask the source what it offers now.")
    except DownloadError:
        part.unlink()
        raise
    part.replace(target)
    return target


def _rest(file: Download, part: Path) -> None:
    """Add to `part` what is missing; EOFError if the server stops early."""
    have = _size(part)
    if have >= file.size:
        return
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={have}-"} if have else {})
    opener = urllib.request.build_opener(_KeepToHosts(file.allowed))
    with opener.open(request, timeout=_PATIENCE_S) as answer:
        going_on = answer.status == 206
        begin = have if going_on else 0
        log.info("%s: from %.1f of %.1f MB", file.path, begin / 1e6, file.size / 1e6)
        with part.open("ab" if going_on else "wb") as out:
            _copy(answer, out, begin, file)
    if part.stat().st_size < file.size:
        raise EOFError(f"the server stopped at {part.stat().st_size:,} of {file.size:,} bytes")


def _copy(answer: IO[bytes], out: IO[bytes], done: int, file: Download) -> None:
    said = time.monotonic()
    while piece := answer.read(_CHUNK):
        out.write(piece)
        done += len(piece)
        if done > file.size:
            out.flush()
            raise DownloadError(f"{file.url}: more than the {file.size:,} bytes that are stated.")
        if time.monotonic() - said > 5:
            said = time.monotonic()
            log.info("%s: %.1f of %.1f MB", file.path, done / 1e6, file.size / 1e6)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _refuse_other(file: Download, path: Path, then: str) -> None:
    kind, _, wanted = file.digest.partition(":")
    size = path.stat().st_size
    if size != file.size:
        raise DownloadError(f"{path}: {size:,} bytes, stated {file.size:,}. {then}")
    with path.open("rb") as raw:
        found = hashlib.file_digest(raw, kind).hexdigest()
    if found != wanted:
        raise DownloadError(f"{path}: {kind} {found[:16]}…, stated {wanted[:16]}…. {then}")


class _KeepToHosts(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to a host that the corpus lists."""

    def __init__(self, hosts: set[str]) -> None:
        self.hosts = hosts

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        host = urlsplit(newurl).hostname
        if host not in self.hosts:
            raise DownloadError(
                f"{req.full_url}: sent on to {host}, which is not among {sorted(self.hosts)}. "
                f"Nothing was fetched from there."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)
