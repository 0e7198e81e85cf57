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


rule obtain:
    """Download a corpus whose entry says `download: true`; what is there is not read again."""
    output:
        "{root}/obtained.json",
    log:
        "<logs>/{root}/obtain.log",
    benchmark:
        "<benchmarks>/{root}/obtain.bench.tsv"
    wildcard_constraints:
        root="|".join(re.escape(ROOTS[name]) for name in OBTAINED) or "(?!)",
    localrule: True  # the machines of a cluster often have no way to the internet
    threads: 1
    resources:
        mem_mb=1000,
        runtime=1440,
    params:
        corpus=lambda wildcards: first_at(wildcards.root, OBTAINED),
        settings=obtain_settings,
    shell:
        "avf obtain {params.corpus} --accept-licence --settings {params.settings:q} 2>&1 "
        "| tee {log:q}"


rule verify:
    """Check the corpus against its documentation; write manifest, gold, labels and others."""
    input:
        tree=corpus_tree,
    output:
        manifest="<results>/manifest/{corpus}/manifest.parquet",
        gold="<results>/manifest/{corpus}/gold.parquet",
        labels="<results>/manifest/{corpus}/labels.parquet",
        truth="<results>/manifest/{corpus}/truth.parquet",
        votes="<results>/manifest/{corpus}/votes.parquet",
        trials="<results>/manifest/{corpus}/trials.parquet",
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
