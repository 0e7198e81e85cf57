"""`avf digests`: compare results with those of another machine, stage by stage."""

import argparse

from avfusion.commands import options
from avfusion.commands.messages import DEFAULT, say
from avfusion.errors import ConfigError

HELP = "Compare results with config/demo_digests.json, stage by stage; or write that file."
STAGE = 64


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument(
        "--write",
        action="store_true",
        help="write config/demo_digests.json from these results, after `make demo`",
    )


def run(args: argparse.Namespace) -> None:
    """Print one line per stage, or write the file."""
    from avfusion.lineage import departures, digests

    if args.write and args.config != DEFAULT:
        raise ConfigError(
            f"--config {args.config}: --write writes the digests of the study in {DEFAULT} only. "
            f"Leave out --config."
        )
    study, layout = options.study(args), options.layout(args)
    if args.write:
        written = digests.write_digests(study, layout)
        say(f"{digests.FILE}: {len(written['stages'])} stages")
        return
    equal, sentence = departures.compared(digests.read_digests(), study, layout)
    for stage, same in equal.items():
        say(f"{'equal' if same else 'differs':<9}{stage}")
    say(sentence)
