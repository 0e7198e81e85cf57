"""Report: tables, figures and the page from the scores, and the runs shown in MLflow."""


rule tables:
    """Scores, paired comparisons, protocols, the papers' claims and their numbers as tables."""
    input:
        rules.score_all.input,
        rules.robust_all.input,
        claims="config/claims.yaml",
        published="config/published.csv",
    output:
        scores=report(
            lay.tables / "scores.csv",
            caption="../report/scores.rst",
            category="Tables",
            labels={"corpus": "all", "shows": "scores"},
        ),
        metrics=lay.metrics,
        plot=lay.plot,
        others=[
            lay.tables / name
            for name in (
                "scores.md",
                "scores.tex",
                "scores_validation.csv",
                "comparisons.csv",
                "comparisons.md",
                "comparisons.tex",
                "protocols.csv",
                "protocols.md",
                "claims.csv",
                "claims.md",
                "claims.tex",
                "published.csv",
                "published.md",
                "published.tex",
                "runs.csv",
                "summary.json",
                *ROBUST_TABLES,
                *CLASS_TABLES,
                *GRID_TABLES,
            )
        ],
    log:
        LOGS / "report" / "tables.log",
    benchmark:
        TIMES / "tables.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_folder,
        code=fingerprint("avfusion.report.tables.write"),
        settings=report_settings,
    shell:
        "avf report --only tables --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures:
    """CCC with intervals, traces with the planted corruptions, training curves."""
    input:
        rules.score_all.input,
        rules.train_all.input,
        rules.tables.output,
    output:
        png=[
            report(
                lay.figures / f"{name}_{kind}.png",
                caption=f"../report/{kind.partition('_')[0]}.rst",
                category="Figures",
                labels={"corpus": name, "shows": kind},
            )
            for name in HERE
            for kind in figures_of(name)
        ],
        svg=[lay.figures / f"{name}_{kind}.svg" for name in HERE for kind in figures_of(name)],
        captions=lay.figures / "captions.json",
    log:
        LOGS / "report" / "figures.log",
    benchmark:
        TIMES / "figures.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_folder,
        code=fingerprint("avfusion.report.figures.write"),
        settings=report_settings,
    shell:
        "avf report --only figures --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule page:
    """One page that opens offline: table, figures, what is missing, where numbers come from."""
    input:
        rules.tables.output,
        rules.figures.output,
        templates=sorted(Path("src/avfusion/report/page/templates").iterdir()),
    output:
        report(
            lay.page,
            caption="../report/page.rst",
            category="Page",
            labels={"corpus": "all", "shows": "everything"},
        ),
    log:
        LOGS / "report" / "page.log",
    benchmark:
        TIMES / "page.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_folder,
        code=fingerprint("avfusion.report.page.write"),
        settings=report_settings,
    shell:
        "avf report --only page --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule record:
    """Show the finished runs in MLflow; without its server the study is whole all the same."""
    input:
        rules.score.output.scores,
        rules.figures.output,
    output:
        lay.results / "mlflow.{corpus}.json",
    log:
        LOGS / "record" / "{corpus}.log",
    benchmark:
        TIMES / "record-{corpus}.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        results=results_folder,
        failures=lambda wildcards: failures(wildcards.corpus),
        code=fingerprint("avfusion.tracking.record"),
        settings=record_settings,
    shell:
        "avf record {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule report_all:
    """Tables, figures and the page."""
    input:
        rules.tables.output,
        rules.figures.output,
        rules.page.output,


rule record_all:
    """Every corpus' runs in MLflow."""
    input:
        [lay.results / f"mlflow.{name}.json" for name in HERE],


onsuccess:
    for name in HERE:
        if not_recorded(name):
            logger.warning(
                f"{name}: all results are there; showing them in MLflow is PENDING. The next "
                f"`snakemake` does it, or `avf record {name}`: {LOGS / 'record' / name}.log"
            )


onerror:
    if said := clock.explained(lay.results):
        logger.error(said)
