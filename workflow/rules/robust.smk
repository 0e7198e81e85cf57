"""Robustness: finished runs on corrupted input, where the study asks for it."""


rule corrupt:
    """Encode the reported partition's videos with sound or pictures corrupted."""
    input:
        features=lay.features("{corpus}", "{encoder}") / "index.parquet",
        weights=encoder_weights,
        manifest=lay.manifest("{corpus}"),
        gold=lay.gold("{corpus}"),
    output:
        lay.robustness("{corpus}")
        / "features"
        / "{corruption}-{level}"
        / "{encoder}"
        / "index.parquet",
    log:
        LOGS / "corrupt" / "{corpus}.{corruption}-{level}.{encoder}.log",
    benchmark:
        TIMES / "corrupt-{corpus}-{corruption}-{level}-{encoder}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        settings=lambda wildcards: as_json(
            study.signal_settings(wildcards.corpus, wildcards.encoder)
        ),
    shell:
        "avf corrupt {wildcards.corpus} {wildcards.corruption} {wildcards.level} "
        "{wildcards.encoder} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule robust_part:
    """Predict on corrupted input with every n-th run; a killed job goes on."""
    input:
        traces=lambda wildcards: traces(wildcards.corpus),
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        signals=signals,
        card=lay.card("{corpus}"),
        gold=lay.gold("{corpus}"),
    output:
        lay.robustness("{corpus}") / "part-{i}-of-{n}.json",
    log:
        LOGS / "robust" / "{corpus}.{i}-of-{n}.log",
    benchmark:
        TIMES / "robust_part-{corpus}-{i}-of-{n}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        code=fingerprint("avfusion.robustness.predict"),
        settings=lambda wildcards: as_json(study.robust_settings()),
    shell:
        "avf robust {wildcards.corpus} --shard {wildcards.i}/{wildcards.n} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule robust:
    """Score what was predicted on corrupted input; read the gates."""
    input:
        parts=robust_parts,
        signals=signals,
        gold=lay.gold("{corpus}"),
        card=lay.card("{corpus}"),
        protocol=f"config/protocols/{study.headline}.yaml",
    output:
        sums=lay.robustness("{corpus}") / "sums.parquet",
    log:
        LOGS / "robust" / "{corpus}.log",
    benchmark:
        TIMES / "robust-{corpus}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        code=fingerprint("avfusion.robustness.stage", "avfusion.robustness.gates", "avfusion.robustness.attention"),
        settings=lambda wildcards: as_json(study.robust_settings()),
    shell:
        "avf robust {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule robust_all:
    """Corrupted input on every corpus; nothing where the study names no corruption."""
    input:
        [lay.robustness(name) / "sums.parquet" for name in RATINGS if study.robustness],
