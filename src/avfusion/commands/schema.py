"""`avf schema`: print the JSON schema of the config."""

import argparse

HELP = "Print the JSON schema of the config."


STAGE = 1


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.config.load import schema

    print(schema(), end="")
