"""`avf corrupt`: encode corrupted audio or video of the reported partition."""

import argparse

from avfusion.commands import options

HELP = "Encode corrupted audio or video of the reported partition."
STAGE = 51


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("corruption", help="such as audio_noise_db (avf doctor checks the names)")
    sub.add_argument("level", type=float, help="such as 10")
    sub.add_argument("encoder")
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write one encoder's features under one corruption."""
    from avfusion.config.corruptions import signal_of
    from avfusion.config.jobs import CorruptSettings
    from avfusion.encoders.corrupt import corrupt_features
    from avfusion.evaluation.partitions import reported_in_corpus
    from avfusion.io.halves import remove_left
    from avfusion.io.private import private_folder

    settings = options.settings(
        args, CorruptSettings, lambda study: study.signal_settings(args.encoder)
    )
    signal_of(args.corruption, settings.encoder.class_, settings.encoder.modality)
    layout = options.layout(args)
    partition = reported_in_corpus(args.corpus, layout)
    case = args.corruption, args.level
    folder = layout.corrupted(args.corpus, *case, settings.encoder.encoder)
    private_folder(folder.parent.parent)
    remove_left(folder)
    corrupt_features(args.corpus, case, partition, settings, layout)
