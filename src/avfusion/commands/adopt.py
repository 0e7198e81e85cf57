"""`avf adopt`: take over the files of a study that was copied, fetched or switched."""

import argparse
import shlex
from pathlib import Path
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
        "--stale",
        action="store_true",
        help="print only the files to make again, one per line; the exit status is then 0",
    )
    sub.add_argument("--dry-run", "-n", action="store_true", help="compare, but change nothing")


def run(args: argparse.Namespace) -> int:
    """Take over what matches and list what is stale; return 1 if it lists anything stale."""
    from avfusion.lineage import adoption, jobs, planned
    from avfusion.tracking.connection import follow_move

    layout = options.layout(args)
    plan = planned.plan(args.targets, args.config)
    verdicts = adoption.judge(plan, jobs.read(layout), layout)
    if not args.dry_run:
        planned.touch(verdicts, args.config)
        if (moved := follow_move(layout)) and not args.stale:
            say(f"MLflow: {moved} addresses of artifacts follow the store to {layout.results}")
        _show(verdicts, args)
    again = adoption.to_force(verdicts)
    if args.stale:
        for path in again:
            say(path)
        return 0
    held = planned.held(verdicts)
    _report(verdicts, held, args.dry_run)
    if again:
        say(f"To make the stale files again, run: {_command(again, held, args)}")
    return int(bool(again))


def _show(verdicts: "list[Verdict]", args: argparse.Namespace) -> None:
    """Record the studies that MLflow showed and does not show as they are now."""
    from avfusion.lineage.adoption import MATCHES
    from avfusion.tracking.record import show_again

    layout, settings = options.layout(args), options.study(args).record_settings()
    for verdict in verdicts:
        if verdict.job.rule == "record" and verdict.state == MATCHES:
            corpus = Path(verdict.job.outputs[0]).name.removeprefix("mlflow.").removesuffix(".json")
            if show_again(corpus, settings, layout) and not args.stale:
                say(f"MLflow: {corpus} is recorded again: its store did not show it as it is now")


def _report(verdicts: "list[Verdict]", held: dict[str, str], dry: bool) -> None:
    """Print the counts, and a line per job that is absent, stale, held or not compared in full."""
    from avfusion.lineage.adoption import ABSENT, MATCHES, STALE

    states = [verdict.state for verdict in verdicts]
    count = states.count(MATCHES) - len(held)
    say(f"{count} of {len(states)} jobs: files {'match' if dry else 'taken over'}")
    for verdict in verdicts:
        if verdict.job.rule == "verify" and not verdict.job.inputs and verdict.state == MATCHES:
            name = Path(verdict.job.outputs[0]).parent.name
            say(f"{name}: its files were not compared; run: avf verify {name}")
    for path, cause in held.items():
        say(f"held    {path}: matches, and is taken over after {cause}, which is stale")
    for verdict in verdicts:
        if verdict.state == ABSENT:
            say(f"absent  {_named(verdict)}: made if a later job needs it")
    for verdict in verdicts:
        if verdict.state == STALE:
            say(f"STALE   {_named(verdict)}: {verdict.reason}")


def _command(again: list[str], held: dict[str, str], args: argparse.Namespace) -> str:
    """Return the command that makes stale files again; Snakemake may not see what is stale.

    If files are held, only the stale ones are made, and what matches is then taken over.
    """
    words = ["snakemake", "--cores", "all"]
    words += [] if args.config == DEFAULT else ["--configfile", str(args.config)]
    targets = again if held else args.targets
    command = shlex.join([*words, "--forcerun", *again, "--", *targets])
    given = [] if args.config == DEFAULT else ["--config", str(args.config)]
    return (
        f"{command} && {shlex.join(['avf', 'adopt', *args.targets, *given])}" if held else command
    )


def _named(verdict: "Verdict") -> str:
    first, *others = verdict.job.outputs
    return f"{verdict.job.rule} {first}" + (f" and {len(others)} more" if others else "")
