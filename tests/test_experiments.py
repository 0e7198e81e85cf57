"""Experiment files: each is a whole study that runs here, and holds what its claims need."""

import re
from pathlib import Path

import pytest
import torch

from avfusion import claims, forms, modalities
from avfusion.registry import corpora, fusions
from avfusion.report.fold_table import groups
from avfusion.settings import load

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "config" / "experiments"
FILES = sorted(FOLDER.glob("*.yaml"))
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def checkable(study: dict) -> set[str]:
    """Names of the claims whose fusions the study has."""
    read = claims.load()
    return {
        claim.name
        for claim in read.claims
        if not any(forms.lacking(read.form(name), study) for name in claim.fusions())
    }


@each
def test_it_is_a_whole_study_on_the_generated_corpus(path):
    study = load(path)
    assert "demo" in study.corpora
    assert study.corpora["demo"] == load(Path("config/config.yaml")).corpora["demo"]
    assert path.stem in (FOLDER / "README.md").read_text()


@each
def test_it_can_check_the_claims_it_names(path):
    named = re.search(r"^# Claims?: ((?:[^#]|\n# )*)", path.read_text(), re.MULTILINE)
    every = {claim.name for claim in claims.load().claims}
    wanted = every if named is None else set(re.findall(r"\w+_\w+", named[1])) & every
    assert wanted
    assert wanted <= checkable(load(path).model_dump())


@each
def test_every_fusion_of_it_can_be_built_and_no_two_are_one(path):
    """Also what a gate wraps, and the wrapped one's options, which only the fusion itself knows."""
    study = load(path)
    steps = study.windows.clips
    for name, entry in study.fusions.items():
        own = {k: v for k, v in entry.items() if k not in forms.OWN}
        text = modalities.with_text(study.fusion_class(name), own)
        built = fusions.get(study.fusion_class(name))(24, 40, *[9] * text, steps=steps, **own)
        present = torch.ones(2, steps, dtype=torch.bool)
        given = (torch.randn(2, steps, 24), torch.randn(2, steps, 40), present, present)
        out = built(*given, *[torch.randn(2, steps, 9), present][: 2 * text])
        assert out.features.shape == (2, steps, built.out_dim)
        if not {"train", "grid"} & entry.keys():
            assert forms.find({"is": study.fusion_class(name), **own}, study.model_dump()) == name


def test_no_two_write_to_one_folder():
    folders = [load(path).results for path in FILES]
    assert len(set(folders)) == len(folders)


def test_the_study_can_check_every_claim():
    every = {claim.name for claim in claims.load().claims}
    assert every == checkable(load(FOLDER / "study.yaml").model_dump())


def test_the_study_makes_no_run_of_the_default_config_again():
    study, default = load(FOLDER / "study.yaml"), load(Path("config/config.yaml"))
    assert study.results == default.results
    for name in default.encoder_names():
        assert study.encoder_settings(name) == default.encoder_settings(name)
    for name in default.fusions:
        for seed in default.seeds:
            run = default.run_settings("demo", name, seed)
            assert study.run_settings("demo", name, seed) == run


@pytest.mark.slow
@each
def test_the_workflow_builds_its_graph(path, copy):
    study = load(path)
    jobs = copy.jobs("all", ("--configfile", f"config/experiments/{path.name}"))
    assert jobs["train"] == len(study.fusions) * len(study.seeds) * len(study.corpora)
    assert {"make_corpus", "encode", "score", "tables", "page"} <= jobs.keys()


@each
def test_its_comment_on_aff_wild2_holds_once_the_mark_is_removed(path, tmp_path):
    text = path.read_text()
    line = re.search(r"^  # (affwild2: .*?)(?=\s+#|$)", text, flags=re.MULTILINE)
    if line is None:
        pytest.skip("not on Aff-Wild2")
    whole = tmp_path / "study.yaml"
    whole.write_text(text.replace(f"  # {line[1]}", f"  {line[1]}", 1))
    own = load(whole).corpora["affwild2"]
    assert corpora.get("affwild2")(root=tmp_path, **own.options).edition.name.startswith("abaw")


def test_its_comment_on_iemocap_holds_once_the_marks_are_removed(tmp_path):
    text = (FOLDER / "icassp2022_selfcross.yaml").read_text()
    text, marks = re.subn(r"^  # (?=\w+: \{is: iemocap)", "  ", text, flags=re.MULTILINE)
    assert marks == 10
    whole = tmp_path / "study.yaml"
    whole.write_text(text)
    study = load(whole)
    both = groups(study.model_dump())
    assert {name: len(entries) for name, entries in both.items()} == {
        "iemocap_session": 5,
        "iemocap_random": 5,
    }
    for name, entries in both.items():
        made = [corpora.get("iemocap")(root=tmp_path, **study.corpora[e].options) for e in entries]
        assert [corpus.fold for corpus in made] == [1, 2, 3, 4, 5]
        assert {f"iemocap_{corpus.folds}" for corpus in made} == {name}
        assert len(made[0].classes) == 7
