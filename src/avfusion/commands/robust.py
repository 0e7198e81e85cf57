"""`avf robust`: corrupt the input of finished runs; read gates."""

import argparse

from avfusion.commands.options import layout, settings, settings_option, shard

HELP = "Corrupt the input of finished runs; read gates."


STAGE = 51


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("--shard", help="i/n: only the predictions of every n-th run, from the i-th")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.robustness.attention import write_attention
    from avfusion.robustness.gate_weights import write_gates
    from avfusion.robustness.stage import robust_corpus, write_part

    own = settings(args, lambda study: study.robust_settings())
    if args.shard is not None:
        write_part(args.corpus, shard(args), own, layout(args))
        return
    robust_corpus(args.corpus, own, layout(args))
    write_gates(args.corpus, own, layout(args))
    write_attention(args.corpus, own, layout(args))
