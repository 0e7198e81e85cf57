"""Test experiment files: each is a complete study that holds what its claims need."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from avfusion import registry
from avfusion.config import match, modalities
from avfusion.config.load import load
from avfusion.config.match import groups
from avfusion.config.study import Study
from avfusion.io.yaml import read_mapping
from avfusion.literature import claims, published
from avfusion.registry import corpora, fusions

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "config" / "experiments"
ARRAYS = FOLDER / "icassp2022_selfcross_arrays.yaml"  # where no recordings are
PUBLISHED = sorted(FOLDER.glob("*_as_published.yaml"))
REAL = FOLDER / "real.yaml"  # `make real`, without the demo
WITH_DEMO = FOLDER / "with_demo.yaml"  # given after the study of a paper
WITH_OPEN = FOLDER / "with_open.yaml"  # given after any study of recordings
PEOPLE = sorted({*FOLDER.glob("verification_*.yaml")} - {*PUBLISHED})
"""Studies of `task: verification`, on other corpora than the demo."""
NO_STUDY = {WITH_DEMO, WITH_OPEN}
FILES = sorted({*FOLDER.glob("*.yaml")} - {ARRAYS, REAL, *NO_STUDY, *PUBLISHED, *PEOPLE})
ON_DEMO = {"robustness", "study", "crema_d"}
"""Studies that repeat no paper, and so have the demo corpus."""
OF_NO_PAPER = {"robustness", "study", "ravdess", "crema_d", "incomplete", "verification_demo"}
"""Studies that repeat no paper of the fusions, so that none has published settings."""
IN_CI = ("study", "robustness", "tbiom2023_jca")


def marked(path):
    """Return a file, marked unless CI builds its graph."""
    marks = [] if path.stem in IN_CI else [pytest.mark.long]
    return pytest.param(path, id=path.stem, marks=marks)


each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def asked(path, more=WITH_DEMO):
    """Return a study with the corpora of a second file, as Snakemake merges the two."""
    raw, more = read_mapping(path), read_mapping(more)
    assert more.keys() == {"corpora"}
    return load({**raw, "corpora": raw["corpora"] | more["corpora"]})


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def checkable(study: Study) -> set[str]:
    """Names of the claims whose fusions the study has."""
    read = claims.load()
    return {
        claim.name
        for claim in read.claims
        if not any(match.lacking(read.form(name), study) for name in claim.fusions())
    }


@each
def test_it_is_a_whole_study_and_one_of_a_paper_has_the_demo_corpus_only_if_asked(path):
    study, default = load(path), load(Path("config/config.yaml"))
    assert ("demo" in study.corpora) == (path.stem in ON_DEMO)
    if path.stem not in ON_DEMO:
        study = asked(path)
    if path.stem != "study":  # which has more people
        assert study.corpora["demo"] == default.corpora["demo"]
    assert path.stem in (FOLDER / "README.md").read_text()


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_a_study_of_published_settings_has_no_fault(path):
    study = load(path)
    for name in study.features.encoders:
        assert registry.encoders.known(study.encoder_class(name))


@each
def test_it_can_check_the_claims_it_names(path):
    named = re.search(r"^# Claims?: ((?:[^#]|\n# )*)", path.read_text(), re.MULTILINE)
    every = {claim.name for claim in claims.load().claims}
    wanted = every if named is None else set(re.findall(r"\w+_\w+", named[1])) & every
    assert wanted
    assert wanted <= checkable(load(path))


@pytest.mark.parametrize("path", [*FILES, ARRAYS], ids=lambda path: path.stem)
def test_every_fusion_of_it_can_be_built_and_no_two_are_one(path):
    """Also what a gate wraps, and the wrapped one's options, which only the fusion itself knows."""
    study = load(path)
    steps = study.windows.clips
    for name, entry in study.fusions.items():
        own = study.fusion_options(name)
        text = modalities.with_text(study.fusion_class(name), own)
        built = fusions.get(study.fusion_class(name))(24, 40, *[9] * text, steps=steps, **own)
        present = torch.ones(2, steps, dtype=torch.bool)
        given = (torch.randn(2, steps, 24), torch.randn(2, steps, 40), present, present)
        out = built(*given, *[torch.randn(2, steps, 9), present][: 2 * text])
        assert out.features.shape == (2, steps, built.out_dim)
        if not {"train", "grid"} & entry.keys():
            assert match.find({"is": study.fusion_class(name), **own}, study) == name


def test_no_two_write_to_one_folder():
    folders = [
        read_mapping(path).get("results") for path in [*FILES, ARRAYS, REAL, *PUBLISHED, *PEOPLE]
    ]
    assert len(set(folders)) == len(folders)


