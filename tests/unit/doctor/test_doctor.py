"""The doctor names what is missing and the command that mends it, and nothing that is not so."""

import hashlib
import shutil
import time
import wave
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from avfusion import cli
from avfusion.config.study import Study
from avfusion.doctor import machine, media
from avfusion.layout import Layout
from avfusion.registry import corpora
from support import odd_sounds


@pytest.fixture
def place(tmp_path, monkeypatch, project):
    """A folder with this project's config, and no lock."""
    shutil.copytree(project / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def findings(place, what):
    found = machine.examine(place / "config/config.yaml")
    return [finding for finding in found if finding.what.startswith(what)]


def test_a_healthy_place_has_nothing_missing(monkeypatch, project, capsys):
    monkeypatch.chdir(project)
    assert cli.main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "MISSING" not in printed
    for what in ("python", "packages", "weights", "config", "corpus", "cores", "disk", "gpu"):
        assert what in printed


def test_a_package_of_another_version_is_a_warning_with_its_command(place):
    (place / "envs").mkdir()
    (place / "envs/requirements.txt").write_text("numpy==0.1 \\\n    --hash=sha256:0\n")
    (finding,) = findings(place, "packages")
    assert (finding.verdict, finding.remedy) == ("WARN", "make env")
    assert "numpy" in finding.text
    assert "locked: 0.1" in finding.text


def test_an_entry_for_another_machine_is_not_missed(place):
    (place / "envs").mkdir()
    lock = "pywin32==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:0\n"
    (place / "envs/requirements.txt").write_text(lock)
    assert findings(place, "packages")[0].verdict == "OK"


def test_a_faulty_config_is_missing_and_told_line_by_line(place):
    path = place / "config/config.yaml"
    path.write_text(path.read_text().replace("\nseeds:", "\nsedes:"))
    (finding,) = findings(place, "config")
    assert finding.verdict == "MISSING"
    assert "Did you mean 'seeds'?" in finding.text
    assert cli.main(["doctor"]) == 1


def test_a_corpus_that_cannot_be_made_is_missing_with_where_to_put_it(place, monkeypatch):
    monkeypatch.setattr(corpora, "defines", lambda name, method: False)
    (finding,) = findings(place, "corpus")
    assert finding.verdict == "MISSING"
    assert "data/demo" in finding.remedy


def test_damaged_weights_are_told_from_whole_ones(place, monkeypatch, project):
    package = place / "avfusion"
    folder = package / "media" / "weights"
    shutil.copytree(project / "src/avfusion/media/weights", folder)
    monkeypatch.setattr(machine, "PACKAGE", package)
    paths = sorted(folder.glob("*.onnx"))
    assert [f.verdict for f in machine._weights()] == ["OK"] * len(paths)
    paths[0].write_bytes(paths[0].read_bytes()[:-1])
    finding, *others = machine._weights()
    assert finding.verdict == "MISSING"
    assert all(other.verdict == "OK" for other in others)
    assert finding.remedy.startswith("git checkout -- ")


@pytest.fixture
def cluster(place, monkeypatch, project):
    """The place on a cluster; sinfo prints what the test gives."""
    (place / "slurm").mkdir()
    shutil.copy(project / "slurm/config.v9+.yaml", place / "slurm")
    tools = place / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")

    def has(sinfo):
        for name, says in [("sbatch", ""), ("sinfo", sinfo)]:
            (tools / name).write_text(f"#!/bin/sh\nprintf '{says}'\n")
            (tools / name).chmod(0o755)
        return findings(place, "slurm")

    return has


def test_a_profile_that_names_foreign_partitions_is_a_warning(cluster):
    (finding,) = cluster("batch* (null)\\ngpu gpu:2\\n")
    assert finding.verdict == "WARN"
    assert "asks for cpu; this cluster has batch, gpu" in finding.text
    assert finding.remedy == "edit slurm/config.v9+.yaml"


def test_a_profile_that_asks_for_gpus_where_none_are_is_a_warning(cluster):
    (finding,) = cluster("cpu* (null)\\ngpu (null)\\n")
    assert finding.verdict == "WARN"
    assert (
        "GPUs in gpu, which has none; no partition has: set `&gpu {slurm_partition: NAME}`"
        in finding.text
    )
    assert cluster("cpu* (null)\\ngpu (null)\\ngpu gpu:a100:4(S:0)\\n")[0].verdict == "OK"


def test_the_doctor_does_not_wait_for_a_tool_that_hangs(monkeypatch, tmp_path):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    before = time.monotonic()
    assert "none seen" in machine._gpu().text
    assert time.monotonic() - before < 60


def test_word_vectors_are_looked_for_where_the_study_says(place):
    path, config = place / "v.txt", place / "config/config.yaml"
    study = "corpora: {demo: {root: data/demo}}\nfusions: {text: {}}\n"
    study += "features: {text: [word_vectors]}\n"
    own = "encoders: {{word_vectors: {{path: {}, sha256: '{}'}}}}\n"
    config.write_text(study + own.format(path, "0" * 64))
    (absent,) = findings(place, "vectors")
    assert absent.verdict == "MISSING"
    assert absent.remedy.startswith("Put it there")
    path.write_text("good 1 2\n")
    (other,) = findings(place, "vectors")
    assert (other.verdict, "another SHA-256" in other.text) == ("MISSING", True)
    config.write_text(study + own.format(path, hashlib.sha256(path.read_bytes()).hexdigest()))
    (whole,) = findings(place, "vectors")
    assert whole.verdict == "OK"


def test_code_from_outside_the_package_is_listed(place, monkeypatch):
    (place / "lab_doctor.py").write_text(
        "from avfusion.fusion.concat import Concat\n\n\nclass Wide(Concat):\n    pass\n"
    )
    monkeypatch.syspath_prepend(place)
    study = "corpora: {demo: {root: data/demo}}\nfusions: {mine: {is: 'lab_doctor:Wide'}}\n"
    (place / "config/config.yaml").write_text(study)
    (finding,) = findings(place, "outside")
    assert finding.verdict == "OK"
    assert finding.text.startswith("fusion mine = lab_doctor:Wide ")


@pytest.mark.parametrize(
    ("schedule", "patience", "warned"),
    [
        ("{is: plateau, patience: 10}", 10, True),
        ("{is: plateau, patience: 9}", 10, True),
        ("{is: plateau, patience: 8}", 10, False),
        ("{is: plateau, patience: 10, on: loss}", 10, False),
        ("{is: cosine}", 1, False),
    ],
)
def test_a_plateau_that_early_stopping_comes_before_is_a_warning(place, schedule, patience, warned):
    """The rate falls after one epoch more than the plateau's patience; see SelfCrossAttn."""
    path = place / "config/config.yaml"
    study = yaml.safe_load(path.read_text())
    study["train"] = {"schedule": yaml.safe_load(schedule), "patience": patience}
    path.write_text(yaml.safe_dump(study))
    found = findings(place, "training")
    assert [finding.verdict for finding in found] == ["WARN"] * warned
    if warned:
        assert "early stopping comes before the plateau can act" in found[0].text
        assert found[0].remedy == "set train.schedule.patience below 9, or raise train.patience"


def test_the_size_of_the_media_stage_is_stated_next_to_the_free_disk(tmp_path, monkeypatch):
    root = tmp_path / "videos"
    root.mkdir()
    for number in range(3):
        odd_sounds.write(root / f"{number}.mkv", [np.zeros(16_000, "f4")], 16_000, frames=25)
    entry = {"is": "own", "root": str(root)}
    corpora = {"one": entry, "two": entry}  # of one folder, so their records are shared
    study = Study(corpora=corpora, fusions={"ca": {}}, results=str(tmp_path / "results"))
    (finding,) = media.findings(study)
    assert "0.00083 h of recordings" in str(finding)  # 3 s
    assert str(finding).startswith("OK")
    sound, _ = media.bytes_per_hour(study)
    assert sound == pytest.approx(115e6, rel=0.01)
    monkeypatch.setattr(media.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    (finding,) = media.findings(study)
    assert "larger disk" in str(finding)


def test_the_size_counts_a_file_once_per_row(tmp_path, monkeypatch):
    """Two records are written of a file that is listed as left and right."""
    root = tmp_path / "videos"
    root.mkdir()
    for name, seconds in (("a", 1), ("b", 3)):
        sound = np.zeros(seconds * 16_000, "f4")
        odd_sounds.write(root / f"{name}.mkv", [sound], 16_000, frames=25 * seconds)
    corpora = {"one": {"is": "own", "root": str(root)}}
    study = Study(corpora=corpora, fusions={"ca": {}}, results=str(tmp_path / "results"))
    path = Layout(tmp_path / "results").manifest("one")
    path.parent.mkdir(parents=True)
    rows = pd.DataFrame({"path": ["a.mkv", "b.mkv", "b.mkv", "gone.mkv"]})
    rows.to_parquet(path)
    assert media.hours_here(study)[str(root)].shown * 3600 == pytest.approx(7, rel=0.02)
    opened = []
    monkeypatch.setattr(media, "_OPENED", 1)
    monkeypatch.setattr(media, "_length_s", lambda path: opened.append(path) or 2.0)
    size = {name: (root / f"{name}.mkv").stat().st_size for name in "ab"}
    expected_s = 2.0 * (size["a"] + 2 * size["b"]) / size["a"]
    assert media.hours_here(study)[str(root)].shown * 3600 == pytest.approx(expected_s)
    assert opened == [root / "a.mkv"]


def test_the_size_counts_recordings_without_pictures(tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for number in range(3):
        with wave.open(str(sounds / f"{number}.WAV"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(bytes(32_000))
    corpora = {"one": {"is": "own", "root": str(sounds)}}
    study = Study(corpora=corpora, fusions={"ca": {}}, results=str(tmp_path / "results"))
    (finding,) = media.findings(study)
    assert "0.00083 h of recordings" in str(finding)
    assert "faces up to 0)" in str(finding)


def test_a_face_network_that_cannot_be_used_is_found_before_the_study_runs(tmp_path):
    path = tmp_path / "sface.onnx"
    section = {"face_embedding": {"path": str(path), "sha256": "0" * 64}}
    corpora = {"one": {"is": "own", "root": str(tmp_path / "absent")}}
    changes = {"media": section, "fusions": {"ca": {}}}
    study = Study(corpora=corpora, results=str(tmp_path / "results"), **changes)
    (finding,) = media.findings(study)
    assert (finding.verdict, finding.what) == ("MISSING", "media")
    assert "no such file" in finding.text
    path.write_bytes(b"x")
    (finding,) = media.findings(study)
    assert "SHA-256 is" in finding.text


@pytest.mark.parametrize(
    ("train", "warned"),
    [
        ("{epochs: 6, schedule: {is: step, factor: 0.8, every: 2, after: 4}}", "from epoch 6 on"),
        ("{epochs: 7, schedule: {is: step, factor: 0.8, every: 2, after: 4}}", ""),
        ("{epochs: 6, schedule: {is: step, factor: 0.8, every: 2, after: 4, lr: 1}}", ""),
        ("{epochs: 6, schedule: {is: exponential, factor: 0.8, after: 5}}", "from epoch 6 on"),
        ("{epochs: 6, schedule: {is: exponential, factor: 0.8, after: 4}}", ""),
        ("{epochs: 6, schedule: {is: plateau, patience: 4}}", "from epoch 6 on"),
        ("{epochs: 7, schedule: {is: plateau, patience: 4}}", ""),
        ("{epochs: 6, schedule: {is: cosine, warmup: {epochs: 6}}}", "lasts 6 epochs"),
        ("{epochs: 6, schedule: {is: cosine, warmup: {epochs: 5}}}", ""),
        ("{limit: 3.0, standardise: none}", "train.limit: 3.0 has no effect with train.standard"),
        ("{limit: 3.0}", ""),
        ("{select: {share: 0.3}}", "train.select.share: 0.3 has no effect with train.select.on"),
        ("{select: {share: 0.3, on: train_subjects}}", ""),
        ("{hidden: 64, head: rjcma}", "train.hidden: 64 has no effect with train.head: rjcma"),
        ("{dropout: 0.3, head: separate}", ""),
    ],
)
def test_a_training_setting_that_cannot_act_is_a_warning(place, train, warned):
    path = place / "config/config.yaml"
    study = yaml.safe_load(path.read_text()) | {"train": yaml.safe_load(train)}
    path.write_text(yaml.safe_dump(study))
    found = findings(place, "training")
    assert [finding.verdict for finding in found] == ["WARN"] * bool(warned)
    assert all(warned in finding.text for finding in found)


def test_an_unknown_edition_fails_and_a_missing_licensed_corpus_is_a_warning(place):
    path = place / "config/config.yaml"
    raw = yaml.safe_load(path.read_text())
    entry = {"root": "data/none", "if_present": True, "options": {"edition": "abaw9"}}
    raw["corpora"] = {**raw["corpora"], "affwild2": entry}
    path.write_text(yaml.safe_dump(raw))
    found = {finding.verdict: finding for finding in findings(place, "corpus")}
    assert "no edition 'abaw9'" in found["FAIL"].text
    assert (found["WARN"].remedy, "left out" in found["WARN"].text) == ("avf obtain affwild2", True)
    assert cli.main(["doctor"]) == 1
