"""Training: one run a fusion and seed, from cached features to predictions on disk."""


rule train:
    """Fit one fusion with one seed; killed, it goes on from its last epoch; diverged, it says so."""
    input:
        features=lambda wildcards: feature_indexes(wildcards.corpus, wildcards.fusion),
        manifest=lay.manifest("{corpus}"),
        gold=lay.gold("{corpus}"),
        card=lay.card("{corpus}"),
        chosen=chosen,
    output:
        epochs=lay.run("{corpus}", "{fusion}", "{seed}") / "epochs.csv",
        traces=lay.run("{corpus}", "{fusion}", "{seed}") / "traces.parquet",
    log:
        LOGS / "train" / "{corpus}.{fusion}.seed{seed}.log",
    benchmark:
        TIMES / "train-{corpus}-{fusion}-{seed}.bench.tsv"
    wildcard_constraints:
        corpus="|".join(RATINGS) or "(?!)",
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        results=results_folder,
        settings=run_settings,
    shell:
        "avf train {wildcards.corpus} {wildcards.fusion} --seed {wildcards.seed} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


use rule train as train_classes with:
    input:
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        manifest=lay.manifest("{corpus}"),
        labels=lay.labels("{corpus}"),
        card=lay.card("{corpus}"),
        chosen=chosen,
    output:
        epochs=lay.run("{corpus}", "{fusion}", "{seed}") / "epochs.csv",
        classes=lay.run("{corpus}", "{fusion}", "{seed}") / "classes.parquet",
    wildcard_constraints:
        corpus="|".join(CLASSES) or "(?!)",


rule train_all:
    """Every fusion with every seed on every corpus."""
    input:
        [path for name in HERE for path in traces(name)],
