"""A bundle opens only if it is whole, and says what it is and whether it may be handed on."""

import json
import shutil

import pandas as pd
import pytest

from avfusion import cli
from avfusion.config.jobs import TrainedSettings
from avfusion.errors import BundleError, CorpusError, DamagedError
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.make import make
from avfusion.prediction.place import NAME
from avfusion.training.checkpoint import load_weights
from support.tiny_bundle import CORPUS, FUSION, tiny_study


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle.folder, tmp_path / "copy")


@pytest.fixture
def remake(place, bundle, tmp_path):
    """Make another bundle of the same runs, with some attributes of their corpus changed."""
    study, layout = tiny_study(place), Layout(place / "results")
    run = layout.run(CORPUS, FUSION, 0)

    def made(runs=None, out=None, **more):
        return make(runs or [run.parent], out or tmp_path / "out", study, layout, **more)

    return made


def test_a_bundle_holds_all_seeds_and_their_encoders(bundle):
    document = bundle.document
    assert [member.seed for member in document.members] == [0, 1]
    assert set(document.encoders) == {"mel_cnn", "face_cnn"}
    assert document.features == {"audio": ["mel_cnn"], "video": ["face_cnn"]}
    assert document.corpus.generated
    assert document.shareable
    assert {score.partition for score in document.scores} == {"validation", "test"}
    coverage = document.calibration.coverage
    assert coverage is not None
    assert coverage.people == 2
    assert all(0 <= share <= 1 for share in coverage.shares.values())
    assert len(bundle.members) == 2
    _, settings = load_weights(bundle.path(document.members[1].weights))
    assert TrainedSettings.model_validate(settings).seed == 1


def test_the_card_says_what_limits_it(bundle):
    card = (bundle.folder / "card.md").read_text()
    for words in ("may be handed on", "Intended use", "validation people", "knows nothing about"):
        assert words in card
    assert "None" not in card
    assert "nan" not in card


def test_no_path_of_this_machine_is_in_a_bundle(bundle, place):
    for path in bundle.folder.rglob("*"):
        if path.is_file():
            assert str(place).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("name", ["members/0.safetensors", "card.md", "check/expected.csv"])
def test_a_changed_file_is_refused_except_the_card(copy, name):
    path = copy / name
    path.write_bytes(path.read_bytes()[:-1] + b"~")
    if name == "card.md":
        assert Bundle.open(copy).document.fusion == FUSION
        return
    with pytest.raises(BundleError, match=f"{path.name}: changed since"):
        Bundle.open(copy)


def test_a_missing_file_is_named(copy):
    (copy / "encoders/mel_cnn/outlook.safetensors").unlink()
    with pytest.raises(BundleError, match=r"outlook.safetensors: missing"):
        Bundle.open(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "schema version 99"),
        ({"members": "none"}, "members: "),
        ({"fusion": 3}, "fusion: "),
    ],
)
def test_another_document_is_refused(copy, change, message):
    path = copy / NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BundleError, match=message):
        Bundle.open(copy)


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x00"])
def test_a_damaged_document_is_refused(copy, text):
    (copy / NAME).write_text(text)
    with pytest.raises(BundleError, match=NAME):
        Bundle.open(copy)


@pytest.mark.parametrize("outside", ["../secret", "/etc/passwd"])
def test_a_file_outside_of_the_bundle_is_refused(copy, outside):
    path = copy / NAME
    document = json.loads(path.read_text())
    document["members"][0]["weights"]["path"] = outside
    path.write_text(json.dumps(document))
    with pytest.raises(BundleError, match="outside of it"):
        Bundle.open(copy)


