"""Test that a reading process takes no more memory than its job has."""

import math

import pytest

from avfusion.media.isolate import Reader
from avfusion.media.job_memory import job_mb
from avfusion.media.limits import LEAST_MB, Limits, room_mb
from support import odd_work

GB = 1 << 30


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, math.inf),
        ({"SLURM_MEM_PER_NODE": "2000"}, 2000),
        ({"SLURM_MEM_PER_NODE": "0"}, math.inf),
        ({"SLURM_MEM_PER_CPU": "1500", "SLURM_CPUS_ON_NODE": "2"}, 3000),
        ({"SLURM_MEM_PER_NODE": "many"}, math.inf),
    ],
)
def test_the_scheduler_states_the_memory_of_a_job(tmp_path, variables, expected):
    assert job_mb(variables, tmp_path, tmp_path / "none") == expected


GROUPS = {
    "one": ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": str(3 * GB)}, 3072),
    "root of a container": ("0::/\n", {"memory.max": str(2 * GB)}, 2048),
    "none": ("0::/a\n", {"a/memory.max": "max"}, math.inf),
    "old": (
        "5:cpu:/a\n4:hugetlb,memory:/a\n0::/\n",
        {
            "memory/a/memory.limit_in_bytes": str(GB),
            "memory/memory.limit_in_bytes": "9223372036854771712",
            "cpu/a/memory.limit_in_bytes": "5",
        },
        1024,
    ),
    "old, path outside of the container": (
        "4:memory:/outside\n",
        {"memory/memory.limit_in_bytes": str(GB)},
        1024,
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_least_limit_of_the_groups_counts(tmp_path, name):
    listed, files, expected = GROUPS[name]
    (tmp_path / "own").write_text(listed)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{text}\n")
    assert job_mb({}, tmp_path, tmp_path / "own") == expected


def test_readers_share_what_is_left_and_each_can_read():
    assert room_mb(6144, 5000, 1000, 2) == 2000
    assert room_mb(6144, 2000, 1000, 4) == LEAST_MB
    assert room_mb(6144, math.inf, 1000, 4) == 6144


def test_a_reader_in_a_small_job_has_less_than_by_default(monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1500")
    with Reader(Limits(readers=1), preload=("support.odd_work",)) as reader:
        assert reader.attempt(odd_work.hoard, (), 60) == {"reason": "no memory"}
