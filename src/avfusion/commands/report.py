"""`avf report`: write tables, figures and the page from the scores."""

import argparse

from avfusion.commands.options import layout, settings, settings_option

HELP = "Write tables, figures and the page from the scores."


STAGE = 60


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("--only", choices=["tables", "figures", "page"])
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.report import write

    own = settings(args, lambda study: study.model_dump())
    write(own, layout(args), only=args.only)
