"""A real `avf serve` in a process of its own, and a browser's part of its protocol."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

PATIENCE_S = 300


class User:
    """What one browser sends: its cookies, and the address as origin."""

    def __init__(self, address: str) -> None:
        self.address = address.partition("?")[0].rstrip("/")
        self.session = requests.Session()
        self.session.headers["Origin"] = self.address
        assert self.session.get(address, timeout=60).ok

    def ask(self, method: str, path: str, **given: Any) -> requests.Response:
        return self.session.request(method, self.address + path, timeout=120, **given)

    def announce(self, name: str, size: int, **options: Any) -> requests.Response:
        return self.ask("POST", "/clips", json={"name": name, "size": size, **options})

    def send(self, number: str, data: Any) -> requests.Response:
        return self.ask("POST", f"/clips/{number}/file", data=data)

    def upload(self, path: Path, **options: Any) -> str:
        """Announce and send a file; returns the ID of the clip."""
        announced = self.announce(path.name, path.stat().st_size, **options)
        assert announced.status_code == 201, announced.text
        number = announced.json()["id"]
        with path.open("rb") as file:
            self.send(number, file)
        return number

    def state(self, number: str) -> dict[str, Any]:
        return self.ask("GET", f"/clips/{number}").json()

    def ended(self, number: str) -> dict[str, Any]:
        """Wait until a clip is done or failed."""
        end = time.monotonic() + PATIENCE_S
        while (state := self.state(number))["phase"] not in ("done", "failed"):
            assert time.monotonic() < end, state
            time.sleep(0.1)
        return state


@contextmanager
def serving(
    bundle: Path, temporary: Path, *words: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Address and process; its temporary files lie in `temporary`."""
    temporary.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "avfusion.cli", "serve", "--model", str(bundle), "--port", "0"]
    env = {**os.environ, "TMPDIR": str(temporary)}
    running = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True, env=env)
    assert running.stdout is not None
    try:
        address = running.stdout.readline().strip()
        assert address.startswith("http"), address
        yield address, running
    finally:
        running.terminate()
        running.wait(60)
        running.stdout.close()


def left(temporary: Path) -> list[str]:
    """Names of the folders of servers."""
    return sorted(path.name for path in temporary.glob("avf-serve-*"))
