"""`avf submit`: write a run's test predictions in the format of the corpus' challenge."""

import argparse
from pathlib import Path

from avfusion.commands.messages import say
from avfusion.commands.options import corpus_settings, layout, settings_option

HELP = "Write a run's test predictions in the format of the corpus' challenge."
STAGE = 51


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("fusion")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--template", type=Path, help="default: the template in the corpus folder")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the submission and print its path."""
    from avfusion.evaluation.submit import submit

    run_name = args.fusion, args.seed
    say(submit(args.corpus, corpus_settings(args), run_name, args.template, layout(args)))
