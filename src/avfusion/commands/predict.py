"""`avf predict`: valence and arousal over time for any clip."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from avfusion.commands import options
from avfusion.commands.messages import say

if TYPE_CHECKING:
    from avfusion.prediction.many import Outcome

HELP = "Predict valence and arousal over time for clips of your own."
STAGE = 71

FORMATS = "csv,html"

NOT_LIVE = {
    "start": "rows begin where the recording begins",
    "end": "rows end where the recording ends",
    "every": "rows are written as they become final; average them afterwards",
    "embed": "there is no page",
    "transcript": "words come after the recording",
    "jobs": "one recording is followed",
    "formats": "rows are appended to a CSV file; make others from the recording afterwards",
}
"""Options that --live refuses, and why."""

ONLY_LIVE = ("update", "behind", "idle")


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
    options.trust_option(sub)
    sub.add_argument("--jobs", type=int, help="clips at a time (default: 1)")
    live = sub.add_argument_group("while the clip is recorded")
    live.add_argument(
        "--live",
        action="store_true",
        help="CLIP is still being written: a file, a named pipe, or - for standard input",
    )
    live.add_argument("--update", type=float, metavar="S", help="predict every S (default: 1)")
    live.add_argument(
        "--behind", type=float, metavar="S", help="leave out rows later than this (default: 10)"
    )
    live.add_argument(
        "--idle", type=float, metavar="S", help="a file that does not grow has ended (default: 10)"
    )


def run(args: argparse.Namespace) -> int:
    """Predict every clip, list what failed, and return 1 if anything did."""
    from avfusion.errors import ConfigError
    from avfusion.prediction.find import find
    from avfusion.prediction.formats.write import check_formats
    from avfusion.prediction.many import Order, Outcome, run
    from avfusion.prediction.place import chosen
    from avfusion.prediction.request import Request

    if args.live:
        return _live(args)
    for name in ONLY_LIVE:
        if getattr(args, name) is not None:
            raise ConfigError(f"--{name}: only with --live.")
    formats = FORMATS if args.formats is None else args.formats
    order = Order(
        model=chosen(args),
        out=args.out,
        request=Request(args.face, args.start, args.end, args.every),
        formats=tuple(dict.fromkeys(filter(None, formats.split(",")))),
        embed=args.embed,
        files=tuple(options.weights(args)),
        trust_code=args.trust_code,
        transcript=args.transcript,
    )
    check_formats(order.formats)
    failed: list[Outcome] = []
    printed: set[str] = set()
    clips = find(args.clips, sys.stdin if "-" in args.clips else ())
    if args.transcript and len(clips) > 1:
        raise ConfigError(f"--transcript is of one clip, but {len(clips)} are named. Name one.")
    for outcome in run(clips, order, args.jobs or 1):
        if outcome.reason:
            failed.append(outcome)
        else:
            names = ", ".join(str(path) for path in outcome.files)
            say(f"{outcome.clip.path}: {'kept' if outcome.kept else 'wrote'} {names}")
            _remark(outcome, printed)
    for outcome in failed:
        say(f"failed: {outcome.reason}", error=True)
    if len(clips) > 1 or failed:
        good = len(clips) - len(failed)
        say(f"{good} of {len(clips)} clips predicted, {len(failed)} failed", error=True)
    return 1 if failed else 0


def _remark(outcome: "Outcome", printed: set[str]) -> None:
    """Print the remarks about a clip; those about the model only if they were not `printed` yet."""
    from avfusion.prediction.doubts import OF_MODEL

    for remark in outcome.remarks:
        of_model = remark in OF_MODEL
        if not (of_model and remark in printed):
            say(f"  {'note' if of_model else outcome.clip.path}: {remark}", error=True)
        printed.add(remark)


def _live(args: argparse.Namespace) -> int:
    """Predict one clip while it is recorded."""
    from avfusion.errors import ConfigError
    from avfusion.prediction.live.run import Live, live, saying_once, signals
    from avfusion.prediction.place import chosen
    from avfusion.prediction.request import Request

    if len(args.clips) > 1:
        raise ConfigError(f"--live: {len(args.clips)} clips; name one.")
    for name, why in NOT_LIVE.items():
        if getattr(args, name) not in (None, False) and not (
            name == "formats" and args.formats == "csv"
        ):
            raise ConfigError(f"--{name}: not with --live; {why}.")
    if args.face == "all":
        raise ConfigError("--face all: not with --live, which follows one person; name another.")
    seconds = {f"{name}_s": getattr(args, name) for name in ONLY_LIVE}
    order = Live(
        source=args.clips[0],
        model=chosen(args),
        out=args.out,
        request=Request(args.face),
        files=tuple(options.weights(args)),
        trust_code=args.trust_code,
        **{name: value for name, value in seconds.items() if value is not None},
    )
    with saying_once(), signals() as stop:
        table = live(order, say, stop)
    say(f"wrote {table}, {table.with_suffix('.json')}")
    return 0
