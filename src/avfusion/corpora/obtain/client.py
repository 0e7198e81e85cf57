"""Requests to listed hosts only: https, retries with growing pauses, files that are resumed.

What is sent is the request and the name of this program; no cookie, no account, no proxy password
from a file. Redirects are followed to listed hosts only.
"""

import email.utils
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from avfusion import __version__
from avfusion.corpora.obtain.progress import Progress
from avfusion.errors import AvfError

log = logging.getLogger(__name__)

T = TypeVar("T")


TRIES = 6
"""Requests in a row that bring nothing before the download stops."""


LONGEST_S = 600.0
"""A server that asks for a longer pause is asked again by the next call instead."""


_CHUNK = 1 << 18
_TIMEOUT_S = 60.0
_REDIRECTS = 5
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_BUSY = {429, 500, 502, 503, 504}


class DownloadError(AvfError):
    """A file could not be downloaded, or differs from what its source states."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source.

    Parameters
    ----------
    url
        Address of the file.
    path
        Where it is written, relative to a folder.
    size
        Size in bytes.
    digest
        `sha256:…` or `md5:…`, as stated by the source.
    headers
        Headers that the source asks for, such as the token of one transfer.
    """

    url: str
    path: str
    size: int
    digest: str
    headers: dict[str, str] = field(default_factory=dict, compare=False)


