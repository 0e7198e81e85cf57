"""The study, read once: all that the other rule files know of the config comes through here."""

import gc
import json
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from avfusion.io import clock
from avfusion import registry
from avfusion.errors import AvfError
from avfusion.layout import Layout
from avfusion.config.availability import absences
from avfusion.config.availability import not_here
from avfusion.config.load import load
from avfusion.io.shards import shard_path
from avfusion.fingerprint import fingerprint
from avfusion.io.yaml import read_mapping

# A graph is many objects that all stay: to look for garbage among them takes a third of the plan.
gc.set_threshold(200_000, 20, 100)

try:
    for path in workflow.configfiles:
        read_mapping(Path(path))  # Snakemake itself lets a key stand twice
    study = load(config)
except AvfError as error:
    raise WorkflowError(str(error)) from None

# `avf` stands beside the Python that runs Snakemake, whether or not a shell has activated it.
# A prefix replaces Snakemake's own, whose pipefail keeps `| tee` from hiding a failed job.
here = shlex.quote(str(Path(sys.executable).parent))
shell.prefix(f'set -euo pipefail; export PATH={here}:"$PATH"; ')

lay = Layout(Path(study.results))
LOGS = lay.results / "logs"
TIMES = lay.results / "benchmarks"
KIND = {name: study.corpus_class(name) for name in study.corpora}
MADE = [name for name in study.corpora if registry.corpora.defines(KIND[name], "make")]
FITTED = [name for name in study.encoder_names() if registry.encoders.constant(name, "fitted")]
ROOTS = {name: study.corpora[name].root.rstrip("/") for name in study.corpora}
ABSENT = not_here(study.model_dump(), lay)
NEEDED = [name for name in ABSENT if not study.corpora[name].if_present]
HERE = [name for name in study.corpora if name not in ABSENT]

if NEEDED:
    found = absences(NEEDED, study.model_dump(), lay)
    said = "\n".join(f"{gone.title}: {gone.why}." for gone in found)
    raise WorkflowError(
        f"{said}\nUnpack it there, set its `root` to where it lies, or write `if_present: true` "
        f"into its entry under corpora: it is then left out for as long as it is not here."
    )
if workflow.is_main_process:
    for gone in absences(ABSENT, study.model_dump(), lay):
        logger.warning(f"{gone.title}: not run, {gone.why}. The study goes on without it.")
if not HERE:
    raise WorkflowError("None of the study's corpora is here.")


wildcard_constraints:
    corpus="|".join(study.corpora),
    encoder="|".join(study.encoder_names()),
    fusion="|".join(study.fusions),
    point=r"[^/]+",
    root="|".join(re.escape(ROOTS[name]) for name in MADE) or "(?!)",
    seed=r"\d+",
    corruption=r"[a-z_]+",
    level=r"-?[\d.e+-]+",
    i=r"\d+",
    n=r"\d+",


def as_json(settings):
    """Settings as one line of JSON: what a job depends on besides its input files."""
    return json.dumps(settings, sort_keys=True)


def results_folder(wildcards):
    """Folder that every command writes below."""
    return str(lay.results)


def corpus_settings(wildcards):
    """Constructor arguments of a corpus."""
    return as_json(study.corpus_settings(wildcards.corpus))


def made_settings(wildcards):
    """As `corpus_settings`, for the corpus that is made at `root`."""
    return as_json(study.corpus_settings(made_name(wildcards)))


def made_name(wildcards):
    """Name of the corpus that is made at `root`."""
    return next(name for name in MADE if ROOTS[name] == wildcards.root)


def media_settings(wildcards):
    """Media settings, and where the videos are."""
    own = {"root": study.corpora[wildcards.corpus].root, **study.media.model_dump()}
    return as_json(own)


def encoder_settings(wildcards):
    """What fitting or applying one encoder depends on."""
    return as_json(study.encoder_settings(wildcards.encoder, wildcards.corpus))


def run_settings(wildcards):
    """What one training run depends on."""
    return as_json(study.run_settings(wildcards.corpus, wildcards.fusion, int(wildcards.seed)))


