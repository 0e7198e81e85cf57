"""Corpora: generated where avf can make them, then checked and written down as a manifest."""


rule make_corpus:
    """Generate the corpus whose root this is; every video follows from the seed in its options."""
    output:
        "{root}/corpus.json",
    log:
        LOGS / "{root}" / "make_corpus.log",
    benchmark:
        TIMES / "{root}" / "make_corpus.bench.tsv"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        corpus=made_name,
        code=made_code,
        settings=made_settings,
    shell:
        "avf make-corpus {params.corpus} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule verify:
    """Check the tree against what the corpus promises; write manifest, gold, labels and truth."""
    input:
        tree=corpus_tree,
    output:
        manifest=lay.manifest("{corpus}"),
        gold=lay.gold("{corpus}"),
        labels=lay.labels("{corpus}"),
        truth=lay.truth("{corpus}"),
        card=lay.card("{corpus}"),
        checks=lay.checks("{corpus}"),
    log:
        LOGS / "verify" / "{corpus}.log",
    benchmark:
        TIMES / "verify-{corpus}.bench.tsv"
    threads: 4
    resources:
        mem_mb=2000,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        results=results_folder,
        code=corpus_code,
        settings=corpus_settings,
    shell:
        "avf verify {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule corpus_all:
    """Every corpus of the study, made and verified."""
    input:
        [lay.manifest(name) for name in HERE],
