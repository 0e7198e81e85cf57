"""`avf score`: score all traces of a corpus."""

import argparse

from avfusion.commands.options import layout, settings, settings_option

HELP = "Score all traces of a corpus."


STAGE = 50


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.evaluation.score import score_corpus

    own = settings(args, lambda study: study.score_settings(args.corpus))
    score_corpus(args.corpus, own, layout(args))
