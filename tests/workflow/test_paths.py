"""Paths stand in the rules as text that can be searched for; they are those of `Layout`."""

import re
from pathlib import Path

import pytest

from avfusion.config.load import load
from avfusion.io.shards import shard_path
from avfusion.layout import Layout

SAMPLE = {
    "corpus": "demo",
    "encoder": "mel_cnn",
    "fusion": "jca",
    "point": "hidden=8",
    "seed": "1",
    "corruption": "audio_noise_db",
    "level": "-5",
    "i": "0",
    "n": "2",
}
REPORT = ("tables", "figures")
"""Folders whose files are all named by the catalogue of `avfusion.report`."""


@pytest.fixture
def written(project):
    """Every path below <results> in an input or output of a rule, and in a function for one."""
    text = "".join(path.read_text() for path in (project / "workflow/rules").glob("*.smk"))
    return set(re.findall(r'"<results>/([^"]+)"', text))


def layout_paths() -> dict[str, Path]:
    """Pattern -> the path that the package uses for the sample."""
    lay, corpus, encoder = Layout(Path()), "demo", "mel_cnn"
    run = lay.run(corpus, "jca", 1)
    point = lay.grid_run(corpus, "jca", "hidden=8", 1)
    shard = (0, 2)
    return {
        "manifest/{corpus}/manifest.parquet": lay.manifest(corpus),
        "manifest/{corpus}/gold.parquet": lay.gold(corpus),
        "manifest/{corpus}/labels.parquet": lay.labels(corpus),
        "manifest/{corpus}/truth.parquet": lay.truth(corpus),
        "manifest/{corpus}/votes.parquet": lay.votes(corpus),
        "manifest/{corpus}/trials.parquet": lay.trials(corpus),
        "manifest/{corpus}/corpus.json": lay.card(corpus),
        "manifest/{corpus}/checks.csv": lay.checks(corpus),
        "media/{corpus}/index.parquet": lay.media(corpus) / "index.parquet",
        "media/{corpus}/shard-{i}-of-{n}.parquet": shard_path(lay.media(corpus), shard),
        "encoders/{corpus}/{encoder}/best.safetensors": lay.encoder(corpus, encoder)
        / "best.safetensors",
        "features/{corpus}/{encoder}/index.parquet": lay.features(corpus, encoder)
        / "index.parquet",
        "features/{corpus}/{encoder}/shard-{i}-of-{n}.parquet": shard_path(
            lay.features(corpus, encoder), shard
        ),
        "delays/{corpus}.csv": lay.delays(corpus),
        "runs/{corpus}/{fusion}/seed{seed}/traces.parquet": run / "traces.parquet",
        "runs/{corpus}/{fusion}/seed{seed}/classes.parquet": run / "classes.parquet",
        "runs/{corpus}/{fusion}/seed{seed}/embeddings.parquet": run / "embeddings.parquet",
        "grids/{corpus}/{fusion}/{point}/seed{seed}/embeddings.parquet": point
        / "embeddings.parquet",
        "grids/{corpus}/{fusion}/{point}/seed{seed}/traces.parquet": point / "traces.parquet",
        "grids/{corpus}/{fusion}/{point}/seed{seed}/classes.parquet": point / "classes.parquet",
        "grids/{corpus}/{fusion}/chosen.json": lay.chosen(corpus, "jca"),
        "scores/{corpus}/scores.parquet": lay.scores(corpus) / "scores.parquet",
        "scores/{corpus}/sums.parquet": lay.scores(corpus) / "sums.parquet",
        "scores/{corpus}/trials.parquet": lay.scores(corpus) / "trials.parquet",
        "robustness/{corpus}/sums.parquet": lay.robustness(corpus) / "sums.parquet",
        "robustness/{corpus}/part-{i}-of-{n}.json": lay.robustness(corpus) / "part-0-of-2.json",
        "robustness/{corpus}/features/{corruption}-{level}/{encoder}/index.parquet": lay.corrupted(
            corpus, "audio_noise_db", -5.0, encoder
        )
        / "index.parquet",
        "bundles/{corpus}": lay.bundle(corpus),
        "examples/{corpus}/clip": lay.example(corpus),
        "tables/scores.csv": lay.tables / "scores.csv",
        "metrics.json": lay.metrics,
        "ccc.csv": lay.plot,
        "figures/captions.json": lay.figures / "captions.json",
        "report.html": lay.page,
        "mlflow.{corpus}.json": lay.results / "mlflow.demo.json",
    }


@pytest.mark.parametrize(("pattern", "path"), layout_paths().items(), ids=str)
def test_a_path_in_the_rules_is_that_of_the_layout(written, pattern, path):
    assert pattern in written
    assert Path(pattern.format(**SAMPLE)) == path


@pytest.mark.parametrize("rule", ["tables", "figures", "page"])
def test_the_report_depends_on_the_human_votes(project, rule):
    """The tables of votes are no output of `tables`, so `figures` and `page` name their input."""
    text = (project / "workflow/rules/report.smk").read_text()
    body = text.split(f"\nrule {rule}:\n")[1].split("    output:\n")[0]
    assert "votes=VOTES" in body


def test_no_other_path_stands_in_the_rules(written):
    """Text with other placeholders, which a function fills in, has the form of a path above."""
    paths = [str(path) for path in layout_paths().values()]
    for text in written:
        parts = re.split(r"\{[\w.]+\}", text)
        form = "[^/]+".join(re.escape(part) for part in parts)
        known = any(re.fullmatch(form, path) for path in paths)
        assert known or text.startswith(REPORT), text


def test_every_output_of_a_plan_is_below_the_results_folder(copy):
    study = load(copy.folder / "config/config.yaml", copy.folder / "config/protocols")
    copy.edit("config/config.yaml", "corpora:\n", "results: elsewhere\ncorpora:\n")
    printed = copy.snakemake("-n", "all")
    outputs = re.findall(r"(?m)^    (?:output|log|benchmark): (.+)$", printed)
    roots = tuple(entry.root for entry in study.corpora.values())
    paths = [path for line in outputs for path in line.split(", ")]
    assert len(paths) > 100
    assert all(path.startswith(("elsewhere/", *roots)) for path in paths)
