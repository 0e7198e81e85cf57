"""The command line `avf`: find the commands, parse arguments and print expected failures."""

import argparse
import io
import logging
import os
import select
import sys
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from avfusion import commands as package
from avfusion.commands import messages
from avfusion.config import arithmetic
from avfusion.errors import AvfError, of_place
from avfusion.io.memory import keep_freed
from avfusion.io.private import private
from avfusion.io.version import __version__
from avfusion.prediction import place

SHARED = ("messages", "options")
"""Modules of `commands` that are no commands."""

USES_BUNDLE = ("bundle", "predict", "serve")
"""Commands that may read a bundle, whose arithmetic they then have."""

PRIVATE = ("media", "index", "encode", "corrupt")
"""Commands that write faces, sound or features of people."""

BY_STEPS = ("train", "fit-encoder", "encode", "corrupt", "robust")
"""Commands that allocate the same large tensors in every step, and then end."""

READER_LEFT = 141
"""Exit status if the reader of the output has ended: the work may be incomplete."""

ABOUT = "Compare audio-visual fusions for valence and arousal, from raw video to tables."


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status; print an expected failure and return 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without Unicode, a name without UTF-8
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return _main(argv)
        finally:  # also after `--help`, which argparse prints and then exits
            sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # argparse hides that it could not print
        if not _reader_left():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT


def _reader_left() -> bool:
    """Return whether the reader of what is printed has ended, as in `avf doctor | head`."""
    pipes = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # of a test, which has no descriptor
            pipes.register(stream.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in pipes.poll(0))


def _main(argv: list[str] | None) -> int:
    args = _parser().parse_args(argv)
    if argv is None:  # a process of its own
        _hold(args)
        if args.command in BY_STEPS:
            keep_freed()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(messages.Formatter(args))
    logging.basicConfig(level=logging.WARNING if args.quiet else logging.INFO, handlers=[handler])
    try:
        with private() if args.command in PRIVATE else nullcontext():
            return args.run(args) or 0
    except AvfError as error:
        print(f"avf {args.command}: {messages.describe(error, args)}", file=sys.stderr)
        return 1
    except OSError as error:
        if message := messages.describe(error, args):
            print(f"avf {args.command}: {message}", file=sys.stderr)
            return 1
        if not of_place(error):
            raise
        print(
            f"avf {args.command}: {error}. No partly written file is left. Free some space, or "
            f"make the folder writable, and run the same command again.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(f"avf {args.command}: stopped; run it again to continue.", file=sys.stderr)
        return 130


def _hold(args: argparse.Namespace) -> None:
    """Start again under the arithmetic of the job or the study, unless the workflow has set it."""
    if arithmetic.CHOSEN in os.environ:
        arithmetic.hold_opencv()
        return
    try:
        given = _stating(args)
        kept = None if given is None or given.is_dir() else arithmetic.kept(given)
        if kept is not None and given is getattr(args, "settings", None):
            args.settings = kept
        wanted = arithmetic.of_job(kept) if kept is not None else None
        if wanted is None:
            wanted = arithmetic.stated(args.config) if args.config.is_file() else "fast"
    except AvfError:
        return  # the command reports what is wrong with the file
    arithmetic.hold(wanted, {} if given is None else {str(given): str(kept)})
    arithmetic.hold_opencv()


def _stating(args: argparse.Namespace) -> Path | None:
    """Return the file that states the arithmetic of a command: settings of a job, or a bundle."""
    if args.command in USES_BUNDLE and (bundle := place.of_command(args)) is not None:
        return bundle / place.NAME
    settings: Path | None = getattr(args, "settings", None)
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="avf", description=ABOUT)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _commands():
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        sub = commands.add_parser(name, help=command.HELP, description=command.HELP)
        sub.set_defaults(run=command.run)
        command.arguments(sub)
        sub.add_argument("--results", type=Path, help="folder of results; default: the config's")
        sub.add_argument(
            "--config", type=Path, default=messages.DEFAULT, help="settings of the study"
        )
        sub.add_argument(
            "--quiet", action="store_true", help="print results and warnings, but no progress"
        )
    return parser


def _commands() -> list[ModuleType]:
    """Return the modules of `commands`, in the order of the pipeline: STAGE, then name."""
    names = (module.name for module in iter_modules(package.__path__))
    modules = [import_module(f"{package.__name__}.{name}") for name in names if name not in SHARED]
    return sorted(modules, key=lambda module: module.STAGE)


if __name__ == "__main__":
    sys.exit(main())
