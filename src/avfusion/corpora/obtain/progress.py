"""Progress of a download: a bar on a terminal, a line now and then in a log."""

import logging
import sys
import threading
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

log = logging.getLogger(__name__)


_LOG_EVERY_S = 10.0


class Progress:
    """Bytes received by all threads together.

    Parameters
    ----------
    what
        Name of what is downloaded.
    size
        Total in bytes; None if no source states it.
    """

    def __init__(self, what: str, size: int | None) -> None:
        self.what, self.size, self.done = what, size, 0
        self._lock = threading.Lock()
        self._logged_s = time.monotonic()
        shown = sys.stderr.isatty()
        self._bar = tqdm(
            total=size, desc=what, unit="B", unit_scale=True, disable=not shown, leave=False
        )

    def add(self, count: int) -> None:
        """Count bytes that were received; negative if they must be received again."""
        with self._lock:
            self.done += count
            self._bar.update(count)
            if self._bar.disable and time.monotonic() - self._logged_s > _LOG_EVERY_S:
                self._logged_s = time.monotonic()
                of = f" of {self.size / 1e6:,.0f}" if self.size else ""
                log.info("%s: %s%s MB", self.what, f"{self.done / 1e6:,.0f}", of)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
