"""Requests to listed hosts only: https, retries with growing pauses, files that are resumed.

What is sent is the request and the name of this program; no cookie, no account, no proxy password
from a file. Redirects are followed to listed hosts only.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError

from avfusion.corpora.obtain.answers import (
    FINAL,
    TIMEOUT_S,
    BusyError,
    SlowError,
    described,
    pieces,
    raise_for,
)
from avfusion.corpora.obtain.remote import DownloadError, place_of
from avfusion.io.version import __version__

log = logging.getLogger(__name__)

T = TypeVar("T")


TRIES = 6
"""Requests in a row that bring nothing before the download stops."""


LONGEST_S = 600.0
"""A server that asks for a longer pause is asked again by the next call instead."""


_LARGEST_JSON = 64 << 20
_REDIRECTS = 5
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Connection:
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
            place = place_of(self.mirror)
            if place.scheme != "https" and place.host not in _LOOPBACK:
                raise DownloadError(f"{mirror}: a mirror must be https, or on this machine.")

    @property
    def session(self) -> requests.Session:
        """A session of the calling thread."""
        if not hasattr(self._local, "session"):
            session = requests.Session()
            session.headers["User-Agent"] = f"avfusion/{__version__}"
            session.auth = _no_account
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
            self._local.session = session
        return self._local.session

    def address(self, url: str) -> str:
        """Return the address that is asked for `url`.

        Raises
        ------
        DownloadError
            If it is not https or of an unlisted host.
        """
        place = place_of(url)
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
            with self.opened(url, headers, body) as answer:
                for piece in pieces(answer):
                    text += piece
                    if len(text) > _LARGEST_JSON:
                        raise DownloadError(
                            f"{url}: an answer of more than {_LARGEST_JSON:,} bytes, where "
                            "metadata are expected. Update avfusion."
                        )
            return text

        answer = self.retried(url, ask)
        try:
            return json.loads(answer)
        except ValueError:
            start = answer[:80].decode(errors="replace").replace("\n", " ")
            raise DownloadError(
                f"{url}: the answer is not JSON but {start!r}. Run the same command later; if it "
                "stays so, the source has changed."
            ) from None

    @contextmanager
    def opened(
        self, url: str, headers: dict[str, str], body: dict[str, Any] | None = None
    ) -> Iterator[requests.Response]:
        """Yield the answer of a listed host, after redirects.

        Raises `BusyError` if the server is busy, `DownloadError` if the answer is final.
        """
        for _ in range(_REDIRECTS):
            answer = self.session.request(
                "GET" if body is None else "POST",
                self.address(url),
                headers={"Accept-Encoding": "identity", **headers},
                json=body,
                stream=True,
                timeout=TIMEOUT_S,
                allow_redirects=False,
            )
            with answer:
                if not answer.is_redirect:
                    raise_for(answer, url, self.mirror)
                    yield answer
                    return
                before, url = url, urljoin(url, answer.headers["Location"])
            if place_of(url).host != place_of(before).host:
                headers = {k: v for k, v in headers.items() if k in ("Range", "Accept")}
        raise DownloadError(f"{url}: more than {_REDIRECTS} redirects. Run the same command later.")

    def retried(
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
            self.stop()
            try:
                return action()
            except FINAL as error:
                raise DownloadError(
                    f"{url}: {error}. Correct it, then run the same command again."
                ) from None
            except (requests.RequestException, HTTPError, EOFError) as error:
                more = received() > most and not isinstance(error, SlowError)
                idle = 0 if more else idle + 1
                most = max(most, received())
                if idle >= TRIES:
                    raise DownloadError(
                        f"{url}: {described(error)}, {TRIES} times in a row. Check the connection"
                        f"{f' to the mirror {self.mirror}' if self.mirror else ''} "
                        "(docs/how-to/open-corpora.md, Download); then run the same command again. "
                        "What was received is kept."
                    ) from None
                asked_s = error.pause_s if isinstance(error, BusyError) else None
                pause_s = max(min(60.0, self.pause_s * 2**idle), asked_s or 0.0)
                if pause_s > LONGEST_S:
                    raise DownloadError(
                        f"{url}: the server asks for a pause of {pause_s / 60:.0f} minutes. What "
                        "was received is kept. Run the same command again after that time."
                    ) from None
                log.warning("%s: %s; next try in %.0f s", url, described(error), pause_s)
                self.stopped.wait(pause_s)

    def stop(self) -> None:
        """Raise if another thread has failed or the user has interrupted."""
        if self.stopped.is_set():
            raise DownloadError("stopped")


def _no_account(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is: no password from ~/.netrc is added."""
    return request
