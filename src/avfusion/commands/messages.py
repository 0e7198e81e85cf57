"""Messages of the command line: suggested commands repeat the study that was named."""

import argparse
import logging
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from avfusion.errors import AvfError
from avfusion.io.cells import visible

DEFAULT = Path("config/config.yaml")

_PART = r"(?:'[^'\n]*'|[^'\n]|'(?![^'\n]*'))"
"""A quoted part of a command, or one character; an apostrophe without another one is one."""

SUGGESTED = re.compile(
    r"`(?P<quoted>(?:avf|snakemake) [^`]+)`"
    rf"|(?:(?<=: )|(?<=->  ))(?P<plain>(?:avf|snakemake) {_PART}*?)(?=\. |,? or |[,;] | \(|\n|$)",
    re.MULTILINE,
)
"""A command in backticks, or one after a colon or the arrow of `avf doctor`."""

NO_STUDY = ("compare", "index", "pack", "schema", "trace")
"""Commands that read no study: their arguments name a folder or a table."""

NO_ARGUMENTS = ("adopt", "doctor", "plan", "report", "status")
"""Commands that need no argument; the name of another one without arguments is only mentioned."""

WRITERS = {
    "manifest": "avf verify {0}",
    "media": "`avf media {0}` and `avf index {folder} --shards 1`",
    "encoders": "avf fit-encoder {0} {1}",
    "features": "`avf encode {0} {1}` and `avf index {folder} --shards 1`",
    "runs": "avf train {0} {1} --seed {seed}",
    "scores": "avf score {0}",
    "robustness": "avf robust {0}",
    "tables": "avf report --only tables",
}
"""Folder of the results -> the command that writes a file below it."""


def with_study(text: str, args: argparse.Namespace) -> str:
    """Add --config, --results or --settings of a command to the commands that a text suggests.

    `--settings` holds the settings of one job, so only the same command repeats it.
    """

    def repeated(match: re.Match[str]) -> str:
        name = "quoted" if match["quoted"] else "plain"
        command = match[name]
        return match[0].replace(command, f"{command}{_options(command.split(), args)}", 1)

    return SUGGESTED.sub(repeated, text)


def of_files(text: str, files: Sequence[str]) -> str:
    """Add the config files of a workflow to the commands that a text suggests.

    `avf` takes one file next to the default, so the text says if a study has several.
    """
    others = [name for name in files if Path(name) != DEFAULT]
    if len(others) > 1:
        return (
            f"{text} This study has several config files: add --configfile {shlex.join(others)} to "
            f"snakemake; add --config FILE to avf, where FILE holds the settings of all of them."
        )
    config = Path(others[0]) if others else DEFAULT
    return with_study(text, argparse.Namespace(config=config, results=None))


def _options(words: list[str], args: argparse.Namespace) -> str:
    """Return the options to add to a suggested command."""
    settings = getattr(args, "settings", None)
    config = None if settings or args.config == DEFAULT else args.config
    options: dict[str, Path | None]
    if words[0] == "snakemake":
        options = {"--configfile": config}
    elif words[1] in NO_STUDY or "-h" in words or _mentioned(words):
        return ""
    elif settings and words[1] == args.command:
        options = {"--settings": settings, "--results": args.results}
    else:
        options = {"--config": config, "--results": None if settings else args.results}
    if {"--config", "--settings", "--configfile"} & {*words}:
        return ""
    added = ((name, path) for name, path in options.items() if path and name not in words)
    return "".join(f" {name} {shlex.quote(str(path))}" for name, path in added)


def _mentioned(words: list[str]) -> bool:
    """Return whether a command is only mentioned, because its arguments are not given."""
    return len(words) == 2 and words[1] not in NO_ARGUMENTS


def absent(error: OSError, results: Path) -> str:
    """Return a message with the command that writes a missing file of the results; else "".

    Parameters
    ----------
    error
        A FileNotFoundError of Python or of PyArrow, which names the file in its arguments.
    results
        Folder of the results.
    """
    path = Path(str(error.filename or (error.args or [""])[0]))
    if not isinstance(error, FileNotFoundError) or path.exists():
        return ""
    try:
        stage, *names = path.absolute().relative_to(results.absolute()).parts
    except ValueError:
        return ""
    if stage not in WRITERS or (len(names) < 2 and stage != "tables"):
        return ""
    seed = (re.search(r"seed(\d+)", str(path)) or ["", "0"])[1]
    command = WRITERS[stage].format(*names, seed=seed, folder=path.parent)
    return f"File not found: {path}. An earlier stage writes it. Run: {command}"


def say(text: object, error: bool = False) -> None:
    """Print the result of a command, or an error, without what a terminal would obey."""
    print(visible(str(text)), file=sys.stderr if error else sys.stdout, flush=True)


class Formatter(logging.Formatter):
    """Format log lines as `with_study` formats messages."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")
        self.args = args

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of logging
        """Return a line with the study in its suggested commands."""
        return visible(with_study(super().formatMessage(record), self.args))


def describe(error: AvfError | OSError, args: argparse.Namespace) -> str:
    """Return the message of an expected failure; "" if the error is not one."""
    if isinstance(error, AvfError):
        return visible(with_study(str(error), args))
    if isinstance(error, PermissionError):
        return visible(
            f"{error}. Faces, sound and features are for the user who made them, unless AVF_UMASK "
            f"is set. To open them to a group, that user runs, for example, `AVF_UMASK=027 "
            f"snakemake all`. To write elsewhere, set another folder with --results."
        )
    try:
        from avfusion.commands import options

        return with_study(absent(error, options.layout(args).results), args)
    except AvfError:  # the config that names the results cannot be read
        return ""
