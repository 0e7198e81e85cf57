"""`avf corrupt`: encode corrupted sound or pictures of the reported partition."""

import argparse

from avfusion.commands.options import layout, settings, settings_option

HELP = "Encode corrupted sound or pictures of the reported partition."


STAGE = 51


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("corruption", help="such as audio_noise_db (src/avfusion/corruptions.py)")
    sub.add_argument("level", type=float, help="such as 10")
    sub.add_argument("encoder")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.config.corruptions import signal_of
    from avfusion.encoders.corrupt import corrupt_features
    from avfusion.robustness.stage import reported_partition

    signal_of(args.corruption, args.encoder)
    own = settings(args, lambda study: study.signal_settings(args.corpus, args.encoder))
    partition = reported_partition(args.corpus, layout(args))
    case = args.corruption, args.level
    corrupt_features(args.corpus, case, partition, own, layout(args))
