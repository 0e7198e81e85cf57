"""`avf adopt`: take over the files of a study that was copied, fetched or switched."""

import argparse
import shlex
from typing import TYPE_CHECKING

from avfusion.commands import options
from avfusion.commands.messages import DEFAULT, say

if TYPE_CHECKING:
    from avfusion.lineage.adoption import Verdict

HELP = "Take over the files of a study that was copied, fetched or switched to another branch."
STAGE = 65


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("targets", nargs="*", default=["all"], help="targets of Snakemake; all")
    sub.add_argument(
        "--stale", action="store_true", help="print only the files to make again, one per line"
    )
    sub.add_argument("--dry-run", "-n", action="store_true", help="compare, but change nothing")


def run(args: argparse.Namespace) -> int:
    """Take over what matches and list what is stale; return 1 if anything is stale."""
    from avfusion.lineage import adoption, jobs, planned
    from avfusion.tracking.connection import follow_move

    layout = options.layout(args)
    plan = planned.plan(args.targets, args.config)
    verdicts = adoption.judge(plan, jobs.read(layout), layout)
    if not args.dry_run:
        planned.touch(verdicts, args.config)
        if (moved := follow_move(layout)) and not args.stale:
            say(f"MLflow: {moved} addresses of artifacts follow the store to {layout.results}")
    again = adoption.to_force(verdicts)
    if args.stale:
        for path in again:
            say(path)
    else:
        _report(verdicts, args.dry_run)
        if again:
            say(f"To make the stale files again, run: {_command(again, args)}")
    return int(bool(again))


def _report(verdicts: "list[Verdict]", dry: bool) -> None:
    """Print the counts, and a line per job that is absent or stale."""
    from avfusion.lineage.adoption import ABSENT, MATCHES, STALE

    states = [verdict.state for verdict in verdicts]
    say(f"{states.count(MATCHES)} of {len(states)} jobs: files {'match' if dry else 'taken over'}")
    for verdict in verdicts:
        if verdict.state == ABSENT:
            say(f"absent  {_named(verdict)}: made if a later job needs it")
    for verdict in verdicts:
        if verdict.state == STALE:
            say(f"STALE   {_named(verdict)}: {verdict.reason}")


def _command(again: list[str], args: argparse.Namespace) -> str:
    """Return the command that makes stale files again; Snakemake may not see what is stale."""
    words = ["snakemake", "--cores", "all"]
    words += [] if args.config == DEFAULT else ["--configfile", str(args.config)]
    return shlex.join([*words, "--forcerun", *again, "--", *args.targets])


def _named(verdict: "Verdict") -> str:
    first, *others = verdict.job.outputs
    return f"{verdict.job.rule} {first}" + (f" and {len(others)} more" if others else "")
