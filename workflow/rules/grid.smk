"""Grids: hyper-parameters chosen on validation, where the study or a fusion has a grid."""


rule grid_point:
    """Train one point of a fusion's grid; it is given no video of the test partition."""
    input:
        features=lambda wildcards: feature_indexes(wildcards.corpus, wildcards.fusion),
        manifest=lay.manifest("{corpus}"),
        gold=lay.gold("{corpus}"),
        card=lay.card("{corpus}"),
    output:
        epochs=lay.grid_run("{corpus}", "{fusion}", "{point}", "{seed}") / "epochs.csv",
        traces=lay.grid_run("{corpus}", "{fusion}", "{point}", "{seed}") / "traces.parquet",
    log:
        LOGS / "grid" / "{corpus}.{fusion}.{point}.seed{seed}.log",
    benchmark:
        TIMES / "grid-{corpus}-{fusion}-{point}-{seed}.bench.tsv"
    wildcard_constraints:
        corpus="|".join(RATINGS) or "(?!)",
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        results=results_folder,
        settings=point_settings,
    shell:
        "avf train {wildcards.corpus} {wildcards.fusion} --seed {wildcards.seed} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


use rule grid_point as grid_point_classes with:
    input:
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        manifest=lay.manifest("{corpus}"),
        labels=lay.labels("{corpus}"),
        card=lay.card("{corpus}"),
    output:
        epochs=lay.grid_run("{corpus}", "{fusion}", "{point}", "{seed}") / "epochs.csv",
        classes=lay.grid_run("{corpus}", "{fusion}", "{point}", "{seed}") / "classes.parquet",
    wildcard_constraints:
        corpus="|".join(CLASSES) or "(?!)",


rule choose:
    """Take the best point of a fusion's grid, by validation alone."""
    input:
        points=grid_epochs,
    output:
        lay.chosen("{corpus}", "{fusion}"),
    log:
        LOGS / "grid" / "{corpus}.{fusion}.log",
    benchmark:
        TIMES / "choose-{corpus}-{fusion}.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=600,
        runtime=10,
    params:
        results=results_folder,
        code=fingerprint("avfusion.runs.choose"),
        settings=grid_settings,
    shell:
        "avf choose {wildcards.corpus} {wildcards.fusion} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"
