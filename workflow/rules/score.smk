"""Scores; the gold standard is read only here and in training, after all predictions are saved."""


rule score:
    """Score all predictions of a corpus under every protocol of the study."""
    input:
        predictions=lambda wildcards: predictions(wildcards.corpus),
        media="<results>/media/{corpus}/index.parquet",
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
        labels="<results>/manifest/{corpus}/labels.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        truth="<results>/manifest/{corpus}/truth.parquet",
        protocols=expand("config/protocols/{name}.yaml", name=study.protocols),
    output:
        scores="<results>/scores/{corpus}/scores.parquet",
        sums="<results>/scores/{corpus}/sums.parquet",
    wildcard_constraints:
        corpus="|".join([*RATINGS, *CLASSES]) or "(?!)",
    log:
        "<logs>/score/{corpus}.log",
    benchmark:
        "<benchmarks>/score-{corpus}.bench.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        results=results_folder,
        code=fingerprint("avfusion.evaluation.score:score_corpus"),
        settings=settings_of("score", "corpus"),
    shell:
        "avf score {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


use rule score as score_verification with:
    input:
        predictions=lambda wildcards: predictions(wildcards.corpus),
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        trials="<results>/manifest/{corpus}/trials.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
    output:
        scores="<results>/scores/{corpus}/scores.parquet",
        trials="<results>/scores/{corpus}/trials.parquet",
    wildcard_constraints:
        corpus="|".join(VERIFIED) or "(?!)",


rule score_all:
    """Score every corpus."""
    input:
        expand("<results>/scores/{corpus}/scores.parquet", corpus=HERE),
