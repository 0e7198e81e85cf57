"""`avf encode`: compute the features of one encoder."""

import argparse

from avfusion.commands import options

HELP = "Compute the features of one encoder."
STAGE = 31


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("encoder")
    options.shard_option(sub)
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the features of the videos of one shard."""
    from avfusion.config.jobs import EncoderSettings
    from avfusion.encoders.stage import encode_shard
    from avfusion.io.private import private_folder
    from avfusion.io.shards import claimed
    from avfusion.training import device

    settings = options.settings(
        args, EncoderSettings, lambda study: study.encoder_settings(args.encoder, args.corpus)
    )
    options.log_outside(settings.outside)
    layout, shard = options.layout(args), options.shard(args)
    device.take(shard[0])  # shards of one machine spread over its GPUs
    private_folder(layout.features(args.corpus, args.encoder).parent)
    with claimed(layout.features(args.corpus, args.encoder), shard):
        encode_shard(args.corpus, shard, settings, layout)
