"""`avf serve`: a local web app that predicts clips and plays them with the predictions."""

import argparse
import os
from pathlib import Path

from avfusion.commands import options

HELP = "Serve a web page on this machine: drop a clip, watch its predictions, download them."
STAGE = 72


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("--model", type=Path, metavar="BUNDLE", help="default: that of the results")
    sub.add_argument("--port", type=int, default=8765, help="0 takes a free one (default: 8765)")
    sub.add_argument(
        "--host",
        default="127.0.0.1",
        help="where to listen; others than this machine need a token (default: 127.0.0.1)",
    )
    sub.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="holds what users must know; default: AVF_TOKEN, or one is made if needed",
    )
    sub.add_argument("--most-mb", type=float, default=500, help="largest clip (default: 500)")
    sub.add_argument("--most-minutes", type=float, default=30, help="longest clip (default: 30)")
    sub.add_argument("--keep", type=Path, metavar="FOLDER", help="also write results there")
    sub.add_argument("--jobs", type=int, help="clips at a time (default: one per core)")
    options.weights_option(sub)
    options.trust_option(sub)


def run(args: argparse.Namespace) -> None:
    """Serve until the server is stopped, which removes all clips."""
    from avfusion.prediction.app.options import TOKEN_NAME, Options
    from avfusion.prediction.app.run import run
    from avfusion.prediction.place import chosen

    token = os.environ.get(TOKEN_NAME, "")
    if args.token_file:
        token = args.token_file.read_text(encoding="utf-8").strip()
    given = Options(
        model=chosen(args),
        host=args.host,
        port=args.port,
        token=token or None,
        most_mb=args.most_mb,
        most_minutes=args.most_minutes,
        keep=args.keep,
        files=dict(options.weights(args)),
        trust_code=args.trust_code,
        jobs=len(os.sched_getaffinity(0)) if args.jobs is None else args.jobs,
    )
    kept = "removes all clips" if args.keep is None else f"removes all clips, not {args.keep}"
    try:
        run(given, lambda at: print(f"{at}\nCtrl-C stops the server and {kept}.", flush=True))
    except KeyboardInterrupt:
        print("stopped")
