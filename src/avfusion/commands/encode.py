"""`avf encode`: compute the features of an encoder, or of several."""

import argparse

from avfusion.commands import options

HELP = "Compute the features of an encoder."
STAGE = 31


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument(
        "encoder", nargs="+", help="encoders, or fits of one; they share what they read"
    )
    options.shard_option(sub)
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the features of the videos of one shard."""
    from contextlib import ExitStack

    from avfusion.encoders.stage import encode_together
    from avfusion.io.halves import remove_left
    from avfusion.io.private import private_folder
    from avfusion.io.shards import claimed
    from avfusion.training import device

    encoders = options.encoders(args)
    options.log_outside({use: code for each in encoders for use, code in each.outside.items()})
    layout, shard = options.layout(args), options.shard(args)
    device.take(shard[0])  # shards of one machine spread over its GPUs
    with ExitStack() as claims:
        for settings in encoders:
            folder = layout.features(args.corpus, settings.encoder)
            private_folder(folder.parent)
            remove_left(folder)
            claims.enter_context(claimed(folder, shard))
        encode_together(args.corpus, shard, encoders, layout)
