"""Settings of published code: every row equals the study, and every setting has a row."""

from pathlib import Path

import pytest

from avfusion.config.load import checked
from avfusion.config.sections import WindowSettings
from avfusion.config.training import TrainSettings
from avfusion.errors import ConfigError
from avfusion.literature import settings
from avfusion.literature.settings import PublishedSetting, resolved, unlisted

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "config/experiments").glob("*_as_published.yaml"))
ROWS = settings.load(ROOT / settings.FILE)
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def rows_of(path):
    return [row for row in ROWS if row.paper == path.stem.removesuffix(settings.SUFFIX)]


def study_of(path):
    study, _ = checked(path)
    assert study is not None
    return study


@each
def test_every_row_equals_the_study_and_no_setting_is_unlisted(path):
    assert unlisted(study_of(path), rows_of(path)) == []


@each
def test_every_key_of_training_and_windows_has_a_stated_value_or_none(path):
    keys = {row.key for row in rows_of(path)}
    for section, model in (("train", TrainSettings), ("windows", WindowSettings)):
        for name in model.model_fields:
            at = f"{section}.{name}"
            assert any(key == at or key.startswith(f"{at}.") for key in keys), at
    for row in rows_of(path):
        assert bool(row.source) == bool(row.kind)
        assert bool(row.kind) == (row.published not in (settings.NOT_STATED, settings.NOT_USED))


@each
def test_settings_are_compared_on_every_corpus_of_the_study(path):
    """Nothing differs between its corpora but the corpora themselves."""
    study = study_of(path)
    for fusion in study.fusions:
        first, *others = (resolved(study, name, fusion) for name in study.corpora)
        for other in others:
            differs = {key for key in first if first[key] != other[key]}
            assert {key.partition(".")[0] for key in differs} <= {"corpus"}


def test_rows_are_of_papers_that_have_a_study():
    assert {row.paper for row in ROWS} == {p.stem.removesuffix(settings.SUFFIX) for p in FILES}


def test_published_values_are_those_of_the_published_code():
    """Facts of the code, written here again and not read from the file."""
    own = {p.stem.removesuffix(settings.SUFFIX): study_of(p) for p in FILES}
    for name, rate, optimiser, epochs, decay in (
        ("fg2021_ca", 1e-4, "adam", 60, 0.0),
        ("cvprw2022_jca", 1e-3, "adam", 30, 0.0),
        ("tbiom2023_jca", 1e-4, "adam", 50, 0.0),
        ("icassp2023_rjca", 1e-4, "adam", 50, 0.0),
        ("icme2024_dca", 3e-4, "adamw", 100, 1e-5),
        ("cvprw2024_rjcma", 1e-5, "adam", 100, 1e-3),
        ("icassp2022_selfcross_arrays", 1e-3, "adam", 60, 0.0),
    ):
        train = own[name].train
        given = train.lr, train.optimiser, train.epochs, train.weight_decay
        assert given == (rate, optimiser, epochs, decay), name
    assert own["tbiom2023_jca"].train.exclude == own["icassp2023_rjca"].train.exclude
    assert len(own["tbiom2023_jca"].train.exclude) == 10
    assert own["icme2024_dca"].train.exclude == []
    for name in ("tbiom2023_jca", "icassp2023_rjca", "icme2024_dca"):
        assert (own[name].train.batch, own[name].train.order) == (64, "consecutive")
    assert own["cvprw2022_jca"].train.batch == 96
    window = own["cvprw2024_rjcma"].windows
    assert (window.clips, window.advance) == (300, 200)


def test_a_wrong_value_and_a_missing_row_are_found():
    (path,) = (p for p in FILES if p.stem.startswith("cvprw2022"))
    study, rows = study_of(path), rows_of(path)
    without = [row for row in rows if row.key != "train.lr"]
    assert unlisted(study, without) == ["train.lr: jca has 0.001, and no row"]
    wrong = [
        row.model_copy(update={"ours": "31"}) if row.key == "train.epochs" else row for row in rows
    ]
    assert unlisted(study, wrong) == ["train.epochs: jca has 30, the row 31"]
    for key, text in (("class", "jca"), ("corpus.faces", "official")):
        without = [row for row in rows if row.key != key]
        assert unlisted(study, without) == [f"{key}: jca has {text!r}, and no row"]
    grid = study.model_copy(update={"grid": {"train.lr": [0.1, 0.2]}})
    assert any(message.startswith("grid: jca has") for message in unlisted(grid, rows))
    orphan = [*rows, rows[0].model_copy(update={"fusion": "jac"})]
    assert unlisted(study, orphan) == ["fusions.jac: no such entry, but a row"]
    more = [*rows, rows[0].model_copy(update={"key": "train.lrate", "ours": "1"})]
    assert unlisted(study, more) == ["train.lrate: no such setting of jca"]


@pytest.mark.parametrize(
    ("key", "published", "ours", "equal"),
    [
        ("train.lr", "0.001", "1.0e-3", "yes"),
        ("train.lr", "0.001", "0.002", "no"),
        ("train.lr", "not stated", "0.002", "not stated"),
        ("train.limit", "not used", "5.0", "not used"),
        ("", "all", "all", "no"),
        ("windows.clip_s", "1.0666667", "1.06666666", "yes"),
    ],
)
def test_a_row_is_equal_if_the_values_are_and_there_is_a_key(key, published, ours, equal):
    row = PublishedSetting(paper="a", setting="s", key=key, published=published, ours=ours)
    assert row.equal == equal


def test_wrong_and_repeated_rows_are_named_with_their_number(tmp_path):
    path = tmp_path / "settings.csv"
    head = "paper,fusion,setting,key,published,ours,source,kind,remark\n"
    path.write_text(f"{head}a,,s,,1,2,x,guess,\nb,,s,,1,2,x,code,\nb,,s,,1,2,x,code,\n")
    with pytest.raises(ConfigError) as error:
        settings.load(path)
    one, two = str(error.value).splitlines()
    assert "row 2: kind" in one
    assert "row 4 repeats" in two
    with pytest.raises(ConfigError, match="File not found"):
        settings.load(tmp_path / "no.csv")
