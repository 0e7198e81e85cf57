"""Shards: which sets are joined, which refused, and what several writers at once leave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from avfusion.cli import main
from avfusion.config.jobs import EncoderSettings, EncodersSettings, JobSettings, MediaJobSettings
from avfusion.config.sections import MediaSettings
from avfusion.errors import AvfError
from avfusion.io.atomic import file_digest
from avfusion.io.shards import claimed, deal, join, shard_path, write_table
from avfusion.layout import Layout
from support import odd_videos
from support import synthetic_media as media

VIDEOS = [f"v{number}" for number in range(5)]


def write(folder: Path, count: int, videos=VIDEOS, rows: int = 7, only=None) -> None:
    """A set of shards, or those of it that are named."""
    table = pd.DataFrame({"video": videos, "status": "ok", "reason": None, "rows": rows})
    for number in range(count):
        if only is None or number in only:
            write_table(deal(table, (number, count)), shard_path(folder, (number, count)))


def test_a_complete_set_is_joined_beside_an_incomplete_one(tmp_path):
    write(tmp_path, 3)
    write(tmp_path, 2, rows=9, only=[1])
    assert join(tmp_path)["rows"].tolist() == [7] * 5
    assert pd.read_parquet(tmp_path / "index.parquet")["video"].tolist() == VIDEOS


def test_sets_that_say_the_same_are_one(tmp_path):
    for count in (1, 2, 12):
        write(tmp_path, count)
    assert len(join(tmp_path)) == 5


def test_of_sets_that_differ_the_named_one_is_taken_whatever_the_dates(tmp_path):
    write(tmp_path, 2, rows=7)
    write(tmp_path, 1, rows=9)
    for newest in (shard_path(tmp_path, (1, 2)), shard_path(tmp_path, (0, 1))):
        os.utime(newest)
        with pytest.raises(AvfError, match=r"of 1 and of 2 differ.*--shards 2.*rm .*of-1"):
            join(tmp_path)
        assert join(tmp_path, 2)["rows"].tolist() == [7] * 5
        assert join(tmp_path, 1)["rows"].tolist() == [9] * 5


def test_a_named_set_that_is_not_whole_is_refused(tmp_path, capsys):
    write(tmp_path, 1)
    write(tmp_path, 4, only=[0, 2])
    assert main(["index", str(tmp_path), "--shards", "4"]) == 1
    said = capsys.readouterr().err
    assert "not all of 4 shards; there are 1 of 1, 2 of 4" in said
    assert not (tmp_path / "index.parquet").exists()


@pytest.mark.parametrize("later", [[*VIDEOS, *"abcd"], ["new", *VIDEOS]])
def test_shards_dealt_from_different_manifests_are_not_mixed(tmp_path, later):
    write(tmp_path, 2)
    write(tmp_path, 2, videos=later, only=[1])
    with pytest.raises(AvfError, match=r"different lists of videos.*rm .*shard-\*-of-2"):
        join(tmp_path, 2)


def test_a_shard_is_written_by_one_process_at_a_time(tmp_path, capsys):
    layout = media.make_corpus(tmp_path, {"test": 2}, seconds=2)
    words = ["encode", "tiny", "face_expression", "--results", str(tmp_path)]
    words += ["--settings", settings_file(tmp_path, expression()), "--shard"]
    with claimed(layout.features("tiny", "face_expression"), (0, 2)):
        assert main([*words, "0/2"]) == 1
        assert "shard-0-of-2: another process is writing it" in capsys.readouterr().err
        assert main([*words, "1/2"]) == 0
    assert main([*words, "0/2"]) == 0


def test_fits_in_one_job_have_the_bytes_of_a_job_each(tmp_path):
    fits = [
        media.settings("mel_cnn", epochs=1, seed=seed).updated(encoder=name)
        for name, seed in (("mel_cnn", 0), ("mel_cnn-fit1", 1))
    ]
    names = [fit.encoder for fit in fits]
    for place, groups in (("together", [fits]), ("apart", [[fit] for fit in fits])):
        layout = media.make_corpus(tmp_path / place, {"train": 2, "validation": 1}, seconds=3)
        for group in groups:
            file = settings_file(tmp_path, EncodersSettings(encoders=group))
            rest = ["--results", str(layout.results), "--settings", file]
            listed = [fit.encoder for fit in group]
            assert main(["fit-encoder", "tiny", *listed, *rest]) == 0
            assert main(["encode", "tiny", *listed, *rest]) == 0
        folders = [str(layout.features("tiny", name)) for name in names]
        assert main(["index", *folders, "--shards", "1"]) == 0
    for part in ("features/tiny", "encoders/tiny"):
        together, apart = (content(tmp_path / place / part) for place in ("together", "apart"))
        assert together == apart
        assert {name.split("/")[0] for name in apart} == set(names)
    weights = [(tmp_path / f"apart/encoders/tiny/{n}/best.safetensors").read_bytes() for n in names]
    assert weights[0] != weights[1]


def test_encoders_of_a_file_are_those_that_the_command_names(tmp_path, capsys):
    file = settings_file(tmp_path, EncodersSettings(encoders=[expression()]))
    words = ["encode", "tiny", "face_expression", "mel_cnn", "--results", str(tmp_path)]
    assert main([*words, "--settings", file]) == 1
    said = capsys.readouterr().err
    assert (
        "settings of encoder 'face_expression', but the command names 'face_expression' 'mel_cnn'"
        in said
    )


def expression() -> EncoderSettings:
    return media.settings("face_expression")


def settings_file(folder: Path, settings: JobSettings) -> str:
    """The file of a job's settings, as the workflow writes it."""
    path = folder / "job.json"
    path.write_text(json.dumps(settings.document()))
    return str(path)


