"""Media: from video files to face tracks and sound on one timeline."""


rule media:
    """Read every n-th video; an unreadable one keeps its row and does not stop the job."""
    input:
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        earlier=earlier_media,
    output:
        "<results>/media/{corpus}/shard-{i}-of-{n}.parquet",
    log:
        "<logs>/media/{corpus}.{i}-of-{n}.log",
    benchmark:
        "<benchmarks>/media-{corpus}-{i}-of-{n}.bench.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        code=fingerprint("avfusion.media.stage:run_shard"),
        settings=settings_of("media", "corpus"),
    shell:
        "avf media {wildcards.corpus} --shard {wildcards.i}/{wildcards.n} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule media_index:
    """Join the shards to one row per video."""
    input:
        lambda wildcards: shards(
            "<results>/media/{corpus}/shard-{i}-of-{n}.parquet", corpus=wildcards.corpus
        ),
    output:
        "<results>/media/{corpus}/index.parquet",
    log:
        "<logs>/media/{corpus}.index.log",
    benchmark:
        "<benchmarks>/media_index-{corpus}.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=600,
        runtime=10,
    params:
        code=fingerprint("avfusion.io.shards:join"),
        folder=subpath(output[0], parent=True),
        parts=lambda wildcards: study.corpora[wildcards.corpus].shards,
    shell:
        "avf index {params.folder:q} --shards {params.parts} 2>&1 | tee {log:q}"


rule media_all:
    """Make face tracks and the sound of every corpus."""
    input:
        expand("<results>/media/{corpus}/index.parquet", corpus=HERE),
