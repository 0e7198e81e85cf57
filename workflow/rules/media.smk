"""Media: from video files to face tracks and log-mel spectrograms on one timeline."""


rule media:
    """Read every n-th video; one that cannot be read keeps its row and does not stop the job."""
    input:
        manifest=lay.manifest("{corpus}"),
        twin=twin_media,
    output:
        shard_path(lay.media("{corpus}"), ("{i}", "{n}")),
    log:
        LOGS / "media" / "{corpus}.{i}-of-{n}.log",
    benchmark:
        TIMES / "media-{corpus}-{i}-of-{n}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        code=fingerprint("avfusion.media.stage"),
        settings=media_settings,
    shell:
        "avf media {wildcards.corpus} --shard {wildcards.i}/{wildcards.n} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule media_index:
    """Join the shards to one row a video."""
    input:
        lambda wildcards: shards(lay.media(wildcards.corpus), wildcards.corpus),
    output:
        lay.media("{corpus}") / "index.parquet",
    log:
        LOGS / "media" / "{corpus}.index.log",
    benchmark:
        TIMES / "media_index-{corpus}.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=600,
        runtime=10,
    params:
        folder=str(lay.media("{corpus}")),
        parts=lambda wildcards: study.corpora[wildcards.corpus].shards,
    shell:
        "avf index {params.folder:q} --shards {params.parts} 2>&1 | tee {log:q}"


rule media_all:
    """Face tracks and log-mels of every corpus."""
    input:
        [lay.media(name) / "index.parquet" for name in HERE],