def at_once(results: Path, settings: JobSettings, *commands: str) -> list[int]:
    """Exit codes of `avf` commands that were started together."""
    rest = ["--results", str(results), "--settings", settings_file(results, settings)]
    env = {**os.environ, "AVF_DEVICE": "cpu"}
    running = [
        subprocess.Popen([sys.executable, "-m", "avfusion.cli", *words.split(), *rest], env=env)
        for words in commands
    ]
    return [job.wait() for job in running]


def content(folder: Path) -> dict[str, bytes]:
    """Digest of every file that is not a shard's table or a lock."""
    files = (path for path in folder.rglob("*") if path.is_file())
    mine = (p for p in files if not p.name.startswith("shard-") and not p.name.endswith(".lock"))
    return {str(path.relative_to(folder)): file_digest(path) for path in mine}


@pytest.mark.slow
def test_encoding_by_several_processes_at_once_leaves_what_one_leaves(tmp_path):
    """Two shards of two, and next to them a third process that encodes all of it."""
    found = {}
    for name, shards in (("one", ["0/1"]), ("many", ["0/2", "1/2", "0/1"])):
        layout = media.make_corpus(tmp_path / name, {"train": 3, "test": 2}, seconds=3)
        commands = [f"encode tiny face_expression --shard {shard}" for shard in shards]
        assert at_once(layout.results, expression(), *commands) == [0] * len(shards)
        folder = layout.features("tiny", "face_expression")
        for count in {int(shard[-1]) for shard in shards}:
            assert (join(folder, count)["status"] == "ok").all()
        found[name] = content(folder)
    assert found["many"] == found["one"]


@pytest.mark.slow
def test_reading_videos_by_several_processes_at_once_leaves_what_one_leaves(tmp_path):
    for number in range(4):
        odd_videos.write(tmp_path / f"{number}.mp4", odd_videos.pictures(20 + number))
    rows = [(f"v{n}", f"{n}.mp4", file_digest(tmp_path / f"{n}.mp4").hex()) for n in range(4)]
    settings, found = MediaJobSettings(root=tmp_path, media=MediaSettings()), {}
    for name, shards in (("one", ["0/1"]), ("many", ["0/2", "1/2", "0/1"])):
        layout = Layout(tmp_path / name)
        layout.manifest("c").parent.mkdir(parents=True)
        manifest = pd.DataFrame(rows, columns=["video", "path", "sha256"])
        manifest.to_parquet(layout.manifest("c"))
        commands = [f"media c --shard {shard}" for shard in shards]
        assert at_once(layout.results, settings, *commands) == [0] * len(shards)
        for count in {int(shard[-1]) for shard in shards}:
            assert (join(layout.media("c"), count)["status"] == "ok").all()
        found[name] = content(layout.media("c"))
        assert not list(layout.media("c").glob("*.half*"))
    assert found["many"] == found["one"]
