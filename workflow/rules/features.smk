"""Features: each encoder runs once per video; every fusion trains from what it leaves."""


rule fit_encoder:
    """Fit an encoder on the train partition alone; a killed job goes on from its last epoch."""
    input:
        index=lay.media("{corpus}") / "index.parquet",
        manifest=lay.manifest("{corpus}"),
        gold=lay.gold("{corpus}"),
        card=lay.card("{corpus}"),
    output:
        weights=lay.encoder("{corpus}", "{encoder}") / "best.safetensors",
    log:
        LOGS / "fit_encoder" / "{corpus}.{encoder}.log",
    benchmark:
        TIMES / "fit_encoder-{corpus}-{encoder}.bench.tsv"
    threads: lambda wildcards: study.processes(wildcards.encoder)
    resources:
        mem_mb=lambda wildcards, attempt, threads: 3000 * attempt * threads,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        settings=encoder_settings,
    shell:
        "avf fit-encoder {wildcards.corpus} {wildcards.encoder} --processes {threads} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule encode:
    """Features of every n-th video on the grid of clip ends; a NaN row where nothing was seen."""
    input:
        index=lay.media("{corpus}") / "index.parquet",
        weights=encoder_weights,
        twin=twin_features,
    output:
        shard_path(lay.features("{corpus}", "{encoder}"), ("{i}", "{n}")),
    log:
        LOGS / "encode" / "{corpus}.{encoder}.{i}-of-{n}.log",
    benchmark:
        TIMES / "encode-{corpus}-{encoder}-{i}-of-{n}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        results=results_folder,
        settings=encoder_settings,
    shell:
        "avf encode {wildcards.corpus} {wildcards.encoder} "
        "--shard {wildcards.i}/{wildcards.n} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule feature_index:
    """Join the shards to one row a video."""
    input:
        lambda wildcards: shards(
            lay.features(wildcards.corpus, wildcards.encoder), wildcards.corpus
        ),
    output:
        lay.features("{corpus}", "{encoder}") / "index.parquet",
    log:
        LOGS / "encode" / "{corpus}.{encoder}.index.log",
    benchmark:
        TIMES / "feature_index-{corpus}-{encoder}.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=600,
        runtime=10,
    params:
        folder=str(lay.features("{corpus}", "{encoder}")),
        parts=lambda wildcards: study.corpora[wildcards.corpus].shards,
    shell:
        "avf index {params.folder:q} --shards {params.parts} 2>&1 | tee {log:q}"


rule features_all:
    """Features of every encoder in use."""
    input:
        [path for name in HERE for path in feature_indexes(name)],
