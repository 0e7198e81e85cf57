"""`avf status`: done, running, queued and failed jobs of a study, and the time left."""

import argparse

from avfusion.commands import options

HELP = "Tell how far a study is: done, running, queued and failed, and the time left."
STAGE = 63


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> None:
    """Print the state of each stage."""
    import json
    from pathlib import Path

    from avfusion.commands.messages import say
    from avfusion.planning.status import status

    state = status(options.study(args), options.layout(args), Path.cwd())
    say(json.dumps(state.document(), indent=2) if args.json else "\n".join(state.text()))
