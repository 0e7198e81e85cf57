"""`avf schema`: print the JSON schema of the config."""

import argparse

HELP = "Print the JSON schema of the config."
STAGE = 1


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command (none)."""


def run(args: argparse.Namespace) -> None:
    """Print the schema."""
    from avfusion.config.load import schema

    print(schema(), end="")
