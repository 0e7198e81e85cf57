"""Records of finished jobs in the results, which `avf adopt` compares with the plan.

What compares contents is imported when it is used: it takes long, and each plan reads this file.
"""

import shlex
from dataclasses import asdict

from snakemake.io import is_flagged

PLAN = "AVF_ADOPT"
"""Environment variable of `avf adopt`: where to write the plan, or "touch"."""

LEFT_OUT = {"lost"}
"""Params that say why a job ran, and nothing about its files."""


def planned(keep=lambda job: True):
    """Return the jobs of the plan, each after those that it depends on.

    Snakemake documents no access to the jobs of a plan; `workflow.dag` is what its hooks see.
    """
    from avfusion.lineage import jobs

    listed = [job for level in workflow.dag.toposorted() for job in level if job.output]
    return [
        jobs.Job(
            job.rule.name,
            job.rule.shellcmd or "",
            {n: compared(n, value) for n, value in job.params.items() if n not in LEFT_OUT},
            sorted({str(path) for path in job.input if not is_flagged(path, "ancient")}),
            sorted(map(str, job.output)),
            sorted({str(path) for path in job.input if is_flagged(path, "ancient")}),
        )
        for job in listed
        if keep(job)
    ]


def compared(name, value):
    """Return a param as it is recorded: its settings without where a corpus lies."""
    from avfusion.lineage import jobs

    ours = name == "settings" and Path(value).is_relative_to(lay.results / "settings")
    return jobs.shown(jobs.without_root(value) if ours else value)


def record_jobs():
    """Record the jobs that ran now; a study does not fail if its records do.

    Of other jobs it is not known whether their files are of the present settings: the user may have
    told Snakemake to look at dates only.
    """
    if PLAN in os.environ or workflow.touch:
        return
    from avfusion.lineage import jobs

    try:
        jobs.add(planned(workflow.dag.finished), lay)
    except (AvfError, OSError) as error:
        text = f"{lay.jobs}: not written ({error}). `avf adopt` will know no new job."
        logger.warning(of_study(text))


def due_unknown(job):
    """Return whether Snakemake would replace files that it has no record of, unasked."""
    dag = workflow.dag
    if not dag.needrun(job) or dag.reason(job).forced:
        return False
    there = any(os.path.exists(path) for path in job.output)
    return there and not workflow.persistence.has_metadata(job)


def refuse_to_overwrite():
    """Stop if Snakemake would make files again that match, because it has no record of them."""
    due = {path for job in planned(due_unknown) for path in job.outputs}
    if not due:
        return
    from avfusion.lineage import adoption
    from avfusion.lineage import jobs

    try:
        records = jobs.read(lay)
    except AvfError as error:
        raise WorkflowError(of_study(str(error))) from None
    if not records:
        return
    verdicts = adoption.judge(planned(), records, lay)
    same = [v for v in verdicts if v.state == adoption.MATCHES and due.intersection(v.job.outputs)]
    if same:
        text = (
            f"These results were copied or fetched: Snakemake would make the files of {len(same)} "
            f"jobs again that match already, such as {same[0].job.outputs[0]}. To take them over, "
            f"run: avf adopt. To make everything again, run: rm {shlex.quote(str(lay.jobs))}"
        )
        raise WorkflowError(of_study(text))


onstart:
    plan = os.environ.get(PLAN)
    if plan is None and not workflow.touch:
        refuse_to_overwrite()
        write_losses()
    elif plan not in (None, "touch"):
        write_text(Path(plan), json.dumps([asdict(job) for job in planned()]))
        raise WorkflowError("The plan is written.")
