"""Which files of a copied study are taken over, and which are stale and why."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from avfusion.errors import DamagedError
from avfusion.layout import Layout
from avfusion.lineage import jobs
from avfusion.lineage.adoption import ABSENT, MATCHES, STALE, judge, to_force
from avfusion.lineage.jobs import Job

SOURCE, MIDDLE, END = "source.csv", "results/middle.parquet", "results/end.csv"
PLAN = [
    Job("encode", "avf encode", {"settings": "s.1.json"}, [SOURCE], [MIDDLE]),
    Job("score", "avf score", {"settings": "t.1.json", "code": "c1"}, [MIDDLE], [END]),
]


@pytest.fixture
def layout(tmp_path, monkeypatch):
    """Two finished, recorded jobs in a chain."""
    monkeypatch.chdir(tmp_path)
    layout = Layout(Path("results"))
    layout.results.mkdir()
    finish("one")
    assert jobs.add(PLAN, layout) == 2
    return layout


def finish(text):
    """Write the files of both jobs in the order of their making."""
    for second, path in enumerate((SOURCE, MIDDLE, END)):
        Path(path).write_text(f"{text} {path}")
        os.utime(path, (1e9 + second, 1e9 + second))


def states(layout, plan=PLAN):
    return [(v.state, v.reason) for v in judge(plan, jobs.read(layout), layout)]


def only(layout, plan=PLAN):
    return [state for state, _ in states(layout, plan)]


def test_dates_do_not_matter(layout):
    for path in (END, MIDDLE, SOURCE):
        os.utime(path)
    assert only(layout) == [MATCHES, MATCHES]


def test_recording_again_adds_nothing(layout):
    assert jobs.add(PLAN, layout) == 0


@pytest.mark.parametrize(
    ("path", "found"),
    [(SOURCE, [STALE, STALE]), (MIDDLE, [STALE, STALE]), (END, [MATCHES, STALE])],
)
def test_a_changed_file_and_what_follows_from_it_are_stale(layout, path, found):
    Path(path).write_text("edited")
    assert only(layout) == found
    stale = [reason for state, reason in states(layout) if state == STALE]
    assert path in stale[0]
    assert len(to_force(judge(PLAN, jobs.read(layout), layout))) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"params": {"settings": "t.2.json", "code": "c1"}}, "other settings"),
        ({"params": {"settings": "t.1.json", "code": "c2"}}, "other code"),
        ({"command": "avf score --all"}, "another command"),
        ({"inputs": [MIDDLE, SOURCE]}, "other inputs"),
        ({"outputs": [END, "results/more.csv"]}, "other outputs"),
    ],
)
def test_files_of_other_settings_or_code_are_stale(layout, change, reason):
    plan = [PLAN[0], replace(PLAN[1], **change)]
    assert only(layout, plan) == [MATCHES, STALE]
    assert reason in states(layout, plan)[1][1]


def test_the_settings_that_differ_are_named_where_their_files_are_there(layout):
    Path("t.1.json").write_text('{"train": {"lr": 0.1, "epochs": 2}}')
    Path("t.2.json").write_text('{"train": {"lr": 0.2, "epochs": 2}}')
    plan = [PLAN[0], replace(PLAN[1], params={"settings": "t.2.json", "code": "c1"})]
    assert states(layout, plan)[1][1] == "made with other settings: train.lr"


def test_what_was_not_fetched_is_absent_and_later_files_still_match(layout):
    Path(MIDDLE).unlink()
    assert only(layout) == [ABSENT, MATCHES]
    Path(SOURCE).write_text("edited")
    assert only(layout) == [STALE, STALE]


def test_a_file_without_a_record_is_stale(layout):
    Path("results/new.csv").write_text("new")
    new = Job("new", "avf new", {}, [], ["results/new.csv"])
    assert states(layout, [*PLAN, new])[2] == (STALE, "no record of how it was made")


def test_what_a_machine_says_of_its_mlflow_store_may_differ(layout):
    stamp = Path("results/mlflow.demo.json")
    stamp.write_text("{}")
    plan = [*PLAN, Job("record", "avf record", {}, [END], [str(stamp)])]
    assert jobs.add(plan, layout) == 1
    stamp.write_text('{"new": 3}')
    assert only(layout, plan) == [MATCHES] * 3
    assert jobs.add(plan, layout) == 0
    stamp.unlink()
    assert only(layout, plan) == [MATCHES, MATCHES, ABSENT]


def test_both_branches_of_a_folder_are_known(layout):
    finish("two")
    assert only(layout) == [STALE, STALE]
    jobs.add(PLAN, layout)
    assert only(layout) == [MATCHES, MATCHES]
    finish("one")
    assert only(layout) == [MATCHES, MATCHES]


def test_a_job_with_a_newer_input_is_not_recorded(layout):
    finish("two")
    os.utime(SOURCE)
    assert jobs.add(PLAN, layout) == 1, "only the job whose input is older"


def test_edited_records_are_refused(layout):
    path = layout.jobs
    path.write_text(path.read_text().replace("avf score", "avf other"))
    with pytest.raises(DamagedError, match="seal does not match"):
        jobs.read(layout)


def test_no_more_than_some_records_are_kept(layout):
    for number in range(2 * jobs.KEPT):
        finish(str(number))
        jobs.add(PLAN, layout)
    assert len(jobs.read(layout)) == 2 * jobs.KEPT
    assert only(layout) == [MATCHES, MATCHES]


def test_damaged_records_are_kept_aside(layout, caplog):
    layout.jobs.write_text("{")
    assert jobs.add(PLAN, layout) == 2
    assert layout.jobs.with_suffix(".damaged.json").read_text() == "{"
    assert "jobs.damaged.json" in caplog.text


def test_where_a_corpus_lies_is_no_part_of_its_records(layout):
    paths = []
    for number, root in enumerate(("/data/recola", "/scratch/recola")):
        path = layout.results / f"settings/verify/recola.{number}0000000.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"root": root, "options": {}}))
        paths.append(jobs.without_root(str(path)))
    assert paths[0] == paths[1]
    assert "root" not in json.loads(Path(paths[0]).read_text())
    plain = layout.results / "settings/train.0.json"
    plain.write_text(json.dumps({"lr": 0.1}))
    assert jobs.without_root(str(plain)) == str(plain)


@pytest.mark.parametrize(
    "document",
    [
        {"encoders": {"mel_cnn": {"dim": 8}}, "corpora": {"demo": {"root": "/data/demo"}}},
        {"encoders": [{"name": "mel_cnn", "root": "/data/demo"}], "root": "/data/demo"},
        {"corpora": ["demo"], "encoders": ["mel_cnn"], "lr": 0.1},
        {"corpora": {}, "encoders": None},
    ],
    ids=["of a report", "of encoders", "lists of names", "nothing"],
)
def test_settings_of_every_form_lose_their_roots_only(layout, document):
    path = layout.results / "settings/report/study.00000000.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
    kept = Path(jobs.without_root(str(path))).read_text()
    assert "/data/demo" not in kept
    assert "root" not in kept
    assert ("mel_cnn" in kept) == ("mel_cnn" in str(document))
