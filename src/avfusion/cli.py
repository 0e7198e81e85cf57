"""`avf`: finds the commands, parses, and turns an expected failure into a message."""

import argparse
import logging
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from avfusion import __version__
from avfusion import commands as package
from avfusion.errors import AvfError, of_place

ABOUT = "From raw video to a table that says which audio-visual fusion is better, and how sure."


def main(argv: list[str] | None = None) -> int:
    """Run one command; an expected failure prints its message and returns 1."""
    args = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    try:
        return args.run(args) or 0
    except AvfError as error:
        print(f"avf {args.command}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if not of_place(error):
            raise
        print(
            f"avf {args.command}: {error}. Nothing half-written is left: make room, or make the "
            f"folder writable, and give the same command again.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(f"avf {args.command}: stopped; the same command goes on from here.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="avf", description=ABOUT)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _commands():
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        sub = commands.add_parser(name, help=command.HELP, description=command.HELP)
        sub.set_defaults(run=command.run)
        command.arguments(sub)
        sub.add_argument("--results", type=Path, help="default: the config's `results`")
        config = Path("config/config.yaml")
        sub.add_argument("--config", type=Path, default=config, help="the study")
    return parser


def _commands() -> list[ModuleType]:
    """Every file of `commands`, in the order of the data's way: STAGE, then name."""
    names = [found.name for found in iter_modules(package.__path__) if found.name != "options"]
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    return sorted(modules, key=lambda module: module.STAGE)


if __name__ == "__main__":
    sys.exit(main())
