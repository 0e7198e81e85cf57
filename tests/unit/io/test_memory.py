"""Freed memory stays in the process."""

import os
import subprocess
import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest

from avfusion import cli

FAULTS = """
import resource, sys
from avfusion.io import memory

kept = memory.keep_freed() if "keep" in sys.argv else None

def step():
    blocks = [bytearray(4 << 20) for _ in range(30)]

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

PAGES = 5 * 30 * (4 << 20) // os.sysconf("SC_PAGE_SIZE")


def ran(*words, **stated):
    """(What `keep_freed` returned, page faults of five steps) in a new process."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, *words],
        capture_output=True,
        text=True,
        check=True,
        env=env | stated,
    )
    kept, faults = done.stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_blocks_that_are_used_again_need_no_new_pages():
    (_, usual), (kept, few) = ran(), ran("keep")
    if kept == "False":
        pytest.skip("another C library than glibc")
    assert few < 0.01 * PAGES
    assert few < 0.1 * usual


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_settings_of_the_user_are_left_as_they_are():
    assert ran("keep", MALLOC_ARENA_MAX="2")[0] == "False"


@pytest.mark.parametrize(("command", "kept"), [("train", 1), ("serve", 0), ("report", 0)])
def test_commands_that_wait_or_read_return_their_memory(monkeypatch, command, kept):
    calls = []
    args = Namespace(command=command, quiet=False, run=lambda args: 0)
    monkeypatch.setattr(cli, "_parser", lambda: SimpleNamespace(parse_args=lambda argv: args))
    monkeypatch.setattr(cli, "_hold", lambda args: None)
    monkeypatch.setattr(cli, "keep_freed", lambda: calls.append(command))
    assert cli.main() == 0
    assert len(calls) == kept
