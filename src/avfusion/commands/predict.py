"""`avf predict`: valence and arousal over time for any clip."""

import argparse
import sys
from pathlib import Path

from avfusion.commands import options

HELP = "Predict valence and arousal over time for clips of your own."
STAGE = 71


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument(
        "clips",
        nargs="+",
        metavar="CLIP",
        help="videos, sound files, folders of them, or - for a list on standard input",
    )
    sub.add_argument("--model", type=Path, metavar="BUNDLE", help="default: that of the results")
    sub.add_argument("--out", type=Path, default=Path("predictions"), help="default: predictions")
    sub.add_argument(
        "--formats",
        default="csv,html",
        help="some of csv, parquet, vtt, eaf, audformat, png, html, video (default: csv,html)",
    )
    sub.add_argument("--embed", action="store_true", help="put the video into the page")
    sub.add_argument(
        "--face",
        choices=["largest", "left", "right", "speaker", "all"],
        help="which person; `all` gives rows of everyone (default: as in training)",
    )
    sub.add_argument("--start", type=float, metavar="S", help="begin at this second")
    sub.add_argument("--end", type=float, metavar="S", help="end at this second")
    sub.add_argument("--every", type=float, metavar="S", help="means over so many seconds")
    sub.add_argument("--transcript", type=Path, help="words of the clip, for models that read text")
    options.weights_option(sub)
    sub.add_argument("--jobs", type=int, default=1, help="clips at a time (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Predict every clip, list what failed, and return 1 if anything did."""
    from avfusion.errors import ConfigError
    from avfusion.prediction.formats.write import check_formats
    from avfusion.prediction.many import Order, find, run
    from avfusion.prediction.place import default_model
    from avfusion.prediction.request import Request

    if args.transcript and len(args.clips) > 1:
        raise ConfigError("--transcript is of one clip; name one.")
    order = Order(
        model=args.model or default_model(args.results),
        out=args.out,
        request=Request(args.face, args.start, args.end, args.every),
        formats=tuple(dict.fromkeys(filter(None, args.formats.split(",")))),
        embed=args.embed,
        files=tuple(options.weights(args)),
        transcript=args.transcript,
    )
    check_formats(order.formats)
    failed = []
    clips = find(args.clips, sys.stdin if "-" in args.clips else ())
    for outcome in run(clips, order, args.jobs):
        if outcome.reason:
            failed.append(outcome)
        else:
            names = ", ".join(str(path) for path in outcome.files)
            print(f"{outcome.clip.path}: {'kept' if outcome.kept else 'wrote'} {names}")
    for outcome in failed:
        print(f"failed: {outcome.reason}", file=sys.stderr)
    if len(clips) > 1 or failed:
        good = len(clips) - len(failed)
        print(f"{good} of {len(clips)} clips predicted, {len(failed)} failed", file=sys.stderr)
    return 1 if failed else 0
