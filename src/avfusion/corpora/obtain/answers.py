"""Answers of a server: which failures may pass, how long to wait, and bodies that arrive slowly."""

import email.utils
import time
from collections.abc import Iterator

import requests

from avfusion.corpora.obtain.remote import DownloadError

TIMEOUT_S = 60.0
SLOWEST = 1000.0
"""Least bytes per second over `TIMEOUT_S`."""


_CHUNK = 1 << 18
_BUSY = {429, 500, 502, 503, 504}


class BusyError(requests.RequestException):
    """The server is busy; `pause_s` is the pause that it asks for, None if it names none."""

    def __init__(self, text: str, pause_s: float | None) -> None:
        super().__init__(text)
        self.pause_s = pause_s


class SlowError(EOFError):
    """So little arrives that the download would not end."""


class RangeError(requests.RequestException):
    """The server does not have the bytes that were asked for."""


FINAL = (
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
)
"""Failures that do not pass: certificates, proxies, addresses."""


def pieces(answer: requests.Response) -> Iterator[bytes]:
    """Yield the body as it arrives; what came before a break is not lost, as with iter_content."""
    began_s, count = time.monotonic(), 0
    while piece := answer.raw.read1(_CHUNK):
        yield piece
        count += len(piece)
        passed_s = time.monotonic() - began_s
        if passed_s > TIMEOUT_S:
            if count < SLOWEST * passed_s:
                raise SlowError(f"the server sent {count:,} bytes in {passed_s:.0f} s")
            began_s, count = time.monotonic(), 0


def raise_for(answer: requests.Response, url: str, mirror: str = "") -> None:
    """Raise if the answer is an error: one that may pass, or one that is final."""
    if answer.status_code in _BUSY:
        raise BusyError(f"{answer.status_code} {answer.reason}", _pause_of(answer))
    if answer.status_code == requests.codes.requested_range_not_satisfiable:
        raise RangeError(f"{answer.status_code} {answer.reason}")
    if not answer.ok:
        asked = f"The mirror {mirror} was asked."
        remedy = asked if mirror else "Check in a browser whether it has moved."
        raise DownloadError(f"{url}: {answer.status_code} {answer.reason}. {remedy}")


def _pause_of(answer: requests.Response) -> float | None:
    """Return the seconds of Retry-After, which may be a number or a date.

    Without it, the answer to too many requests may state when the limit is reset, in seconds since
    1970 (Zenodo, GitHub).
    """
    asked = answer.headers.get("Retry-After", "")
    if _is_count(asked):
        return float(asked)
    reset = answer.headers.get("X-RateLimit-Reset", "")
    if not asked and answer.status_code == 429 and _is_count(reset):
        return max(0.0, float(reset) - time.time())
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    except ValueError:
        return None


def _is_count(text: str) -> bool:
    return text.isascii() and text.strip().isdigit()


def continues(answer: requests.Response, begin: int) -> bool:
    """Return whether a server has answered with the bytes from `begin` on."""
    stated = answer.headers.get("Content-Range", f"bytes {begin}-")
    return answer.status_code == 206 and stated.startswith(f"bytes {begin}-")


def described(error: Exception) -> str:
    """Return a failure in a few words; those of the library repeat the address."""
    if isinstance(error, (BusyError, RangeError, EOFError)):
        return str(error)
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_S:.0f} s"
    return "the connection broke or was refused"
