"""`avf doctor`: say what is missing on this machine and what mends it."""

import argparse

HELP = "Say what is missing on this machine and what mends it."


STAGE = 0


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""


def run(args: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    from avfusion.doctor.machine import examine

    verdicts = []
    for finding in examine(args.config):
        print(finding)
        verdicts.append(finding.verdict)
    return int("MISSING" in verdicts)
