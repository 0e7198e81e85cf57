"""Where bundles lie; it imports nothing that takes time."""

import argparse
from pathlib import Path

from avfusion.errors import BundleError

NAME = "bundle.json"
RESULTS = Path("results")


def default_model(results: Path | None = None) -> Path:
    """Return the only bundle of a study's results, in `bundles/<corpus>`.

    Raises
    ------
    BundleError
        If there is none, or several.
    """
    folder = (results or RESULTS) / "bundles"
    bundles = sorted(path.parent for path in folder.glob(f"*/{NAME}"))
    if len(bundles) == 1:
        return bundles[0]
    if not bundles:
        raise BundleError(
            f"{folder}: no bundle in it. Make one of a trained study (docs/how-to/predict.md), or "
            f"run `make demo`, which makes one of the demo corpus; or name one with --model."
        )
    listed = ", ".join(map(str, bundles))
    raise BundleError(f"{folder}: {len(bundles)} bundles ({listed}). Name one with --model.")


def of_command(args: argparse.Namespace) -> Path | None:
    """Return the bundle that a command reads: `--model`, `--check`, or the default.

    It is None for a command that makes one.

    Raises
    ------
    BundleError
        If there is no bundle, or there are several.
    """
    if args.command == "bundle":
        checked: Path | None = args.check
        return checked
    return chosen(args)


def chosen(args: argparse.Namespace) -> Path:
    """Return `--model`, or the only bundle of the study that a command names.

    Raises
    ------
    BundleError
        If there is no bundle, or there are several.
    """
    model: Path | None = args.model
    return model or default_model(args.results or _stated(args.config))


def _stated(config: Path) -> Path:
    """Return the folder of results that a config states."""
    from avfusion.io.yaml import read_mapping

    stated = read_mapping(config) if config.is_file() else {}
    return Path(str(stated.get("results", RESULTS)))
