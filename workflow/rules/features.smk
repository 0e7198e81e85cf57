"""Features: each encoder runs once per video, and every fusion trains from its output."""


rule fit_encoder:
    """Fit an encoder on the train partition; a killed job resumes from its last epoch."""
    input:
        index="<results>/media/{corpus}/index.parquet",
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        weights=named_files,
    output:
        weights="<results>/encoders/{corpus}/{encoder}/best.safetensors",
    log:
        "<logs>/fit_encoder/{corpus}.{encoder}.log",
    benchmark:
        "<benchmarks>/fit_encoder-{corpus}-{encoder}.bench.tsv"
    wildcard_constraints:
        encoder="|".join(name for name in SINGLE if name in FITTED) or "(?!)",
    threads: lambda wildcards: study.processes(wildcards.encoder)
    resources:
        mem_mb=lambda wildcards, attempt, threads: 3000 * attempt * threads,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        fits=lambda wildcards: fits_of_job(wildcards.encoder),
        settings=settings_of("encode", "corpus", "encoder"),
        weights=weights_digest,
    shell:
        "avf fit-encoder {wildcards.corpus} {params.fits} --processes {threads} "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


use rule fit_encoder as fit_encoders with:
    output:
        weights=of_fits("<results>/encoders/{corpus}/{encoder}/best.safetensors"),
    wildcard_constraints:
        encoder="|".join(SEVERAL) or "(?!)",


rule encode:
    """Encode every n-th video on the grid of clips; a clip without input has a NaN row."""
    input:
        index="<results>/media/{corpus}/index.parquet",
        weights=encoder_weights,
        earlier=earlier_features,
    output:
        "<results>/features/{corpus}/{encoder}/shard-{i}-of-{n}.parquet",
    log:
        "<logs>/encode/{corpus}.{encoder}.{i}-of-{n}.log",
    benchmark:
        "<benchmarks>/encode-{corpus}-{encoder}-{i}-of-{n}.bench.tsv"
    wildcard_constraints:
        encoder="|".join(SINGLE) or "(?!)",
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        results=results_folder,
        fits=lambda wildcards: fits_of_job(wildcards.encoder),
        settings=settings_of("encode", "corpus", "encoder"),
        weights=weights_digest,
        lost=lost_features,
    shell:
        "avf encode {wildcards.corpus} {params.fits} "
        "--shard {wildcards.i}/{wildcards.n} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


use rule encode as encode_fits with:
    input:
        index="<results>/media/{corpus}/index.parquet",
        weights=of_fits("<results>/encoders/{corpus}/{encoder}/best.safetensors"),
    output:
        of_fits("<results>/features/{corpus}/{encoder}/shard-{i}-of-{n}.parquet"),
    wildcard_constraints:
        encoder="|".join(SEVERAL) or "(?!)",


rule feature_index:
    """Join the shards to one row per video."""
    input:
        lambda wildcards: shards(
            "<results>/features/{corpus}/{encoder}/shard-{i}-of-{n}.parquet",
            corpus=wildcards.corpus,
            encoder=fits_of_job(wildcards.encoder),
        ),
    output:
        "<results>/features/{corpus}/{encoder}/index.parquet",
    log:
        "<logs>/encode/{corpus}.{encoder}.index.log",
    benchmark:
        "<benchmarks>/feature_index-{corpus}-{encoder}.bench.tsv"
    wildcard_constraints:
        encoder="|".join(SINGLE) or "(?!)",
    localrule: True
    threads: 1
    resources:
        mem_mb=600,
        runtime=10,
    params:
        code=fingerprint("avfusion.io.shards:join"),
        folders=lambda wildcards, output: [str(Path(path).parent) for path in output],
        parts=lambda wildcards: study.corpora[wildcards.corpus].shards,
    shell:
        "avf index {params.folders:q} --shards {params.parts} 2>&1 | tee {log:q}"


use rule feature_index as feature_indexes_of_fits with:
    output:
        of_fits("<results>/features/{corpus}/{encoder}/index.parquet"),
    wildcard_constraints:
        encoder="|".join(SEVERAL) or "(?!)",


rule features_all:
    """Make features of every encoder in use."""
    input:
        [path for name in HERE for path in feature_indexes(name)],
