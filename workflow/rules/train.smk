"""Training: one job per fusion trains its seeds from cached features, or one job per run does."""


rule train:
    """Train a fusion; a killed job resumes, and a diverged run leaves its reason."""
    input:
        features=train_features,
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        protocols=select_protocols,
        chosen=chosen,
    # Only the file that a run writes last. Snakemake removes the outputs of a killed job, which is
    # perhaps still writing: of a run's files it might leave some. If it leaves those of some runs,
    # the job goes on with the others.
    output:
        traces=of_seeds("<results>/runs/{corpus}/{fusion}/seed{seed}/traces.parquet"),
    log:
        of_seeds("<logs>/train/{corpus}.{fusion}.seed{seed}.log"),  # avf writes them
    benchmark:
        "<benchmarks>/train-" + "-".join(f"{{{name}}}" for name in NAMED) + ".bench.tsv"
    wildcard_constraints:
        corpus="|".join(RATINGS) or "(?!)",
    # The longest first: if it came last, it would run while all other cores are idle.
    priority: training_request("core_s", "train", len(TRAINED))
    threads: 1
    resources:
        mem_mb=training_request("mb", "train", len(TRAINED)),
        runtime=training_request("minutes", "train", len(TRAINED)),
    params:
        results=results_folder,
        settings=settings_of("train", *NAMED),
    shell:
        "avf train {wildcards.corpus} {wildcards.fusion} --results {params.results:q} "
        "--settings {params.settings:q}"


use rule train as train_classes with:
    input:
        features=train_features,
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        labels="<results>/manifest/{corpus}/labels.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        chosen=chosen,
    output:
        classes=of_seeds("<results>/runs/{corpus}/{fusion}/seed{seed}/classes.parquet"),
    wildcard_constraints:
        corpus="|".join(CLASSES) or "(?!)",


use rule train as train_verification with:
    input:
        features=train_features,
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        trials="<results>/manifest/{corpus}/trials.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        chosen=chosen,
    output:
        embeddings=of_seeds("<results>/runs/{corpus}/{fusion}/seed{seed}/embeddings.parquet"),
    wildcard_constraints:
        corpus="|".join(VERIFIED) or "(?!)",


rule train_all:
    """Train every fusion with every seed on every corpus."""
    input:
        [path for name in HERE for path in predictions(name)],
