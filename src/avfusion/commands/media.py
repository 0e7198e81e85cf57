"""`avf media`: decode, track faces and compute log-mels."""

import argparse
from pathlib import Path

from avfusion.commands.options import known, layout, settings, settings_option, shard, shard_option

HELP = "Decode, track faces and compute log-mels."


STAGE = 20


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    shard_option(sub)
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.io.shards import claimed
    from avfusion.media.stage import run_shard

    own = settings(args, lambda study: study.media.model_dump())
    root = own.pop("root", None) or known(args).corpora[args.corpus].root
    with claimed(layout(args).media(args.corpus), shard(args)):
        run_shard(args.corpus, Path(root), shard(args), own, layout(args))
