"""Download the public files of a corpus: resume a partial file, and verify size and digest.

Requests go only to hosts that the corpus lists, redirects included.
"""

import hashlib
import logging
import time
import urllib.error
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
_TIMEOUT_S = 60.0
_LOG_EVERY_S = 5.0


@dataclass(frozen=True)
class Download:
    """One public file.

    Parameters
    ----------
    url
        Address of the file.
    path
        Path below the root of the corpus.
    size
        Size in bytes.
    digest
        `sha256:…` or `md5:…`, as published by the source.
    hosts
        Other hosts that the source may redirect to.
    """

    url: str
    path: str
    size: int
    digest: str
    hosts: tuple[str, ...] = ()

    @property
    def allowed(self) -> set[str]:
        """Hosts that requests may go to."""
        return {urlsplit(self.url).hostname or "", *self.hosts}


class DownloadError(AvfError):
    """A file could not be downloaded, or differs from the published size or digest."""


def fetch(file: Download, root: Path, pause_s: float = 2.0) -> Path:
    """Download a file and verify its size and digest.

    An existing file is verified, not downloaded again. A partial download is kept as `NAME.part`
    and resumed by the next call.

    Parameters
    ----------
    file
        What to download.
    root
        Folder of the corpus.
    pause_s
        Seconds before the first retry; doubled after each retry that received nothing.

    Returns
    -------
    Path
        The file below `root`.

    Raises
    ------
    DownloadError
        If the server does not answer, redirects to an unlisted host, or the file differs.
    """
    target = root / file.path
    if target.is_file():
        _verify(file, target, "Move it away, then run the same command again.")
        log.info("%s: already downloaded and verified", target)
        return target
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    idle = 0  # consecutive tries that received nothing
    while idle < _TRIES:
        before = _size(part)
        try:
            _resume(file, part)
            break
        except (OSError, EOFError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise DownloadError(f"{file.url}: {error}. Check whether it has moved.") from None
            idle = 0 if _size(part) > before else idle + 1
            log.warning("%s: %s; retrying", file.url, error)
            time.sleep(pause_s * 2**idle)
    else:
        raise DownloadError(f"{file.url}: no answer. {part} is kept. Run the same command again.")
    try:
        _verify(file, part, "It was removed. Check what the source offers now.")
    except DownloadError:
        part.unlink()
        raise
    part.replace(target)
    return target


def _resume(file: Download, part: Path) -> None:
    """Append the missing bytes to `part`; raise EOFError if the server stops early."""
    size = _size(part)
    if size >= file.size:
        return
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={size}-"} if size else {})
    opener = urllib.request.build_opener(_KeepToHosts(file.allowed))
    with opener.open(request, timeout=_TIMEOUT_S) as answer:
        partial = answer.status == 206
        begin = size if partial else 0
        log.info("%s: from %.1f of %.1f MB", file.path, begin / 1e6, file.size / 1e6)
        with part.open("ab" if partial else "wb") as out:
            _copy(answer, out, begin, file)
    if part.stat().st_size < file.size:
        raise EOFError(f"the server stopped at {part.stat().st_size:,} of {file.size:,} bytes")


def _copy(answer: IO[bytes], out: IO[bytes], done: int, file: Download) -> None:
    """Append the rest of the answer to `out`, which holds `done` bytes, and log the progress."""
    logged_s = time.monotonic()
    while piece := answer.read(_CHUNK):
        out.write(piece)
        done += len(piece)
        if done > file.size:
            out.flush()
            raise DownloadError(f"{file.url}: more than the stated {file.size:,} bytes.")
        if time.monotonic() - logged_s > _LOG_EVERY_S:
            logged_s = time.monotonic()
            log.info("%s: %.1f of %.1f MB", file.path, done / 1e6, file.size / 1e6)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _verify(file: Download, path: Path, advice: str) -> None:
    """Raise DownloadError, ending with `advice`, if the size or digest of `path` differs."""
    kind, _, expected = file.digest.partition(":")
    size = path.stat().st_size
    if size != file.size:
        raise DownloadError(f"{path}: {size:,} bytes, stated {file.size:,}. {advice}")
    with path.open("rb") as raw:
        digest = hashlib.file_digest(raw, kind).hexdigest()
    if digest != expected:
        raise DownloadError(f"{path}: {kind} {digest[:16]}…, stated {expected[:16]}…. {advice}")


class _KeepToHosts(urllib.request.HTTPRedirectHandler):
    """Follow redirects only to hosts that the corpus lists."""

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
                f"{req.full_url}: redirected to {host}, which is not among {sorted(self.hosts)}. "
                f"Nothing was downloaded from there."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)
