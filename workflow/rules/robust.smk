"""Robustness: finished runs on corrupted features, where the study asks for it."""

ROBUST_TABLES = [
    f"{name}.{kind}"
    for name in ("robustness", "areas", "gates")
    for kind in ("csv", "md", "tex")
    if study.robustness
] + (["losses.csv"] if study.robustness else [])


rule robust:
    """Predict and score with corrupted features; read the gates; a killed job goes on."""
    input:
        traces=lambda wildcards: traces(wildcards.corpus),
        features=lambda wildcards: feature_indexes(wildcards.corpus),
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
        code=fingerprint("avfusion.robust", "avfusion.gates"),
        settings=lambda wildcards: as_json(study.robust_settings()),
    shell:
        "avf robust {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule robust_all:
    """Corrupted input on every corpus; nothing where the study names no corruption."""
    input:
        [lay.robustness(name) / "sums.parquet" for name in HERE if study.robustness],