class Client:
    """Requests to the hosts of one source.

    Parameters
    ----------
    hosts
        Hosts that may be asked.
    mirror
        Address of a copy of the source: `<mirror>/<host>/<path>` is asked instead of
        `https://<host>/<path>`. It must be https, unless it is on this machine.
    pause_s
        Seconds before the first retry; doubled after each retry that brought nothing.

    Raises
    ------
    DownloadError
        If the mirror is not https.
    """

    def __init__(self, hosts: frozenset[str], mirror: str = "", pause_s: float = 1.0) -> None:
        self.hosts, self.mirror, self.pause_s = hosts, mirror.rstrip("/"), pause_s
        self.stopped = threading.Event()
        self._local = threading.local()
        if self.mirror:
            place = urlsplit(self.mirror)
            if place.scheme != "https" and place.hostname not in _LOOPBACK:
                raise DownloadError(f"{mirror}: a mirror must be https, or on this machine.")

    @property
    def session(self) -> requests.Session:
        """A session of the calling thread."""
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.headers["User-Agent"] = f"avfusion/{__version__}"
            session.auth = _no_account
            self._local.session = session
        return self._local.session

    def address(self, url: str) -> str:
        """Return the address that is asked for `url`.

        Raises
        ------
        DownloadError
            If it is not https or of an unlisted host.
        """
        place = urlsplit(url)
        if place.scheme != "https" or place.hostname not in self.hosts or place.port is not None:
            raise DownloadError(
                f"{url}: not https at one of {', '.join(sorted(self.hosts))}. Nothing was sent "
                "there. If the source has moved, update avfusion (corpora/obtain/hosts.py)."
            )
        if not self.mirror:
            return url
        query = f"?{place.query}" if place.query else ""
        return f"{self.mirror}/{place.hostname}{place.path}{query}"

    def json(self, url: str, body: dict[str, Any] | None = None, kind: str = "") -> Any:
        """Return the JSON answer to a GET, or to a POST of `body`; `kind` is its media type.

        Raises
        ------
        DownloadError
            If there is no answer, or none in JSON.
        """
        headers = {"Accept": kind, "Content-Type": kind} if kind else {}

        def ask() -> requests.Response:
            with self._opened(url, headers, body) as answer:
                answer.content  # noqa: B018 (reads it while the connection is open)
                return answer

        answer = self._retried(url, ask)
        try:
            return answer.json()
        except ValueError:
            start = answer.text[:80].replace("\n", " ")
            raise DownloadError(
                f"{url}: the answer is not JSON but {start!r}. Run the same command later; if it "
                "stays so, the source has changed."
            ) from None

    def fetch(self, file: RemoteFile, folder: Path, progress: Progress) -> Path:
        """Download a file and check its size and digest.

        An existing file is checked, not downloaded again. A partial download is kept as
        `NAME.part` and resumed by the next call.

        Parameters
        ----------
        file
            What to download.
        folder
            Folder that its path is relative to.
        progress
            Told of every piece.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        DownloadError
            If the server does not answer or sends another file.
        OSError
            If the disk is full; what was written is kept.
        """
        target = folder / file.path
        if target.is_file():
            check_file(file, target, "Move it away, then run the same command again.")
            progress.add(file.size)
            return target
        part = target.with_name(f"{target.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        if _size(part) > file.size:
            part.unlink()
        progress.add(_size(part))
        self._retried(file.url, lambda: self._append(file, part, progress), lambda: _size(part))
        try:
            check_file(file, part, "It was removed. Run the same command again.")
        except DownloadError:
            part.unlink()
            raise
        _keep(part, target)
        return target

    def fetch_unstated(self, url: str, path: Path, progress: Progress) -> Path:
        """Download a file whose size and digest no source states; it always starts from 0."""
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)

        def receive() -> None:
            with self._opened(url, {}) as answer, part.open("wb") as out:
                for piece in _pieces(answer):
                    self._stop()
                    out.write(piece)
                    progress.add(len(piece))
                stated = answer.headers.get("Content-Length")
            if stated is not None and _size(part) < int(stated):
                raise EOFError(f"the server stopped at {_size(part):,} of {int(stated):,} bytes")

        self._retried(url, receive)
        _keep(part, path)
        return path

    def _append(self, file: RemoteFile, part: Path, progress: Progress) -> None:
        """Append the missing bytes to `part`; raise EOFError if the server stops early."""
        begin = _size(part)
        if begin == file.size and part.exists():
            return
        headers = file.headers | ({"Range": f"bytes={begin}-"} if begin else {})
        with self._opened(file.url, headers) as answer:
            if begin and not _continues(answer, begin):
                progress.add(-begin)
                begin = 0
            with part.open("ab" if begin else "wb") as out:
                for piece in _pieces(answer):
                    self._stop()
                    begin += len(piece)
                    if begin > file.size:
                        raise DownloadError(
                            f"{file.url}: more than the stated {file.size:,} bytes. Run the same "
                            "command again; if it stays so, the source has changed."
                        )
                    out.write(piece)
                    progress.add(len(piece))
        if begin < file.size:
            raise EOFError(f"the server stopped at {begin:,} of {file.size:,} bytes")

    @contextmanager
    def _opened(
        self, url: str, headers: dict[str, str], body: dict[str, Any] | None = None
    ) -> Iterator[requests.Response]:
        """Yield the answer of a listed host, after redirects.

        Raises `_BusyError` if the server is busy, `DownloadError` if the answer is final.
        """
        for _ in range(_REDIRECTS):
            answer = self.session.request(
                "GET" if body is None else "POST",
                self.address(url),
                headers={"Accept-Encoding": "identity", **headers},
                json=body,
                stream=True,
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
            with answer:
                if not answer.is_redirect:
                    _raise_for(answer, url)
                    yield answer
                    return
                before, url = url, urljoin(url, answer.headers["Location"])
            if urlsplit(url).hostname != urlsplit(before).hostname:
                headers = {k: v for k, v in headers.items() if k in ("Range", "Accept")}
        raise DownloadError(f"{url}: more than {_REDIRECTS} redirects. Run the same command later.")

    def _retried(
        self, url: str, action: Callable[[], T], received: Callable[[], int] = lambda: 0
    ) -> T:
        """Return what `action` returns; repeat it after a failure that may pass.

        Parameters
        ----------
        url
            Address, for messages.
        action
            One try.
        received
            Returns the bytes that are there; a try that added some does not count as a failure.
        """
        idle = 0
        while True:
            self._stop()
            before = received()
            try:
                return action()
            except (requests.RequestException, HTTPError, EOFError) as error:
                idle = 0 if received() > before else idle + 1
                if idle >= TRIES:
                    raise DownloadError(
                        f"{url}: {_described(error)}, {TRIES} times in a row. What was received "
                        "is kept. Run the same command again."
                    ) from None
                asked_s = error.pause_s if isinstance(error, _BusyError) else None
                pause_s = min(60.0, self.pause_s * 2**idle) if asked_s is None else asked_s
                if pause_s > LONGEST_S:
                    raise DownloadError(
                        f"{url}: the server asks for a pause of {pause_s / 60:.0f} minutes. What "
                        "was received is kept. Run the same command again after that time."
                    ) from None
                log.warning("%s: %s; next try in %.0f s", url, _described(error), pause_s)
                self.stopped.wait(pause_s)

    def _stop(self) -> None:
        """Raise if another thread has failed or the user has interrupted."""
        if self.stopped.is_set():
            raise DownloadError("stopped")


class _BusyError(requests.RequestException):
    """The server is busy; `pause_s` is the pause that it asks for, None if it names none."""

    def __init__(self, text: str, pause_s: float | None) -> None:
        super().__init__(text)
        self.pause_s = pause_s


def check_file(file: RemoteFile, path: Path, advice: str) -> None:
    """Raise DownloadError, ending with `advice`, if the size or digest of `path` differs."""
    kind, _, expected = file.digest.partition(":")
    size = _size(path)
    if size != file.size:
        raise DownloadError(f"{path}: {size:,} bytes, stated {file.size:,}. {advice}")
    with path.open("rb") as raw:
        digest = hashlib.file_digest(raw, kind).hexdigest()
    if digest != expected:
        raise DownloadError(f"{path}: {kind} {digest[:16]}…, stated {expected[:16]}…. {advice}")


def _keep(part: Path, path: Path) -> None:
    """Give a complete download its name, after it is on disk."""
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    part.replace(path)


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """Yield the body as it arrives; what came before a break is not lost, as with iter_content."""
    while piece := answer.raw.read1(_CHUNK):
        yield piece


def _raise_for(answer: requests.Response, url: str) -> None:
    """Raise if the answer is an error: one that may pass, or one that is final."""
    if answer.status_code in _BUSY:
        raise _BusyError(f"{answer.status_code} {answer.reason}", _pause_of(answer))
    if not answer.ok:
        raise DownloadError(
            f"{url}: {answer.status_code} {answer.reason}. Check in a browser whether it has moved."
        )


def _pause_of(answer: requests.Response) -> float | None:
    """Return the seconds of Retry-After, which may be a number or a date."""
    asked = answer.headers.get("Retry-After", "")
    if asked.strip().isdigit():
        return float(asked)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None


def _continues(answer: requests.Response, begin: int) -> bool:
    """Return whether a server has answered with the bytes from `begin` on."""
    stated = answer.headers.get("Content-Range", f"bytes {begin}-")
    return answer.status_code == 206 and stated.startswith(f"bytes {begin}-")


def _described(error: Exception) -> str:
    """Return a failure in a few words; those of the library repeat the address."""
    if isinstance(error, (_BusyError, EOFError)):
        return str(error)
    if isinstance(error, requests.Timeout):
        return f"no answer within {_TIMEOUT_S:.0f} s"
    return "the connection broke or was refused"


def _no_account(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is: no password from ~/.netrc is added."""
    return request


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
