"""Robustness: finished runs on corrupted input, if the study names corruptions."""


rule corrupt:
    """Corrupt sound or pictures of the reported partition and encode them."""
    input:
        features="<results>/features/{corpus}/{encoder}/index.parquet",
        weights=encoder_weights,
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
    output:
        "<results>/robustness/{corpus}/features/{corruption}-{level}/{encoder}/index.parquet",
    log:
        "<logs>/corrupt/{corpus}.{corruption}-{level}.{encoder}.log",
    benchmark:
        "<benchmarks>/corrupt-{corpus}-{corruption}-{level}-{encoder}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        settings=settings_of("corrupt", "encoder"),
    shell:
        "avf corrupt {wildcards.corpus} {wildcards.corruption} {wildcards.level} "
        "{wildcards.encoder} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule robust_part:
    """Predict on corrupted input with every n-th run; a killed job resumes."""
    input:
        predictions=lambda wildcards: predictions(wildcards.corpus),
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        signals=signals,
        card="<results>/manifest/{corpus}/corpus.json",
        gold="<results>/manifest/{corpus}/gold.parquet",
    output:
        "<results>/robustness/{corpus}/part-{i}-of-{n}.json",
    log:
        "<logs>/robust/{corpus}.{i}-of-{n}.log",
    benchmark:
        "<benchmarks>/robust_part-{corpus}-{i}-of-{n}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        code=fingerprint("avfusion.robustness.stage:write_part"),
        settings=settings_of("robust"),
    shell:
        "avf robust {wildcards.corpus} --shard {wildcards.i}/{wildcards.n} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule robust:
    """Score predictions on corrupted input; write gates and attention."""
    input:
        parts=robust_parts,
        signals=signals,
        gold="<results>/manifest/{corpus}/gold.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        protocol=f"config/protocols/{study.headline}.yaml",
    output:
        sums="<results>/robustness/{corpus}/sums.parquet",
    log:
        "<logs>/robust/{corpus}.log",
    benchmark:
        "<benchmarks>/robust-{corpus}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        code=fingerprint(
            "avfusion.robustness.stage:robust_corpus",
            "avfusion.robustness.gate_weights:write_gates",
            "avfusion.robustness.attention:write_attention",
        ),
        settings=settings_of("robust"),
    shell:
        "avf robust {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule robust_all:
    """Evaluate every corpus on corrupted input; nothing if the study names no corruption."""
    input:
        expand(
            "<results>/robustness/{corpus}/sums.parquet",
            corpus=RATINGS if study.robustness else [],
        ),
