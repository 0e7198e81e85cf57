"""`avf encode`: write one encoder's features."""

import argparse

from avfusion.commands.options import layout, settings, settings_option, shard, shard_option

HELP = "Write one encoder's features."


STAGE = 31


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("encoder")
    shard_option(sub)
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.encoders.stage import encode_shard
    from avfusion.io.shards import claimed
    from avfusion.training import device

    own = settings(args, lambda study: study.encoder_settings(args.encoder, args.corpus))
    device.take(shard(args)[0])  # shards of one machine spread over its GPUs
    with claimed(layout(args).features(args.corpus, args.encoder), shard(args)):
        encode_shard(args.corpus, shard(args), own, layout(args))
