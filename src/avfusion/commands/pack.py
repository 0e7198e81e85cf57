"""`avf pack`: put what may be handed on of a study into one archive."""

import argparse
from pathlib import Path

from avfusion.commands.messages import say

HELP = "Pack tables, figures, page, settings and seals of a study, which may be handed on."
STAGE = 66


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("folder", type=Path, metavar="RESULTS", help="results folder of a study")
    sub.add_argument("--out", type=Path, metavar="FILE.zip", required=True, help="the archive")
    sub.add_argument(
        "--with-names",
        action="append",
        default=[],
        metavar="CORPUS",
        help="you declare that names and ratings of its single videos may be handed on; refused "
        "if the corpus' terms forbid it",
    )


def run(args: argparse.Namespace) -> None:
    """Write the archive; print what is in it, and what was left out and why."""
    from avfusion.api.saved import read_study
    from avfusion.errors import ConfigError
    from avfusion.layout import Layout
    from avfusion.lineage.tables import stamp_of
    from avfusion.report.pack import closed, pack, write

    if args.out.suffix != ".zip":
        raise ConfigError(f"--out {args.out}: the name must end in .zip.")
    layout = Layout(args.folder)
    if stamp := stamp_of(layout):
        raise ConfigError(
            f"{args.folder}: {stamp}. Only finished studies are packed. To finish it, run: "
            f"snakemake all. Then pack the folder above, {layout.results.absolute().parent}."
        )
    study = read_study(layout)
    result = pack(study, layout, args.with_names)
    write(result, args.out)
    for corpus, terms in closed(study, args.with_names).items():
        say(f"{corpus}: packed without names and ratings of single videos. {terms}")
    for name, reason in sorted(result.left_out.items()):
        say(f"left out  {name}: {reason}")
    say(f"{args.out}: {len(result.files)} files, listed with digests in contents.json")
