"""`avf plan`: jobs, hours, memory and disk of a study, before anything runs."""

import argparse

from avfusion.commands import options

HELP = "Tell the jobs, hours, memory and disk that a study will take."
STAGE = 2


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="NAME=VIDEOS:HOURS",
        help="plan a corpus that is not here, by what it will hold, such as affwild2=564:26",
    )
    sub.add_argument("--json", action="store_true", help="print everything as JSON")


def run(args: argparse.Namespace) -> None:
    """Print the plan of a fresh study."""
    import json

    from avfusion.commands.messages import say
    from avfusion.errors import ConfigError
    from avfusion.planning.plan import Plan
    from avfusion.planning.sizes import assumed

    study = options.study(args)
    sizes = dict(map(assumed, args.assume))
    if others := [name for name in sizes if name not in study.corpora]:
        raise ConfigError(
            f"--assume {others[0]}: {args.config} lists no such corpus, only: "
            f"{', '.join(study.corpora)}."
        )
    plan = Plan.of(study, options.layout(args), sizes)
    say(json.dumps(plan.document(), indent=2) if args.json else "\n".join(plan.text()))
