"""Run the server until it is stopped, and remove its files, whichever way it ends."""

import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn

from avfusion.errors import ConfigError
from avfusion.prediction.app.folder import temporary
from avfusion.prediction.app.options import Options
from avfusion.prediction.app.server import Server, application

_PATIENCE_S = 2
"""Answers that are being sent when the server is stopped have so long."""


def run(options: Options, say: Callable[[str], None] = print) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Parameters
    ----------
    options
        What to serve and where.
    say
        Called once with the address.

    Raises
    ------
    AvfError
        If the bundle cannot be opened, or the address is not free.
    """
    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), _end)
    with _listening(options) as listening, temporary() as folder:
        port = listening.getsockname()[1]
        server = Server(options, folder)
        try:
            config = uvicorn.Config(
                application(server, port),
                access_log=False,  # addresses hold the token and the IDs of clips
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=_PATIENCE_S,
            )
            say(address(options, port))
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            server.close()


def address(options: Options, port: int) -> str:
    """Return the address to open, with the token if there is one.

    >>> from pathlib import Path
    >>> address(Options(Path("bundle")), 8765)
    'http://127.0.0.1:8765/'
    """
    host = f"[{options.host}]" if ":" in options.host else options.host
    if host in ("0.0.0.0", "[::]"):
        host = socket.gethostname()
    token = "" if options.token is None else f"?token={options.token}"
    return f"http://{host}:{port}/{token}"


def _listening(options: Options) -> socket.socket:
    try:
        family, kind, *_, where = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen()  # so that the address, once it is said, can be opened
    except OSError as error:
        raise ConfigError(
            f"--host {options.host} --port {options.port}: {error.strerror}. Stop what listens "
            f"there, or name another port; 0 takes a free one."
        ) from None
    return listening


def _end(number: int, frame: Any) -> None:
    sys.exit(128 + number)
