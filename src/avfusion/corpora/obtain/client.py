"""Requests to listed hosts only: https, retries with growing pauses, files that are resumed.

What is sent is the request and the name of this program; no cookie, no account, no proxy password
from a file. Redirects are followed to listed hosts only.
"""

import email.utils
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

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
_SLOWEST = 1000.0  # bytes per second, over that time
_LARGEST_JSON = 64 << 20
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
            place = _place(self.mirror)
            if place.scheme != "https" and place.host not in _LOOPBACK:
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
        place = _place(url)
        if place.scheme != "https" or place.host not in self.hosts or place.port is not None:
            raise DownloadError(
                f"{url!r}: not https at one of {', '.join(sorted(self.hosts))}. Nothing was sent "
                "there. If the source has moved, update avfusion (corpora/obtain/hosts.py)."
            )
        if not self.mirror:
            return url
        query = f"?{place.query}" if place.query else ""
        return f"{self.mirror}/{place.host}{place.path or '/'}{query}"

    def json(self, url: str, body: dict[str, Any] | None = None, kind: str = "") -> Any:
        """Return the JSON answer to a GET, or to a POST of `body`; `kind` is its media type.

        Raises
        ------
        DownloadError
            If there is no answer, or none in JSON.
        """
        headers = {"Accept": kind, "Content-Type": kind} if kind else {}

        def ask() -> bytes:
            text = b""
            with self._opened(url, headers, body) as answer:
                for piece in _pieces(answer):
                    text += piece
                    if len(text) > _LARGEST_JSON:
                        raise DownloadError(
                            f"{url}: an answer of more than {_LARGEST_JSON:,} bytes, where "
                            "metadata are expected. Update avfusion."
                        )
            return text

        answer = self._retried(url, ask)
        try:
            return json.loads(answer)
        except ValueError:
            start = answer[:80].decode(errors="replace").replace("\n", " ")
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
            if fault := fault_of(file, target):
                raise DownloadError(
                    f"{target}: {fault}. Move it away, then run the same command again."
                )
            progress.add(file.size)
            return target
        part = target.with_name(f"{target.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        if _size(part) > file.size:
            part.unlink()
        progress.add(_size(part))

        def receive() -> None:
            try:
                self._append(file, part, progress)
            except _RangeError:  # what is here is not of this file
                progress.add(-_size(part))
                part.unlink()
                raise

        self._retried(file.url, receive, lambda: _size(part))
        if fault := fault_of(file, part):
            part.unlink()
            raise DownloadError(f"{part}: {fault}. It was removed. Run the same command again.")
        _keep(part, target)
        return target

    def fetch_unstated(self, url: str, path: Path, progress: Progress, most: int) -> Path:
        """Download a file whose size and digest no source states; it always starts from 0.

        A file of more than `most` bytes is refused.
        """
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)

        def receive() -> None:
            progress.add(-_size(part))
            with self._opened(url, {}) as answer, part.open("wb") as out:
                for piece in _pieces(answer):
                    self._stop()
                    out.write(piece)
                    progress.add(len(piece))
                    if out.tell() > most:
                        raise DownloadError(
                            f"{url}: more than {most:,} bytes, where small tables are expected. "
                            "The source has changed; update avfusion."
                        )
                stated = answer.headers.get("Content-Length")
            if stated is not None and _size(part) < int(stated):
                raise EOFError(f"the server stopped at {_size(part):,} of {int(stated):,} bytes")

        part.unlink(missing_ok=True)
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
                        part.unlink()
                        raise DownloadError(
                            f"{file.url}: more than the stated {file.size:,} bytes. What was "
                            "received was removed. Run the same command again; if it stays so, the "
                            "source has changed."
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
            if _place(url).host != _place(before).host:
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
        idle, most = 0, received()
        while True:
            self._stop()
            try:
                return action()
            except _FINAL as error:
                raise DownloadError(
                    f"{url}: {error}. Correct it, then run the same command again."
                ) from None
            except (requests.RequestException, HTTPError, EOFError) as error:
                more = received() > most and not isinstance(error, _SlowError)
                idle = 0 if more else idle + 1
                most = max(most, received())
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


class _SlowError(EOFError):
    """So little arrives that the download would not end."""


class _RangeError(requests.RequestException):
    """The server does not have the bytes that were asked for."""


_FINAL = (
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
)
"""Failures that do not pass: certificates, proxies, addresses."""


def fault_of(file: RemoteFile, path: Path) -> str:
    """Return how the size or digest of `path` differs from what is stated; "" if it does not."""
    kind, _, expected = file.digest.partition(":")
    size = _size(path)
    if size != file.size:
        return f"{size:,} bytes, stated {file.size:,}"
    with path.open("rb") as raw:
        digest = hashlib.file_digest(raw, kind).hexdigest()
    return "" if digest == expected else f"{kind} {digest[:16]}…, stated {expected[:16]}…"


def _keep(part: Path, path: Path) -> None:
    """Give a complete download its name, after it is on disk."""
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    part.replace(path)


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """Yield the body as it arrives; what came before a break is not lost, as with iter_content."""
    began_s, count = time.monotonic(), 0
    while piece := answer.raw.read1(_CHUNK):
        yield piece
        count += len(piece)
        passed_s = time.monotonic() - began_s
        if passed_s > _TIMEOUT_S:
            if count < _SLOWEST * passed_s:
                raise _SlowError(f"the server sent {count:,} bytes in {passed_s:.0f} s")
            began_s, count = time.monotonic(), 0


def _raise_for(answer: requests.Response, url: str) -> None:
    """Raise if the answer is an error: one that may pass, or one that is final."""
    if answer.status_code in _BUSY:
        raise _BusyError(f"{answer.status_code} {answer.reason}", _pause_of(answer))
    if answer.status_code == requests.codes.requested_range_not_satisfiable:
        raise _RangeError(f"{answer.status_code} {answer.reason}")
    if not answer.ok:
        raise DownloadError(
            f"{url}: {answer.status_code} {answer.reason}. Check in a browser whether it has moved."
        )


def _pause_of(answer: requests.Response) -> float | None:
    """Return the seconds of Retry-After, which may be a number or a date."""
    asked = answer.headers.get("Retry-After", "")
    if asked.isascii() and asked.strip().isdigit():
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
    if isinstance(error, (_BusyError, _RangeError, EOFError)):
        return str(error)
    if isinstance(error, requests.Timeout):
        return f"no answer within {_TIMEOUT_S:.0f} s"
    return "the connection broke or was refused"


def _place(url: str) -> Url:
    """Return the parts of an address as the library that connects reads them.

    Raises
    ------
    DownloadError
        If it cannot be read, or another reader could see another host in it.
    """
    odd = any(character <= " " or character in "\\\x7f" for character in url)
    try:
        place = parse_url(url)
    except (HTTPError, ValueError):
        odd = True
    if odd or place.auth is not None:
        raise DownloadError(f"{url!r}: not an address that can be asked. Nothing was sent there.")
    return place


def _no_account(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is: no password from ~/.netrc is added."""
    return request


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
