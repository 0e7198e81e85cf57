"""Addresses of stores as they may be written down: scheme, host and port, and nothing else."""

import os
import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from avfusion.io.redact import without_paths

_ADDRESS = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'\"<>]*")
_SECRETS = re.compile(
    r"(^|_)(PASSWORD|TOKEN|SECRET(_ACCESS_KEY)?|ACCESS_KEY(_ID)?|API_KEY)$|^MLFLOW_TRACKING_USERNAME$"
)
"""Names of environment variables with a secret."""

_SHORTEST = 8
"""A shorter value is more often a usual word of a message than a secret."""


def shown(uri: str) -> str:
    """Return an address without user, password, path, query or fragment.

    >>> shown("https://ann:pw@mlflow.example.org:5000/sub?token=abc#x")
    'https://mlflow.example.org:5000'
    >>> shown("sqlite:////home/ann/mlflow.db")
    'sqlite:///…/mlflow.db'
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:  # such as a password with brackets
        return f"{uri.partition(':')[0]}://…"
    if not host and parts.scheme in ("", "file", "sqlite"):
        if not parts.scheme:
            return without_paths(parts.path)
        return f"{parts.scheme}:///…/{PurePosixPath(parts.path).name}"
    return f"{parts.scheme}://{host or '…'}" + (f":{port}" if port else "")


def without_secrets(text: str, uri: str = "") -> str:
    """Return a message with addresses shortened and secrets of the environment left out."""
    if uri:
        text = text.replace(uri, shown(uri))
    text = _ADDRESS.sub(lambda match: shown(match[0]), text)
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _SECRETS.search(name.upper()):
            text = text.replace(value, "…")
    return text
