"""`avf score`: score the predictions of all runs on a corpus."""

import argparse

from avfusion.commands import options

HELP = "Score the predictions of all runs on a corpus."
STAGE = 50


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the scores of the corpus under every protocol."""
    from avfusion.config.jobs import ScoreSettings
    from avfusion.evaluation.score import score_corpus

    settings = options.settings(
        args, ScoreSettings, lambda study: study.score_settings(args.corpus)
    )
    score_corpus(args.corpus, settings, options.layout(args))
