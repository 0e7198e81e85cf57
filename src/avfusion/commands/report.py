"""`avf report`: write the tables, figures and report page of a study."""

import argparse

from avfusion.commands import options

HELP = "Write the tables, figures and report page from the scores."
STAGE = 60


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("--only", choices=["tables", "figures", "page"])
    sub.add_argument(
        "--provisional",
        action="store_true",
        help="report the runs that are finished so far, in the folder `provisional` of the results",
    )
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the report, or the part of it that `--only` names."""
    from avfusion.config.study import Study
    from avfusion.errors import ConfigError
    from avfusion.evaluation import threads
    from avfusion.report import write

    study = options.settings(args, Study, lambda study: study)
    if not args.provisional:
        write(study, options.layout(args), only=args.only, processes=threads.count())
        return
    if args.only:
        raise ConfigError("--only cannot be given with --provisional, which writes all parts.")
    from avfusion.commands.messages import say
    from avfusion.report.provisional import write_provisional

    say(write_provisional(study, options.layout(args)) / "report.html")
