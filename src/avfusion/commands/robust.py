"""`avf robust`: corrupt the input of finished runs; read gates."""

import argparse

from avfusion.commands._options import layout, settings, settings_option

HELP = "Corrupt the input of finished runs; read gates."
STAGE = 51


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from avfusion.attention import write_attention
    from avfusion.gates import write_gates
    from avfusion.robust import robust_corpus

    own = settings(args, lambda study: study.robust_settings())
    robust_corpus(args.corpus, own, layout(args))
    write_gates(args.corpus, own, layout(args))
    write_attention(args.corpus, own, layout(args))
