"""Report: tables, figures and the page from the scores, and the runs recorded in MLflow."""

from importlib.resources import files

from avfusion.evaluation.threads import count
from avfusion.report import elsewhere
from avfusion.report.figures import catalogue as figure_catalogue
from avfusion.report.tables import catalogue as table_catalogue
from avfusion.tracking.place import page_command

TABLES = table_catalogue.tables_of(study, HERE)
try:
    figure_catalogue.check_files(study, HERE)
except AvfError as error:
    raise WorkflowError(str(error)) from None
FIGURES = [(name, kind) for name in HERE for kind in figure_catalogue.figures_of(study, name)]

# The templates of the page are files of the installed package.
CONTENTS = [
    (path.name, path.read_bytes())
    for path in (files("avfusion.report.page") / "templates").iterdir()
    if path.is_file()
]
TEMPLATES = hashlib.sha256(repr(sorted(CONTENTS)).encode()).hexdigest()[:16]

# The table, figure and section about human votes depend on them, and are not listed as outputs.
VOTES = expand("<results>/manifest/{corpus}/votes.parquet", corpus=HERE)

# Tables and figures leave one core to the bundle and the records, which take as long.
DRAWING = max(1, count() - 1)


rule tables:
    """Write scores, comparisons, protocols, claims and published numbers as tables."""
    input:
        rules.score_all.input,
        rules.robust_all.input,
        votes=VOTES,
        claims="config/claims.yaml",
        published="config/published.csv",
        elsewhere=[str(elsewhere.FILE)] if elsewhere.FILE.is_file() else [],
    output:
        scores=report(
            "<results>/tables/scores.csv",
            caption="../report/scores.rst",
            category="Tables",
            labels={"corpus": "all", "shows": "scores"},
        ),
        metrics="<results>/metrics.json",
        plot="<results>/ccc.csv",
        others=expand(
            "<results>/tables/{name}", name=[name for name in TABLES if name != "scores.csv"]
        ),
    log:
        "<logs>/report/tables.log",
    benchmark:
        "<benchmarks>/tables.bench.tsv"
    localrule: True
    threads: DRAWING
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_folder,
        code=fingerprint("avfusion.report.tables.write:write_tables", *table_catalogue.code()),
        settings=settings_of("report"),
    shell:
        "avf report --only tables --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule figures:
    """Draw the figures of every corpus, such as scores, predictions and training curves."""
    input:
        rules.score_all.input,
        rules.train_all.input,
        rules.tables.output,
        votes=VOTES,
    output:
        png=[
            report(
                f"<results>/figures/{name}_{kind}.png",
                caption="../report/figure.rst",
                category="Figures",
                labels={"corpus": name, "shows": figure_catalogue.title(kind)},
            )
            for name, kind in FIGURES
        ],
        svg=[f"<results>/figures/{name}_{kind}.svg" for name, kind in FIGURES],
        captions="<results>/figures/captions.json",
    log:
        "<logs>/report/figures.log",
    benchmark:
        "<benchmarks>/figures.bench.tsv"
    localrule: True
    threads: DRAWING
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_folder,
        code=fingerprint("avfusion.report.figures.write:write_figures", *figure_catalogue.code()),
        captions=figure_catalogue.captions(),  # read by report/figure.rst
        settings=settings_of("report"),
    shell:
        "avf report --only figures --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule page:
    """Write one page that opens offline: tables, figures, what is missing, and provenance."""
    input:
        rules.tables.output,
        rules.figures.output,
        votes=VOTES,
    output:
        report(
            "<results>/report.html",
            caption="../report/page.rst",
            category="Page",
            labels={"corpus": "all", "shows": "everything"},
        ),
    log:
        "<logs>/report/page.log",
    benchmark:
        "<benchmarks>/page.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        results=results_folder,
        code=fingerprint("avfusion.report.page.write:write_page"),
        templates=TEMPLATES,
        settings=settings_of("report"),
    shell:
        "avf report --only page --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule record:
    """Record the finished runs in MLflow; a study does not fail if its server is down."""
    input:
        rules.score.output.scores,
        rules.figures.output,
    output:
        "<results>/mlflow.{corpus}.json",
    log:
        "<logs>/record/{corpus}.log",
    benchmark:
        "<benchmarks>/record-{corpus}.bench.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        results=results_folder,
        failures=lambda wildcards: failures(wildcards.corpus),
        code=fingerprint("avfusion.tracking.record:record_corpus"),
        settings=settings_of("record"),
    shell:
        "avf record {wildcards.corpus} --results {params.results:q} "
        "--settings {params.settings:q} 2>&1 | tee {log:q}"


rule report_all:
    """Write tables, figures and the page."""
    input:
        rules.tables.output,
        rules.figures.output,
        rules.page.output,


rule record_all:
    """Record the runs of every corpus in MLflow."""
    input:
        expand("<results>/mlflow.{corpus}.json", corpus=HERE),


onsuccess:
    record_jobs()
    for name in HERE:
        if address := view(name):
            logger.info(
                f"{name}: compare its fusions in MLflow: run `{page_command(lay)}`, open {address}"
            )
        if not_recorded(name):
            text = (
                f"{name}: all results are there; showing them in MLflow is PENDING. Run "
                f"`snakemake all` again, or `avf record {name}`: {LOGS / 'record' / name}.log"
            )
            logger.warning(of_study(text))


onerror:
    record_jobs()
    if message := clock.explained(lay.results):
        logger.error(message)
