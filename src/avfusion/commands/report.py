"""`avf report`: write the tables, figures and report page of a study."""

import argparse

from avfusion.commands import options

HELP = "Write the tables, figures and report page from the scores."
STAGE = 60


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("--only", choices=["tables", "figures", "page"])
    options.settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Write the report, or the part of it that `--only` names."""
    from avfusion.config.study import Study
    from avfusion.report import write

    study = options.settings(args, Study, lambda study: study)
    write(study, options.layout(args), only=args.only)