def score_settings(wildcards):
    """What scoring depends on."""
    return as_json(study.score_settings(wildcards.corpus))


def report_settings(wildcards):
    """The whole study: the page prints it."""
    return as_json(study.model_dump())


def record_settings(wildcards):
    """Which runs are shown as current, and which of them as the best."""
    return as_json(study.record_settings())


def failures(corpus):
    """Attempts to record that found no server: the next study tries again after each new one."""
    path = lay.results / f"mlflow.{corpus}.failures"
    return path.read_text().strip() if path.is_file() else ""


def not_recorded(corpus):
    """Whether the last attempt to record the corpus found no server."""
    path = lay.results / f"mlflow.{corpus}.json"
    return path.is_file() and not json.loads(path.read_text()).get("recorded")


def corpus_tree(wildcards):
    """What must lie at the corpus' root before it is verified; made if avf can make it."""
    name, root = wildcards.corpus, ROOTS[wildcards.corpus]
    if name in MADE:
        return f"{root}/corpus.json"
    if name in ABSENT:
        raise WorkflowError(f"{name}: {ABSENT[name]}.")
    return []


def made_code(wildcards):
    """The generator's code."""
    return fingerprint(registry.corpora.module(KIND[made_name(wildcards)]))


def corpus_code(wildcards):
    """The code that reads and checks a corpus."""
    return fingerprint(registry.corpora.module(KIND[wildcards.corpus]), "avfusion.corpora.verify")


def encoder_weights(wildcards):
    """Weights of an encoder that is fitted on the corpus, or files named by its options.

    Others bring theirs along. Where a named file is absent, the job itself says what to do.
    """
    if wildcards.encoder not in FITTED:
        own = study.encoders.get(wildcards.encoder, {})
        files = [own.get(key) for key in ("path", "vocabulary")]
        return [file for file in files if file and Path(file).is_file()]
    return lay.encoder(wildcards.corpus, wildcards.encoder) / "best.safetensors"


def shards(folder, corpus):
    """Shard tables below a media or feature folder."""
    count = study.corpora[corpus].shards
    return [shard_path(folder, (i, count)) for i in range(count)]


def feature_indexes(corpus, fusion=None):
    """Index of every encoder in use, or of those that one fusion reads."""
    own = study.run_features(fusion).values() if fusion else [study.encoder_names()]
    return [lay.features(corpus, name) / "index.parquet" for names in own for name in names]


CLASSES = [name for name in HERE if study.corpora[name].task == "classes"]
RATINGS = [name for name in HERE if name not in CLASSES]


def figures_of(corpus):
    """Kinds of figures that a corpus has, by its task."""
    if corpus in CLASSES:
        return ["ccc", "differences", "confusion", "curves"]
    traces = [f"traces_{number}" for number in (1, 2, 3)]
    robust = ["robust", "gates"] if study.robustness else []
    return ["ccc", "differences", "protocols", "curves", *traces, *robust]


def predicted(corpus):
    """The file that holds a run's predictions."""
    return "classes.parquet" if corpus in CLASSES else "traces.parquet"


def traces(corpus):
    """Predictions of every fusion and seed."""
    return [
        lay.run(corpus, fusion, seed) / predicted(corpus)
        for fusion in study.fusions
        for seed in study.seeds
    ]


def twin(corpus):
    """The first instance of the same tree: what it reads, the others share."""
    return next(name for name in [*HERE, corpus] if ROOTS[name] == ROOTS[corpus])


def twin_media(wildcards):
    """Media of an earlier instance, so that no video is read twice at the same time."""
    first = twin(wildcards.corpus)
    return [] if first == wildcards.corpus else ancient(lay.media(first) / "index.parquet")


def twin_features(wildcards):
    """As `twin_media`, for an encoder that does not depend on the corpus."""
    first = twin(wildcards.corpus)
    alone = first == wildcards.corpus or wildcards.encoder in FITTED
    return [] if alone else ancient(lay.features(first, wildcards.encoder) / "index.parquet")
