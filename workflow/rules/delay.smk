"""Annotation delay; `all` does not run it, `snakemake delays` does."""


rule delay:
    """Estimate the annotation delay on the train partition."""
    input:
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
    output:
        "<results>/delays/{corpus}.csv",
    log:
        "<logs>/delay/{corpus}.log",
    benchmark:
        "<benchmarks>/delay-{corpus}.bench.tsv"
    wildcard_constraints:
        corpus="|".join(RATINGS) or "(?!)",
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        results=results_folder,
        code=fingerprint("avfusion.evaluation.delays:search"),
        settings=settings_of("delay"),
    shell:
        "avf delay {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule delays:
    """Estimate the annotation delay of every corpus with ratings, as a line for the config."""
    input:
        expand("<results>/delays/{corpus}.csv", corpus=RATINGS),
