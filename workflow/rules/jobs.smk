"""Records of finished jobs in the results, which `avf adopt` compares with the plan.

What compares contents is imported when it is used: it takes long, and each plan reads this file.
"""

from dataclasses import asdict

from snakemake.io import is_flagged

PLAN = "AVF_ADOPT"
"""Environment variable of `avf adopt`: where to write the plan, or "touch"."""


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
            {name: jobs.shown(value) for name, value in job.params.items()},
            sorted({str(path) for path in job.input if not is_flagged(path, "ancient")}),
            sorted(map(str, job.output)),
        )
        for job in listed
        if keep(job)
    ]


def known_finished(job):
    """Return whether a job ran now, or ran before and Snakemake has its record."""
    dag = workflow.dag
    return dag.finished(job) if dag.needrun(job) else not dag.reason(job).no_metadata


def record_jobs():
    """Record the jobs that are finished; a study does not fail if its records do."""
    if PLAN in os.environ or workflow.touch:
        return
    from avfusion.lineage import jobs

    try:
        jobs.add(planned(known_finished), lay)
    except (AvfError, OSError) as error:
        logger.warning(f"{lay.jobs}: not written ({error}). `avf adopt` will know no new job.")


def refuse_to_overwrite():
    """Stop if Snakemake, without any record, would make files again that are as they should be."""
    if any(Path(".snakemake/metadata").glob("*")):
        return
    from avfusion.lineage import adoption
    from avfusion.lineage import jobs

    try:
        records = jobs.read(lay)
    except AvfError as error:
        raise WorkflowError(str(error)) from None
    if not records:
        return
    due = {path for job in planned(workflow.dag.needrun) for path in job.outputs}
    verdicts = adoption.judge(planned(), records, lay)
    same = [v for v in verdicts if v.state == adoption.MATCHES and due.intersection(v.job.outputs)]
    if same:
        raise WorkflowError(
            f"These results were copied or fetched: Snakemake would make the files of {len(same)} "
            f"jobs again that match already, such as {same[0].job.outputs[0]}. To take them over, "
            f"run: avf adopt. To make everything again, run: rm {lay.jobs}"
        )


onstart:
    plan = os.environ.get(PLAN)
    if plan is None:
        refuse_to_overwrite()
    elif plan != "touch":
        write_text(Path(plan), json.dumps([asdict(job) for job in planned()]))
        raise WorkflowError("The plan is written.")
