"""`avf bundle`: put trained runs into a folder that predicts for any clip."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from avfusion.commands import options
from avfusion.commands.messages import say

if TYPE_CHECKING:
    from avfusion.prediction.bundle import Bundle

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
    sub.add_argument(
        "--onnx",
        action="store_true",
        help="also write ONNX graphs of members and encoders; needs `make extras`",
    )
    sub.add_argument(
        "--register",
        action="store_true",
        help="register the bundle in MLflow as a model of clips, after it was made or checked",
    )
    sub.add_argument(
        "--store", metavar="URI", help="for --register; default: SQLite under the results folder"
    )
    options.weights_option(sub)
    options.trust_option(sub)
    options.settings_option(sub)


def run(args: argparse.Namespace) -> int:
    """Make a bundle, or check one, and print what it is."""
    from avfusion.errors import ConfigError

    if args.store and not args.register:
        raise ConfigError("--store names where --register registers the bundle. Add --register.")
    if args.check:
        if args.onnx:
            raise ConfigError(
                "--onnx is for making a bundle, and --check makes none. Leave one out."
            )
        return _check(args)
    if bool(args.runs) == bool(args.best):
        raise ConfigError("Name the RUNS of one fusion, or --best CORPUS. See: avf bundle -h")
    from avfusion.config.study import Study
    from avfusion.prediction.choose import best
    from avfusion.prediction.make import corpus_of, make

    study = options.settings(args, Study, lambda study: study)
    layout = options.layout(args)
    runs = args.runs or [best(args.best, study, layout)]
    out = args.out or layout.bundle(args.best or corpus_of(runs[0]))
    bundle = make(runs, out, study, layout, args.shareable, args.onnx)
    say(f"{bundle.folder}: {bundle.name}; read {bundle.folder / 'card.md'}")
    say(f"avf predict CLIP --model {bundle.folder}")
    if graphs := bundle.document.onnx:
        say(f"{bundle.folder / 'onnx'}: {len(graphs.files)} ONNX graphs")
    _register(args, bundle)
    return 0


def _check(args: argparse.Namespace) -> int:
    """Compare what a bundle predicts here with what it predicted where it was made."""
    from avfusion.errors import ConfigError
    from avfusion.prediction.bundle import Bundle
    from avfusion.prediction.check import difference

    bundle = Bundle.open(args.check, dict(options.weights(args)), args.trust_code)
    if bundle.document.check is None:
        raise ConfigError(f"{args.check}: has no check. Make it again with `avf bundle`.")
    gap, most = difference(bundle), bundle.document.check.tolerance
    good = gap <= most
    word = "as expected" if good else "NOT as expected"
    say(f"{args.check}: {bundle.name}: {word}; greatest difference {gap:.1e} of the scale, ")
    say(f"at most {most:g} is allowed. {'' if good else 'Do not use it on this machine.'}")
    if good:
        _register(args, bundle)
    return 0 if good else 1


def _register(args: argparse.Namespace, bundle: "Bundle") -> None:
    if args.register:
        from avfusion.tracking.clips import register_bundle

        version = register_bundle(bundle, options.layout(args), args.store)
        if version:
            say(f"{version}: registered in MLflow")
