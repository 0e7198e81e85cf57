"""Files of a clip: their names, and the JSON file that marks a complete set."""

import json
import math
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avfusion.errors import AvfError
from avfusion.prediction.formats.catalogue import FORMATS
from avfusion.prediction.formats.names import stem_of
from avfusion.prediction.formats.write import write
from avfusion.prediction.prediction import Doubt
from support.synthetic_predictions import clip, predict

NAMES = {
    '"><script>alert(1)</script>.mp4': '"><script>alert(1)<_script>',
    "it's 5 o'clock.mov": "it's 5 o'clock",
    "Gefühl – 情.mp4": "Gefühl – 情",
    "-rf.mp4": "_-rf",
    ".hidden.mp4": "_.hidden",
    "..": "_..",
    "two\nlines.mp4": "two_lines",
    "talk.2.mp4": "talk.2",
}


@pytest.mark.parametrize(("name", "stem"), NAMES.items())
def test_files_are_named_after_the_clip(tmp_path, name, stem):
    prediction = predict(tmp_path / "x.mp4")
    prediction.clip["name"] = name
    files = write(prediction, tmp_path / "out", ["csv", "vtt"])
    assert [file.name for file in files] == [f"{stem}.csv", f"{stem}.vtt", f"{stem}.json"]
    assert all(file.is_file() for file in files)


def test_a_long_name_is_cut_and_stays_different_from_others(tmp_path):
    stems = set()
    for last in "ab":
        prediction = predict(tmp_path / "x.mp4")
        prediction.clip["name"] = "情" * 84 + last + ".mp4"  # 257 bytes
        prediction.clip.update(path=f"/{last}", sha256=last)
        files = write(prediction, tmp_path, ["csv", "parquet", "png"])
        stems.add(files[0].stem)
    assert len(stems) == 2


@given(st.text(min_size=1))
def test_any_name_gives_a_name_that_a_folder_can_hold(name):
    stem = stem_of(name)
    assert stem
    assert stem[0] not in "-."
    assert not re.search(r"[/\\\x00-\x1f]", stem)
    assert len(stem.encode(errors="surrogateescape")) <= 180


def test_the_json_file_says_what_the_numbers_are(tmp_path):
    prediction = predict(tmp_path / "talk.mp4", persons=2, level=0.9)
    facts = json.loads(write(prediction, tmp_path, ["csv"])[-1].read_text())
    assert facts["targets"][0] == {"name": "valence", "low": -1.0, "high": 1.0}
    assert facts["columns"]["valence_low"]["range"] == [-1.0, 1.0]
    assert facts["columns"]["voiced"]["meaning"] == "Probability of speech, 0 to 1."
    assert list(facts["columns"]) == list(prediction.table.columns)
    assert "90 %" in facts["interval"]
    assert facts["doubts"][1] == {
        "start_s": 1.5, "end_s": 2.5, "reason": "two people speak", "track_id": None,
    }  # fmt: skip
    assert facts["persons"] == [0, 1]
    assert (facts["key"], facts["bundle"], facts["clip"], facts["remarks"], facts["options"]) == (
        "k1", prediction.bundle, prediction.clip, prediction.remarks, prediction.options,
    )  # fmt: skip


def test_the_json_file_is_strict_json_whatever_the_prediction_holds(tmp_path):
    doubts = [Doubt(0.0, math.nan, "no \udcff face")]
    prediction = predict(tmp_path / "talk.mp4", doubts=doubts, options={"a": {1, 2}})

    def refuse(word):
        raise AssertionError(word)

    text = write(prediction, tmp_path, ["csv"])[-1].read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=refuse)["doubts"][0]["end_s"] is None


def test_an_interrupted_call_leaves_no_json_file(tmp_path, monkeypatch):
    write(predict(tmp_path / "talk.mp4"), tmp_path, ["csv"])
    monkeypatch.setitem(FORMATS, "parquet", FORMATS["parquet"]._replace(writer="tables:absent"))
    with pytest.raises(AttributeError):
        write(predict(tmp_path / "talk.mp4"), tmp_path, ["csv", "parquet"])
    assert (tmp_path / "talk.csv").is_file()
    assert not (tmp_path / "talk.json").exists()


def test_the_json_file_lists_files_of_the_same_prediction_only(tmp_path):
    def listed(formats, **changes):
        files = write(predict(tmp_path / "talk.mp4", **changes), tmp_path, formats)
        return json.loads(files[-1].read_text())["files"]

    assert listed(["csv", "vtt"]) == ["talk.csv", "talk.vtt"]
    assert listed(["parquet"]) == ["talk.csv", "talk.vtt", "talk.parquet"]
    (tmp_path / "talk.vtt").unlink()
    assert listed(["csv"]) == ["talk.csv", "talk.parquet"]
    assert listed(["csv"], key="other") == ["talk.csv"]


def test_another_clip_of_the_same_name_is_refused(tmp_path):
    write(predict(tmp_path / "a" / "talk.mp4"), tmp_path, ["csv"])
    other = predict(tmp_path / "b" / "talk.mp4")
    other.clip["sha256"] = "1" * 64
    with pytest.raises(AvfError, match=r"another clip, .*a/talk.mp4.*Write to another folder"):
        write(other, tmp_path, ["csv"])
    assert (tmp_path / "talk.json").is_file()


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(AvfError, match="Did you mean 'parquet'"):
        write(predict(tmp_path / "talk.mp4"), tmp_path / "out", ["csv", "parquett"])
    assert not (tmp_path / "out").exists()


def test_nothing_large_is_imported_before_it_is_used(project):
    code = (
        "import sys, avfusion.prediction.formats.write\n"
        "large = {'matplotlib', 'audformat', 'pympi', 'jinja2', 'cv2', 'av', 'torch'}\n"
        "print(sorted(large & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_temporary_file_remains(tmp_path):
    path = clip(tmp_path / "clips", seconds=1.0)
    formats = [name for name in FORMATS if name != "audformat"]
    files = write(predict(path, seconds=1.0), tmp_path / "out", formats)
    assert sorted((tmp_path / "out").iterdir()) == sorted(files)
    assert [file.name for file in files] == [
        *(f"talk.{FORMATS[name].ending}" for name in formats), "talk.json",
    ]  # fmt: skip
