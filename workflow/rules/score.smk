"""Scores: gold is opened only here and in training, after every prediction is on disk."""

CLASS_TABLES = [f"classes.{kind}" for kind in ("csv", "md", "tex") if CLASSES]


rule score:
    """Score all predictions of a corpus under every protocol of the study."""
    input:
        traces=lambda wildcards: traces(wildcards.corpus),
        media=lay.media("{corpus}") / "index.parquet",
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        manifest=lay.manifest("{corpus}"),
        gold=lay.gold("{corpus}"),
        labels=lay.labels("{corpus}"),
        card=lay.card("{corpus}"),
        protocols=[f"config/protocols/{name}.yaml" for name in study.protocols],
    output:
        scores=lay.scores("{corpus}") / "scores.parquet",
        sums=lay.scores("{corpus}") / "sums.parquet",
    log:
        LOGS / "score" / "{corpus}.log",
    benchmark:
        TIMES / "score-{corpus}.bench.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        results=results_folder,
        code=fingerprint("avfusion.evaluation.score"),
        settings=score_settings,
    shell:
        "avf score {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule score_all:
    """Scores of every corpus."""
    input:
        [lay.scores(name) / "scores.parquet" for name in HERE],
