"""Grids: hyper-parameters chosen on validation, if the study or a fusion has a grid."""


rule grid_point:
    """Train one point of a fusion's grid, without any video of the test partition."""
    input:
        features=train_features,
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        protocol=point_protocol,
    output:  # as of rule train
        traces="<results>/grids/{corpus}/{fusion}/{point}/seed{seed}/traces.parquet",
    log:
        "<logs>/grid/{corpus}.{fusion}.{point}.seed{seed}.log",
    benchmark:
        "<benchmarks>/grid-{corpus}-{fusion}-{point}-{seed}.bench.tsv"
    wildcard_constraints:
        corpus="|".join(RATINGS) or "(?!)",
    priority: training_request("core_s", "grid_point")  # as of rule train
    threads: 1
    resources:
        mem_mb=training_request("mb", "grid_point"),
        runtime=training_request("minutes", "grid_point"),
    params:
        results=results_folder,
        settings=settings_of("grid", "corpus", "fusion", "point", "seed"),
    shell:
        "avf train {wildcards.corpus} {wildcards.fusion} --seed {wildcards.seed} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


use rule grid_point as grid_point_classes with:
    input:
        features=train_features,
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        labels="<results>/manifest/{corpus}/labels.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
    output:
        classes="<results>/grids/{corpus}/{fusion}/{point}/seed{seed}/classes.parquet",
    wildcard_constraints:
        corpus="|".join(CLASSES) or "(?!)",


use rule grid_point as grid_point_verification with:
    input:
        features=train_features,
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        trials="<results>/manifest/{corpus}/trials.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
    output:
        embeddings="<results>/grids/{corpus}/{fusion}/{point}/seed{seed}/embeddings.parquet",
    wildcard_constraints:
        corpus="|".join(VERIFIED) or "(?!)",


rule choose:
    """Choose the best point of a fusion's grid on validation."""
    input:
        points=grid_predictions,
    output:
        "<results>/grids/{corpus}/{fusion}/chosen.json",
    log:
        "<logs>/grid/{corpus}.{fusion}.log",
    benchmark:
        "<benchmarks>/choose-{corpus}-{fusion}.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=600,
        runtime=10,
    params:
        results=results_folder,
        code=fingerprint("avfusion.runs.choose:choose"),
        settings=settings_of("choose", "corpus", "fusion"),
    shell:
        "avf choose {wildcards.corpus} {wildcards.fusion} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"
