"""The study, read once. The other rule files take everything they know of the config from here."""

import functools
import gc
import hashlib
import json
import os
import re
import shlex
import sys
from pathlib import Path

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_common.logging import get_logger

from avfusion.config import arithmetic
from avfusion import registry
from avfusion.commands import messages
from avfusion.config import assets
from avfusion.config.availability import absences
from avfusion.config.availability import not_here
from avfusion.config.grid import at_point
from avfusion.config.load import load
from avfusion.encoders import named_files as named
from avfusion.errors import AvfError
from avfusion.fingerprint import fingerprint
from avfusion.io import clock
from avfusion.io.atomic import write_text
from avfusion.io.yaml import read_mapping
from avfusion.layout import Layout
from avfusion.media.feature_files import matching

# A large graph is many objects that all stay; searching them for garbage takes a third of the plan.
gc.set_threshold(200_000, 20, 100)

try:
    # Snakemake accepts a YAML key that is given twice. It documents no way to ask for the names of
    # the config files; `configfiles` is the attribute from which its own report lists them.
    for path in workflow.configfiles:
        read_mapping(Path(path))
    study = load(config)
except AvfError as error:
    raise WorkflowError(str(error)) from None

# `avf` is next to the Python that runs Snakemake, even if no shell has activated the environment.
# This prefix replaces Snakemake's own, whose pipefail keeps `| tee` from hiding a failed job.
bin_folder = shlex.quote(str(Path(sys.executable).parent))
held = "".join(
    f"export {name}={shlex.quote(value)}; "
    for name, value in arithmetic.variables(study.arithmetic).items()
)
shell.prefix(f'set -euo pipefail; export PATH={bin_folder}:"$PATH"; {held}')

logger = get_logger()
lay = Layout(Path(study.results))
STATED = [os.path.relpath(path) for path in workflow.configfiles]
LOGS = lay.results / "logs"


pathvars:
    results=study.results,
    logs=f"{study.results}/logs",
    benchmarks=f"{study.results}/benchmarks",


KIND = {name: study.corpus_class(name) for name in study.corpora}
MADE = [name for name in study.corpora if registry.corpora.defines(KIND[name], "make")]
OBTAINED = [name for name, entry in study.corpora.items() if entry.download]
ENCODERS = study.all_features().encoders
FITTED = [name for name in ENCODERS if study.fitted(name)]
ROOTS = {name: study.corpora[name].root.rstrip("/") for name in study.corpora}
ABSENT = not_here(study, lay)
NEEDED = [name for name in ABSENT if not study.corpora[name].if_present]
HERE = [name for name in study.corpora if name not in ABSENT]
CLASSES = [name for name in HERE if study.task(name) == "classes"]
VERIFIED = [name for name in HERE if study.task(name) == "verification"]
RATINGS = [name for name in HERE if study.task(name) == "ratings"]

if NEEDED:
    reasons = [f"{absence.title}: {absence.why}." for absence in absences(NEEDED, study, lay)]
    raise WorkflowError(
        "\n".join(reasons) + "\nUnpack the corpus there, set its `root` to the folder that holds "
        "it, or write `if_present: true` into its entry under corpora: the study then leaves it "
        "out while it is missing."
    )
if not HERE:
    missing = [f"{absence.title}: {absence.why}." for absence in absences(ABSENT, study, lay)]
    files = " ".join(STATED)
    raise WorkflowError(
        "None of the study's corpora is present.\n" + "\n".join(missing) + "\nTo try the study on "
        f"the demo corpus, add it: --configfile {files} config/experiments/with_demo.yaml"
    )

# A job on another machine reads this file again. It inherits the variable and repeats no warning.
if os.environ.setdefault("AVF_PLANNED_BY", str(os.getpid())) == str(os.getpid()):
    for absence in absences(ABSENT, study, lay):
        logger.warning(f"{absence.title}: not run, {absence.why}. The study goes on without it.")
    for use, origin in study.outside().items():
        logger.warning(f"Code that is not part of avfusion: {use} = {origin}.")


