"""`avf fit-encoder`: fit an encoder on train."""

import argparse

from avfusion.commands._options import layout, settings, settings_option

HELP = "Fit an encoder on train."
STAGE = 30


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("encoder")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.encoders.base import fit

    own = settings(args, lambda study: study.encoder_settings(args.encoder, args.corpus))
    fit(args.corpus, own, layout(args))
