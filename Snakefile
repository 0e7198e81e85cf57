# The workflow is workflow/Snakefile. This file lets `snakemake --profile slurm all` run from here.
include: "workflow/Snakefile"


rule default:
    """Run `all` if no target is named."""
    input:
        rules.all.input,