def of_study(text):
    """Return a text whose suggested commands act on this study."""
    return messages.of_files(text, STATED)


wildcard_constraints:
    corpus="|".join(study.corpora),
    encoder="|".join(ENCODERS),
    fusion="|".join(study.fusions),
    point=r"[^/]+",
    root="|".join(re.escape(ROOTS[name]) for name in MADE) or "(?!)",
    seed=r"\d+",
    corruption=r"[a-z_]+",
    level=r"-?[\d.e+-]+",
    i=r"\d+",
    n=r"\d+",


SETTINGS = {
    "verify": study.corpus_settings,
    "media": study.media_settings,
    "encode": lambda corpus, encoder: study.encoders_settings(fits_of_job(encoder), corpus),
    "corrupt": study.signal_settings,
    "delay": study.delay_settings,
    "train": lambda corpus, fusion, *seeds: study.runs_settings(
        corpus, fusion, map(int, seeds or study.seeds)
    ),
    "grid": lambda corpus, fusion, point, seed: at_point(
        study.run_settings(corpus, fusion, int(seed)), point
    ),
    "choose": study.grid_settings,
    "score": study.score_settings,
    "robust": study.robust_settings,
    "report": lambda: study,
    "record": study.record_settings,
}
"""Stage -> the function that returns the settings of one of its jobs, from names of the job."""
ORDERED = {"choose", "score", "robust", "report", "record"}
"""Stages whose results follow the order of the config: grid points, fusions, corruptions."""


@functools.cache
def settings_file(stage, *names):
    """Write the settings of a job below results/settings, and return the path for `--settings`.

    The name holds a digest of the content. So the path, which is one of the job's params, changes
    with the settings, and Snakemake runs the job again. A dry run writes the file too; a file that
    no job reads does no harm.
    """
    document = SETTINGS[stage](*names).model_dump(mode="json")
    text = json.dumps(document, indent=2, sort_keys=stage not in ORDERED) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    path = lay.results / "settings" / stage / f"{'.'.join(names) or 'study'}.{digest}.json"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    return str(path)


def settings_of(stage, *wildcard_names):
    """Return a function for `params` that writes a job's settings and returns their path."""

    def path(wildcards):
        return settings_file(stage, *(getattr(wildcards, name) for name in wildcard_names))

    return path


def results_folder(wildcards):
    """Return the folder that every command writes below."""
    return study.results