def test_a_fair_study_of_a_paper_subtracts_no_mean_of_a_video():
    """No published code does it."""
    papers = [p for p in [*FILES, ARRAYS] if p.stem not in OF_NO_PAPER]
    assert len(papers) == 9
    for study in map(load, papers):
        rules = [study.train_rule(f, corpus) for corpus in study.corpora for f in study.fusions]
        assert {rule.baseline for rule in rules} == {"none"}


def test_a_control_differs_from_the_form_next_to_it_in_one_option():
    """So that a claim about memory is not one about the encoders."""
    forms = claims.load().forms
    one, other = forms["concat_blstm"], forms["concat_encoded"]
    assert {key for key in one | other if one.get(key) != other.get(key)} == {"blstm"}
    jca = {"encode": 128, **forms["jca_blstm"]}  # the default, see jca.py
    assert {key for key in jca | one if jca.get(key) != one.get(key)} == {"is"}
    (memory,) = (c for c in claims.load().claims if c.name == "memory_over_concat")
    assert "concat_encoded" in memory.worse


@pytest.mark.parametrize("path", [*FILES, REAL], ids=lambda path: path.stem)
def test_a_study_whose_encoders_are_fitted_states_whether_they_are_cross_fitted(path):
    """docs/how-to/encoders.md has the reason of the value."""
    study = load(path)
    assert any(map(study.fitted, study.features.encoders))
    assert "cross_fit" in read_mapping(path)


def test_each_paper_has_a_fair_study_and_one_of_its_published_settings():
    papers = {path.stem for path in [*FILES, ARRAYS, *PEOPLE]} - OF_NO_PAPER
    assert {path.stem.removesuffix("_as_published") for path in PUBLISHED} == papers
    readme = (FOLDER / "README.md").read_text()
    for path in PUBLISHED:
        assert path.name in readme
        assert path.name in (FOLDER / f"{path.stem.removesuffix('_as_published')}.yaml").read_text()


def test_the_study_can_check_every_claim():
    every = {claim.name for claim in claims.load().claims}
    assert every == checkable(load(FOLDER / "study.yaml"))


def test_the_study_has_the_settings_of_the_default_config_on_more_people():
    study, default = load(FOLDER / "study.yaml"), load(Path("config/config.yaml"))
    assert study.results != default.results
    assert study.corpora["demo"].root != default.corpora["demo"].root
    first, second = default.corpora["demo"].options, study.corpora["demo"].options
    assert second == first | {"videos": second["videos"]}
    assert second["videos"] > first["videos"]
    for name in default.features.encoders:
        assert study.encoder_settings(name) == default.encoder_settings(name)
    for name in default.fusions:
        for seed in study.seeds:
            run = default.run_settings("demo", name, seed)
            assert study.run_settings("demo", name, seed) == run


@pytest.mark.slow
@pytest.mark.parametrize("path", [marked(path) for path in FILES])
def test_the_workflow_builds_its_graph(path, copy):
    study = load(path)
    files = [path.name, *([] if path.stem in ON_DEMO else [WITH_DEMO.name])]
    jobs = copy.jobs("all", ("--configfile", *(f"config/experiments/{name}" for name in files)))
    assert jobs["train"] == len(study.fusions), "nothing else is here"
    assert {"make_corpus", "score", "tables", "page"} <= jobs.keys()
    assert {"encode", "encode_fits"} & jobs.keys()


@each
def test_every_licensed_corpus_of_it_is_taken_where_it_is(path, tmp_path):
    study = load(path)
    for name, own in study.corpora.items():
        assert own.if_present == (name != "demo")
        assert corpora.get(study.corpus_class(name))(root=tmp_path, **own.options)


def test_each_paper_stands_on_the_corpora_that_its_claims_were_made_on():
    """Its corpora are those that config/claims.yaml and config/published.csv name for it."""
    used = {
        "fg2021_ca": {"recola", "fatigue"},
        "cvprw2022_jca": {"affwild2"},
        "tbiom2023_jca": {"affwild2", "fatigue"},
        "icassp2023_rjca": {"affwild2", "fatigue"},
        "icme2024_dca": {"recola", "affwild2"},
        "iaca": {"affwild2"},
        "icassp2022_selfcross": {"iemocap"},
        "cvprw2024_rjcma": {"affwild2"},
        "ravdess": {"ravdess"},
        "crema_d": {"crema_d"},
        "incomplete": {"ravdess", "crema_d"},
    }
    for path in FILES:
        study = load(path)
        kinds = {study.corpus_class(name) for name in study.corpora}
        assert kinds - {"demo"} == used.get(path.stem, set())
    editions = {
        path.stem: load(path).corpora["affwild2"].options["edition"]
        for path in FILES
        if "affwild2" in load(path).corpora
    }
    assert editions.pop("cvprw2022_jca") == "abaw3"
    assert editions.pop("cvprw2024_rjcma") == "abaw6"
    assert set(editions.values()) == {"abaw5"}


