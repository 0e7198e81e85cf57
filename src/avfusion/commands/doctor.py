"""`avf doctor`: list what is missing on this machine, with the command that fixes it."""

import argparse

HELP = "List what is missing on this machine, with the command that fixes it."
STAGE = 0


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument(
        "--measure",
        action="store_true",
        help="run each encoder for some seconds, and tell how long encoding will take",
    )


def run(args: argparse.Namespace) -> int:
    """Print the findings; return 1 if anything is missing."""
    from avfusion.commands.messages import say, with_study
    from avfusion.doctor.machine import examine

    verdicts = []
    for finding in examine(args.config, args.measure):
        say(with_study(str(finding), args))
        verdicts.append(finding.verdict)
    return int("MISSING" in verdicts or "FAIL" in verdicts)