def obtain_settings(wildcards):
    """Write the settings of a download below `root`, and return their path for `--settings`.

    The path depends only on what is downloaded. So neither other settings nor a study with other
    results download the corpus again.
    """
    settings = study.obtain_settings(first_at(wildcards.root, OBTAINED))
    text = json.dumps(settings.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    path = Path(wildcards.root) / ".obtained" / f"settings.{digest}.json"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
    return str(path)


def first_at(root, names):
    """Return the first of some corpora whose root it is."""
    return next(name for name in names if ROOTS[name] == root)


def made_name(wildcards):
    """Return the name of the corpus that is generated at `root`."""
    return first_at(wildcards.root, MADE)


def made_settings(wildcards):
    """Return the path of the settings of the corpus that is generated at `root`."""
    return settings_file("verify", made_name(wildcards))


def made_code(wildcards):
    """Return the fingerprint of the code that generates a corpus."""
    return fingerprint(registry.corpora.code(KIND[made_name(wildcards)]))


def made_assets(wildcards):
    """Return the digest of the data files that a corpus is generated from."""
    return assets.digest(KIND[made_name(wildcards)])


def corpus_assets(wildcards):
    """Return the digest of the data files that a corpus is checked against."""
    return assets.digest(KIND[wildcards.corpus])


def corpus_code(wildcards):
    """Return the fingerprint of the code that reads and checks a corpus."""
    kind = registry.corpora.code(KIND[wildcards.corpus])
    return fingerprint(kind, "avfusion.corpora.verify:verify")


def corpus_tree(wildcards):
    """Return what must be at the root of a corpus that avf makes or downloads."""
    name = wildcards.corpus
    if name in MADE:
        return f"{ROOTS[name]}/corpus.json"
    if name in OBTAINED:
        return f"{ROOTS[name]}/obtained.json"
    if name in ABSENT:
        raise WorkflowError(f"{name}: {ABSENT[name]}.")
    return []


def encoder_weights(wildcards):
    """Return the weights of an encoder that is fitted, or the files that its options name.

    Those of feature files depend on the files. Other encoders bring their weights.
    """
    name = wildcards.encoder
    if name in FITTED:
        return f"<results>/encoders/{wildcards.corpus}/{name}/best.safetensors"
    if name in study.feature_files():
        manifest = f"<results>/manifest/{wildcards.corpus}/manifest.parquet"
        root, path = Path(ROOTS[wildcards.corpus]), study.encoder_options(name).get("path")
        return [manifest, *(map(str, matching(root, path)) if path else [])]
    return named_files(wildcards)


def named_files(wildcards):
    """Return the files that the options of an encoder name, and those in a folder of a model.

    If one is missing, the job itself says what to do.
    """
    return [str(file) for file in named.named_files(study.encoder_options(wildcards.encoder))]


@functools.cache
def digest_of_named(encoder):
    """Return a digest of the files that the options of an encoder name; "" if it names none."""
    if encoder in study.feature_files():
        return ""
    files = named.named_files(study.encoder_options(encoder))
    return named.digest_of(files, lay.results / "settings" / "digests.json")


def weights_digest(wildcards):
    """Return the digest for `params`: an older file in the place of a newer one has no new time."""
    return digest_of_named(wildcards.encoder)


def lost_features(wildcards):
    """Return how often files of features of a shard were found to be removed, for `params`."""
    shard = int(wildcards.i), int(wildcards.n)
    return [losses_of(wildcards.corpus, e, shard) for e in fits_of_job(wildcards.encoder)]


def shards(pattern, **names):
    """Return the shard tables of a corpus, of a path with {i} and {n}."""
    count = study.corpora[names["corpus"]].shards
    return expand(pattern, i=range(count), n=count, **names)


def feature_indexes(corpus, fusion=None, seeds=()):
    """Return the index of every encoder in use, or of those that some runs of a fusion read."""
    read = [study.run_features(fusion, int(seed)) for seed in seeds] or [study.all_features()]
    names = dict.fromkeys(name for features in read for name in features.encoders)
    pattern = "<results>/features/{corpus}/{encoder}/index.parquet"
    return expand(pattern, corpus=corpus, encoder=names)


TOGETHER = study.training_jobs == "fusion"
# In the paths of a job for all fits of an encoder, `{encoder}` stands for each of them.
FITS = {name: study.fit_names(name) for name in study.features.encoders}
SEVERAL = [name for name, fits in FITS.items() if TOGETHER and len(fits) > 1]
SUFFIXES = [fit.removeprefix(name) for name in SEVERAL[:1] for fit in FITS[name]]
SINGLE = [name for name in ENCODERS if all(name not in FITS[several] for several in SEVERAL)]


def of_fits(pattern):
    """Return a path for each fit of a job; all fitted encoders have fits of the same numbers."""
    return [pattern.replace("{encoder}", f"{{encoder}}{suffix}") for suffix in SUFFIXES]


def fits_of_job(encoder):
    """Return the names of the encoders that one job fits or applies."""
    return FITS[encoder] if encoder in SEVERAL else [encoder]


# In the paths of a job that trains all seeds of a fusion, `seed{seed}` stands for each of them.
TRAINED = study.seeds if TOGETHER else ["{seed}"]
NAMED = ("corpus", "fusion") if TOGETHER else ("corpus", "fusion", "seed")


def of_seeds(pattern):
    """Return a path for each run of a training job."""
    return [pattern.replace("{seed}", str(seed)) for seed in TRAINED]


def train_features(wildcards):
    """Return the indexes of the features that a training job reads."""
    seeds = [wildcards.seed] if hasattr(wildcards, "seed") else study.seeds
    return feature_indexes(wildcards.corpus, wildcards.fusion, seeds)


@functools.cache
def size_of(corpus, read):
    """Return what a corpus holds, as far as is known before or after its media were read."""
    from avfusion.planning import sizes  # imports pandas, which a plan without training spares

    return sizes.quick_size_of(study, corpus, lay)


@functools.cache
def request_of(corpus, fusion, runs, gpu, attempt, read):
    """Return what a job that trains some runs requests; the jobs of all seeds share it."""
    from avfusion.planning.requests import training

    return training(study, corpus, fusion, runs, size_of(corpus, read), gpu, attempt)


def training_request(part, rule, runs=1):
    """Return a function for `resources` or `priority`: a field of `Request` for some runs.

    They follow the estimate of `avf plan`, and whether the profile gives the rule a GPU. Snakemake
    asks for the plan, and again before the job starts, when the media tell how long the corpus is.
    """

    def value(wildcards, attempt):
        gpu = "gpu" in workflow.resource_settings.overwrite_resources.get(rule, {})
        read = (lay.media(wildcards.corpus) / "index.parquet").is_file()
        asked = request_of(wildcards.corpus, wildcards.fusion, runs, gpu, attempt, read)
        return getattr(asked, part)

    return value


def select_protocols(wildcards):
    """Return the protocols that choose the epochs of a fusion's runs; most runs need none."""
    names = study.select_protocols(wildcards.fusion, wildcards.corpus)
    return expand("config/protocols/{name}.yaml", name=names)


def point_protocol(wildcards):
    """Return the protocol that chooses the epochs of one grid point, if it names one."""
    names = (wildcards.corpus, wildcards.fusion, wildcards.point, wildcards.seed)
    name = SETTINGS["grid"](*names).train.select.protocol
    return f"config/protocols/{name}.yaml" if name else []


FILES = {"ratings": "traces", "classes": "classes", "verification": "embeddings"}
"""Task -> file of a run's predictions, without its ending."""


def predictions(corpus):
    """Return the predictions of every fusion and seed."""
    name = FILES[study.task(corpus)]
    pattern = "<results>/runs/{corpus}/{fusion}/seed{seed}/{name}.parquet"
    return expand(pattern, corpus=corpus, fusion=study.fusions, seed=study.seeds, name=name)


def first_of_tree(corpus):
    """Return the first entry with the same root; the others share what is read for it."""
    return next(name for name in [*HERE, corpus] if ROOTS[name] == ROOTS[corpus])


def earlier_media(wildcards):
    """Return the media of an earlier entry of the tree, so that no video is read twice at once."""
    first = first_of_tree(wildcards.corpus)
    index = f"<results>/media/{first}/index.parquet"
    return [] if first == wildcards.corpus else ancient(index)


def earlier_features(wildcards):
    """Return the features of an earlier entry, of an encoder that does not depend on the corpus."""
    first = first_of_tree(wildcards.corpus)
    index = f"<results>/features/{first}/{wildcards.encoder}/index.parquet"
    separate = first == wildcards.corpus or wildcards.encoder in FITTED
    return [] if separate else ancient(index)


def failures(corpus):
    """Return the attempts to record that found no server; each new one makes the job run again."""
    path = lay.results / f"mlflow.{corpus}.failures"
    return path.read_text().strip() if path.is_file() else ""


def view(corpus):
    """Return the address of the saved view in MLflow; "" if the corpus is not recorded."""
    path = lay.results / f"mlflow.{corpus}.json"
    return json.loads(path.read_text()).get("view", "") if path.is_file() else ""


def not_recorded(corpus):
    """Return whether the last attempt to record the corpus found no server."""
    path = lay.results / f"mlflow.{corpus}.json"
    return path.is_file() and not json.loads(path.read_text()).get("recorded")
