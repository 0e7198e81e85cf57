# From raw video to the table: `snakemake --cores 2 all`. One stage a file in workflow/rules.
from snakemake.utils import min_version

min_version("9.0")


# A file given by --configfile is a study of its own if it lists fusions; else it is laid over this.
if "fusions" not in config:

    configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/optional.smk"
include: "workflow/rules/corpus.smk"
include: "workflow/rules/media.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/delay.smk"
include: "workflow/rules/grid.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/robust.smk"
include: "workflow/rules/report.smk"


rule all:
    """Tables, figures, the page, and every run in MLflow."""
    default_target: True
    input:
        rules.report_all.input,
        rules.record_all.input,