def test_studies_of_aff_wild2_are_scored_by_the_challenge_and_by_the_published_code():
    files = [path for path in [*FILES, *PUBLISHED] if "affwild2" in load(path).corpora]
    assert len(files) == 12
    for path in files:
        study = load(path)
        assert {*study.protocols} == {"abaw", "abaw_published_code"}, path.stem
        rules = {row.protocol for row in published.load() if row.corpus == "affwild2"}
        assert rules <= {"", *study.protocols}
        if path not in PUBLISHED:
            assert study.headline == "abaw"


def test_the_arrays_stand_on_their_five_folds_and_ask_what_the_paper_asks(tmp_path):
    study, recordings = load(ARRAYS), load(FOLDER / "icassp2022_selfcross.yaml")
    assert groups(study) == {"iemocap_arrays": list(study.corpora)}
    kind = corpora.get("iemocap_arrays")
    made = [kind(root=tmp_path, **own.options) for own in study.corpora.values()]
    assert [corpus.number for corpus in made] == [1, 2, 3, 4, 5]
    assert all(c.train == {"baseline": "none"} for c in study.corpora.values())
    assert study.windows.clips * study.windows.clip_s >= 10
    for name in study.fusions.keys() & recordings.fusions.keys():
        assert study.fusions[name] == recordings.fusions[name]
    asked = [row for row in published.load() if row.corpus == "iemocap" and row.fusion]
    asked = [
        {"is": row.fusion, **row.options} for row in asked if row.metric in published.CLASS_MEASURES
    ]
    assert len(asked) > 20
    assert not [form for form in asked if match.lacking(form, study)]
    assert {"self_equals_cross", "self_equals_cross_text"} <= checkable(study)
    assert ARRAYS.stem in (FOLDER / "README.md").read_text()


def test_the_folds_of_iemocap_are_two_splits_on_whose_features_nothing_is_taken_off(tmp_path):
    study = load(FOLDER / "icassp2022_selfcross.yaml")
    both = groups(study)
    assert {name: len(entries) for name, entries in both.items()} == {
        "iemocap_session": 5,
        "iemocap_random": 5,
    }
    for name, entries in both.items():
        made = [corpora.get("iemocap")(root=tmp_path, **study.corpora[e].options) for e in entries]
        assert [corpus.fold for corpus in made] == [1, 2, 3, 4, 5]
        assert {f"iemocap_{corpus.folds}" for corpus in made} == {name}
        assert len(made[0].classes) == 7
        trained = [study.run_settings(entry, "concat", 0) for entry in entries]
        assert {(own.train.baseline, own.task) for own in trained} == {("none", "classes")}
    demo = asked(FOLDER / "icassp2022_selfcross.yaml")
    assert demo.run_settings("demo", "concat", 0).train.baseline == "none"


@each
def test_the_open_corpora_are_added_to_it_without_an_edit(path):
    """tests/workflow/test_open_corpora.py runs such studies."""
    study = asked(path, WITH_OPEN)
    for kind in ("ravdess", "crema_d"):
        assert study.corpus_class(kind) == kind
        for fusion in study.fusions:
            run = study.run_settings(kind, fusion, 0)
            assert run.task == study.task(kind)
            assert run.class_ == study.fusion_class(fusion)


@pytest.mark.parametrize("task", ["ratings", "classes"])
@pytest.mark.parametrize("kind", ["ravdess", "crema_d"])
@each
def test_it_runs_on_one_open_corpus_with_either_task(path, kind, task, tmp_path):
    if task == "classes" and path.stem in ("robustness", "incomplete"):
        pytest.skip("corrupted input is offered for ratings only")
    settings = read_mapping(path) | {"corpora": {kind: {"root": kind, "task": task}}}
    if task == "classes":
        settings.pop("robustness", None)
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(settings))
    study = load(file)
    assert list(study.corpora) == [kind]
    for fusion in study.fusions:
        assert study.run_settings(kind, fusion, 0).task == task


@pytest.mark.parametrize("path", PEOPLE, ids=lambda path: path.stem)
def test_a_study_of_verification_has_no_fault_and_keeps_what_tells_people_apart(path):
    study = load(path)
    assert {study.task(name) for name in study.corpora} == {"verification"}
    assert {study.train_rule(name).baseline for name in study.fusions} == {"none"}
    assert {"audio", "video", "concat"} <= set(study.fusions)
    assert path.name in (FOLDER / "README.md").read_text()
