"""`avf media`: decode videos, track faces, store sound and detect speech."""

import argparse

from avfusion.commands import options

HELP = "Decode videos, track faces, store sound and detect speech."
STAGE = 20


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    options.shard_option(sub)
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the media of the videos of one shard."""
    from avfusion.config.jobs import MediaJobSettings
    from avfusion.io.private import private_folder
    from avfusion.io.shards import claimed
    from avfusion.media.stage import run_shard

    shard = options.shard(args)
    settings = options.settings(
        args, MediaJobSettings, lambda study: study.media_settings(args.corpus)
    )
    layout = options.layout(args)
    folder = layout.media(args.corpus)
    private_folder(folder)
    with claimed(folder, shard):
        run_shard(args.corpus, shard, settings, layout)
