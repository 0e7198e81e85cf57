"""`avf robust`: evaluate trained runs on corrupted input, and export gate weights."""

import argparse

from avfusion.commands import options

HELP = "Evaluate trained runs on corrupted input and export gate weights."
STAGE = 51


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument(
        "--shard", help="i/n: write only the predictions of every n-th run, starting at the i-th"
    )
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write predictions on corrupted input; without `--shard` also scores, gates and attention."""
    from avfusion.config.jobs import RobustSettings
    from avfusion.robustness.attention import write_attention
    from avfusion.robustness.gate_weights import write_gates
    from avfusion.robustness.stage import robust_corpus, write_part

    settings = options.settings(args, RobustSettings, lambda study: study.robust_settings())
    layout = options.layout(args)
    if args.shard is not None:
        write_part(args.corpus, options.shard(args), settings, layout)
        return
    robust_corpus(args.corpus, settings, layout)
    write_gates(args.corpus, settings, layout)
    write_attention(args.corpus, settings, layout)
