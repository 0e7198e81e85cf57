"""`avf encode`: compute the features of an encoder, or of several."""

import argparse

from avfusion.commands import options

HELP = "Compute the features of an encoder."
STAGE = 31


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("encoder", nargs="+", help="one after the other, such as the fits of one")
    options.shard_option(sub)
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the features of the videos of one shard."""
    from avfusion.encoders.stage import encode_shard
    from avfusion.io.halves import remove_left
    from avfusion.io.private import private_folder
    from avfusion.io.shards import claimed
    from avfusion.training import device

    encoders = options.encoders(args)
    options.log_outside({use: code for each in encoders for use, code in each.outside.items()})
    layout, shard = options.layout(args), options.shard(args)
    device.take(shard[0])  # shards of one machine spread over its GPUs
    for settings in encoders:
        folder = layout.features(args.corpus, settings.encoder)
        private_folder(folder.parent)
        remove_left(folder)
        with claimed(folder, shard):
            encode_shard(args.corpus, shard, settings, layout)
