"""Training: one run per fusion and seed, from cached features to predictions on disk."""


rule train:
    """Train one fusion with one seed; a killed job resumes, a diverged run leaves its reason."""
    input:
        features=lambda wildcards: feature_indexes(
            wildcards.corpus, wildcards.fusion, wildcards.seed
        ),
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        protocols=select_protocols,
        chosen=chosen,
    # Only the file that a run writes last. Snakemake removes the outputs of a killed job that is
    # perhaps still writing, and of several it might leave some.
    output:
        traces="<results>/runs/{corpus}/{fusion}/seed{seed}/traces.parquet",
    log:
        "<logs>/train/{corpus}.{fusion}.seed{seed}.log",
    benchmark:
        "<benchmarks>/train-{corpus}-{fusion}-{seed}.bench.tsv"
    wildcard_constraints:
        corpus="|".join(RATINGS) or "(?!)",
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        results=results_folder,
        settings=settings_of("train", "corpus", "fusion", "seed"),
    shell:
        "avf train {wildcards.corpus} {wildcards.fusion} --seed {wildcards.seed} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


use rule train as train_classes with:
    input:
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        labels="<results>/manifest/{corpus}/labels.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        chosen=chosen,
    output:
        classes="<results>/runs/{corpus}/{fusion}/seed{seed}/classes.parquet",
    wildcard_constraints:
        corpus="|".join(CLASSES) or "(?!)",


rule train_all:
    """Train every fusion with every seed on every corpus."""
    input:
        [path for name in HERE for path in predictions(name)],
