"""Bundles, which predict for any clip, and the predictions of an example."""


rule bundle:
    """Put the seeds of the fusion that is best on validation into a folder; register it in MLflow."""
    input:
        rules.score_all.input,
        rules.train_all.input,
        rules.features_all.input,
    output:
        directory("<results>/bundles/{corpus}"),
    log:
        "<logs>/bundle/{corpus}.log",
    benchmark:
        "<benchmarks>/{corpus}.bundle.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        results=results_folder,
        code=fingerprint("avfusion.prediction.make:make", "avfusion.tracking.clips:register_bundle"),
        settings=settings_of("report"),
    shell:
        "avf bundle --best {wildcards.corpus} --out {output:q} --register "
        "--results {params.results:q} --settings {params.settings:q} 2>&1 | tee {log:q}"


rule bundle_all:
    """The bundle of each corpus with ratings over time."""
    input:
        expand("<results>/bundles/{corpus}", corpus=RATINGS),


rule example:
    """Predict the clip of a bundle: a person who is not in the corpus."""
    input:
        "<results>/bundles/{corpus}",
    output:
        multiext("<results>/examples/{corpus}/clip", ".html", ".csv", ".png", ".json"),
    log:
        "<logs>/example/{corpus}.log",
    benchmark:
        "<benchmarks>/{corpus}.example.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_folder,
        code=fingerprint("avfusion.prediction.many:run"),
        trust="--trust-code" if study.outside() else "",  # the code of this study
    shell:
        "avf predict {input:q}/check/clip.mp4 --model {input:q} --formats html,csv,png {params.trust} "
        "--out {params.results:q}/examples/{wildcards.corpus} --results {params.results:q} "
        "2>&1 | tee {log:q}"


rule example_all:
    """The predictions of an example by the bundle of each corpus with ratings over time."""
    input:
        expand(rules.example.output[0], corpus=RATINGS),
