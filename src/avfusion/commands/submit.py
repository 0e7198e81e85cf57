"""`avf submit`: write a run's predictions as the corpus' challenge wants them."""

import argparse
from pathlib import Path

from avfusion.commands.options import corpus_settings, layout, settings_option

HELP = "Write a run's test predictions as the corpus' challenge wants them."


STAGE = 51


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("fusion")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--template", type=Path, help="default: the one that lies in the corpus")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.evaluation.submit import submit

    own, paths = corpus_settings(args), layout(args)
    print(submit(args.corpus, own, (args.fusion, args.seed), args.template, paths))