def name_class(copy, name, where):
    """Let the document or an encoder name a class by its place in code."""
    path = copy / NAME
    document = json.loads(path.read_text())
    if where == "fusion":
        document["class"] = name
    else:
        document["encoders"]["mel_cnn"]["settings"]["class"] = name
        document["encoders"]["mel_cnn"]["settings"]["options"] = {"args": ["touch", "ran"]}
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("where", ["fusion", "encoder"])
def test_a_class_that_no_package_declares_is_refused_before_it_runs(
    copy, where, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    name_class(copy, "subprocess:Popen", where)
    with pytest.raises(BundleError, match=r"subprocess:Popen.*--trust-code"):
        Bundle.open(copy)
    for words in (["predict", "x.mp4", "--model"], ["bundle", "--check"], ["serve", "--model"]):
        assert cli.main([*words, str(copy)]) == 1
        assert "--trust-code" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_class_than_the_bundle_states_are_refused(copy):
    """Else the class in the metadata of weights would be built without a question."""
    name_class(copy, "late", "fusion")
    with pytest.raises(DamagedError, match=f"of class {FUSION}, expected late"):
        _ = Bundle.open(copy).members


def test_runs_of_other_features_than_those_here_are_refused(place, remake, tmp_path):
    """Weights of a fusion and those of an encoder that was fitted again do not belong together."""
    path = Layout(place / "results").features(CORPUS, "mel_cnn") / "index.parquet"
    before = path.read_bytes()
    table = pd.read_parquet(path)
    write_table(table.assign(sha256="0" * 64), path)
    try:
        with pytest.raises(CorpusError, match="trained on features mel_cnn"):
            remake(out=tmp_path / "new")
    finally:
        path.write_bytes(before)


def test_no_bundle_says_how_to_make_one(tmp_path):
    with pytest.raises(BundleError, match=r"no bundle there.*avf bundle"):
        Bundle.open(tmp_path)


def test_the_terms_of_a_corpus_decide_what_may_be_handed_on(remake, monkeypatch, tmp_path):
    from avfusion.corpora.demo.corpus import Demo

    monkeypatch.setattr(Demo, "models", "no")
    monkeypatch.setattr(Demo, "sharing", "Its terms forbid it.")
    with pytest.raises(BundleError, match=r"Its terms forbid it.*scores may be"):
        remake(shareable=True)
    assert not (tmp_path / "out").exists()
    mine = remake()
    assert not mine.document.shareable
    assert "must not be handed on. Its terms forbid it." in (mine.folder / "card.md").read_text()
    monkeypatch.setattr(Demo, "models", "owner")
    assert not remake().document.shareable
    assert remake(shareable=True).document.shareable


def test_runs_that_do_not_belong_together_are_refused(remake, place, tmp_path):
    from avfusion.layout import Layout

    run = Layout(place / "results").run(CORPUS, FUSION, 0)
    with pytest.raises(BundleError, match="not the folder of a run or of a fusion"):
        remake([tmp_path])
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    with pytest.raises(BundleError, match="exists and is no bundle"):
        remake([run], tmp_path / "full")
    assert (tmp_path / "full/file").exists()


def test_one_seed_is_a_bundle_too(remake, place, bundle):
    from avfusion.layout import Layout

    one = remake([Layout(place / "results").run(CORPUS, FUSION, 1)])
    assert [member.seed for member in one.document.members] == [1]
    assert all(interval.floor > 0 for interval in one.document.calibration.intervals.values())


def test_the_check_holds_and_notices_other_predictions(copy, capsys):
    assert cli.main(["bundle", "--check", str(copy)]) == 0
    assert "as expected" in capsys.readouterr().out
    expected = copy / "check/expected.csv"
    lines = expected.read_text().splitlines()
    lines[3] = ",".join([lines[3].split(",")[0], "0.123", "0.456"])
    expected.write_text("\n".join(lines) + "\n")
    document = json.loads((copy / NAME).read_text())
    from avfusion.io.atomic import file_digest

    document["check"]["expected"]["sha256"] = file_digest(expected).hex()
    (copy / NAME).write_text(json.dumps(document))
    assert cli.main(["bundle", "--check", str(copy)]) == 1
    assert "NOT as expected" in capsys.readouterr().out
