"""Delay: how late the raters answer, asked for by name; no other target runs it."""


rule delay:
    """Search the delay at which features tell the ratings best, on the train partition alone."""
    input:
        features=lambda wildcards: feature_indexes(wildcards.corpus),
        manifest=lay.manifest("{corpus}"),
        gold=lay.gold("{corpus}"),
        card=lay.card("{corpus}"),
    output:
        lay.delays("{corpus}"),
    log:
        LOGS / "delay" / "{corpus}.log",
    benchmark:
        TIMES / "delay-{corpus}.bench.tsv"
    wildcard_constraints:
        corpus="|".join(RATINGS) or "(?!)",
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        results=results_folder,
        code=fingerprint("avfusion.evaluation.delays"),
        settings=lambda wildcards: as_json(study.delay_settings()),
    shell:
        "avf delay {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule delays:
    """How late the raters of every corpus answer, each with a line for the config."""
    input:
        [lay.delays(name) for name in RATINGS],
