"""Options of the app, and the limits that it keeps."""

import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from avfusion.errors import ConfigError

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Names of this machine that reach it from itself only."""

TOKEN_NAME = "AVF_TOKEN"
"""Environment variable with a token; arguments of commands are visible to every user."""

TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")
"""What a token may be: enough characters that need no quotes in addresses and cookies."""


@dataclass(frozen=True)
class Options:
    """What `avf serve` was asked for.

    Attributes
    ----------
    model
        Folder of the bundle.
    host, port
        Where to listen; port 0 takes a free one.
    token
        What every request must know; None asks for none, which only the loopback may.
    most_mb, most_minutes
        Largest and longest clip.
    keep
        Folder to which results are written; None keeps nothing.
    files
        Encoder -> file of its published weights.
    trust_code
        See `Bundle.open`.
    jobs
        Predictions at a time.
    idle_s
        A clip is removed this many seconds after it was last used.
    most_clips
        Clips that one browser may have at a time.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    model: Path
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    most_mb: float = 500.0
    most_minutes: float = 30.0
    keep: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    trust_code: bool = False
    jobs: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    idle_s: float = 3600.0
    most_clips: int = 10

    def __post_init__(self) -> None:
        for name in ("most_mb", "most_minutes", "jobs"):
            if not getattr(self, name) > 0:
                option = name.replace("_", "-")
                raise ConfigError(f"--{option} {getattr(self, name):g}: expected more than 0.")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"--port {self.port}: expected 0 to 65535.")
        if self.token is not None and not TOKEN.fullmatch(self.token):
            raise ConfigError(
                f"{TOKEN_NAME}: {len(self.token)} characters; expected 16 or more letters, digits, "
                f"`-` and `_`. Leave it out, and one is made."
            )
        if self.token is None and not self.local:
            object.__setattr__(self, "token", secrets.token_urlsafe(32))

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host in LOCAL:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def most_bytes(self) -> int:
        """Largest clip in bytes."""
        return round(self.most_mb * 1e6)
