"""`avf bundle`: put trained runs into a folder that predicts for any clip."""

import argparse
from pathlib import Path

from avfusion.commands import options

HELP = "Make a bundle of trained runs, which `avf predict` reads."
STAGE = 70


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument(
        "runs",
        nargs="*",
        type=Path,
        metavar="RUNS",
        help="folders such as results/runs/demo/jca (all its seeds) or results/runs/demo/jca/seed0",
    )
    sub.add_argument("--best", metavar="CORPUS", help="the fusion with the best validation score")
    sub.add_argument(
        "--out", type=Path, help="folder of the bundle (default: results/bundles/CORPUS)"
    )
    sub.add_argument(
        "--shareable",
        action="store_true",
        default=None,
        help="you declare that the bundle may be handed on; refused if the corpus' terms forbid it",
    )
    sub.add_argument(
        "--check",
        type=Path,
        metavar="BUNDLE",
        help="predict the small clip of a bundle and compare; makes none",
    )
    options.settings_option(sub)


def run(args: argparse.Namespace) -> int:
    """Make a bundle, or check one, and print what it is."""
    from avfusion.errors import ConfigError
    from avfusion.predict.bundle import Bundle
    from avfusion.predict.check import difference

    if args.check:
        bundle = Bundle.open(args.check)
        if bundle.document.check is None:
            raise ConfigError(f"{args.check}: has no check. Make it again with `avf bundle`.")
        gap, most = difference(bundle), bundle.document.check.tolerance
        good = gap <= most
        word = "as expected" if good else "NOT as expected"
        print(f"{args.check}: {bundle.name}: {word}; greatest difference {gap:.1e} of the scale, ")
        print(f"at most {most:g} is allowed. {'' if good else 'Do not use it on this machine.'}")
        return 0 if good else 1
    if bool(args.runs) == bool(args.best):
        raise ConfigError("Name the RUNS of one fusion, or --best CORPUS. See: avf bundle -h")
    from avfusion.config.study import Study
    from avfusion.predict.choose import best
    from avfusion.predict.make import make

    study = options.settings(args, Study, lambda study: study)
    layout = options.layout(args)
    runs = args.runs or [best(args.best, study, layout)]
    out = args.out or layout.bundle(args.best or runs[0].resolve().parts[-2])
    bundle = make(runs, out, study, layout, args.shareable)
    print(f"{bundle.folder}: {bundle.name}; read {bundle.folder / 'card.md'}")
    print(f"avf predict CLIP --model {bundle.folder}")
    return 0
