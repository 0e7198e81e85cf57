"""Corpora: generated if avf can make them, then checked and described by a manifest."""


rule make_corpus:
    """Generate a corpus; its options determine every video, by a seed among others."""
    output:
        "{root}/corpus.json",
    log:
        "<logs>/{root}/make_corpus.log",
    benchmark:
        "<benchmarks>/{root}/make_corpus.bench.tsv"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        corpus=made_name,
        code=made_code,
        assets=made_assets,
        settings=made_settings,
    shell:
        "avf make-corpus {params.corpus} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule verify:
    """Check the corpus against its documentation; write manifest, gold, labels and truth."""
    input:
        tree=corpus_tree,
    output:
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
        labels="<results>/manifest/{corpus}/labels.parquet",
        truth="<results>/manifest/{corpus}/truth.parquet",
        card="<results>/manifest/{corpus}/corpus.json",
        checks="<results>/manifest/{corpus}/checks.csv",
    log:
        "<logs>/verify/{corpus}.log",
    benchmark:
        "<benchmarks>/verify-{corpus}.bench.tsv"
    threads: 4
    resources:
        mem_mb=2000,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        code=corpus_code,
        assets=corpus_assets,
        settings=settings_of("verify", "corpus"),
    shell:
        "avf verify {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule corpus_all:
    """Generate and verify every corpus of the study."""
    input:
        expand("<results>/manifest/{corpus}/manifest.parquet", corpus=HERE),
