"""What commands share: the study, the settings given by hand, a corpus' own, and shards."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.registry import near


def settings_option(sub: argparse.ArgumentParser) -> None:
    """`--settings`, which rules use so that a job depends on its own part of the config alone."""
    sub.add_argument("--settings", help="JSON text or file; default: this part of --config")


def shard_option(sub: argparse.ArgumentParser) -> None:
    """`--shard i/n`."""
    sub.add_argument("--shard", default="0/1", help="i/n: every n-th video, from the i-th")


def layout(args: argparse.Namespace) -> Layout:
    """Paths below `--results`, or below the config's `results`."""
    return Layout(args.results or Path(study(args).results))


def study(args: argparse.Namespace) -> Any:
    """The study of `--config`."""
    from avfusion.config.load import load

    return load(args.config)


def settings(args: argparse.Namespace, part: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """The command's own settings: given as JSON text or file, else its part of the config."""
    if args.settings is None:
        return part(known(args))
    text = args.settings
    if not text.lstrip().startswith("{"):
        path = Path(text)
        if not path.is_file():
            raise ConfigError(f"--settings {text}: neither JSON nor a file.")
        text = path.read_text()
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"--settings: not JSON ({error}).") from None


def known(args: argparse.Namespace) -> Any:
    """The study of `--config`; refuses a corpus or a fusion that it does not list."""
    found = study(args)
    for word, listed in (("corpus", found.corpora), ("fusion", found.fusions)):
        name = getattr(args, word, None)
        if name is not None and name not in listed:
            raise ConfigError(
                f"{args.config} lists no {word} {name!r}, only: {', '.join(listed)}."
                f"{near(name, listed)}"
            )
    return found


def corpus_class(args: argparse.Namespace) -> str:
    """The class of the corpus that the command names: itself one, or an entry of the config."""
    from avfusion.registry import corpora

    if corpora.known(args.corpus):
        return args.corpus
    return corpus_settings(args).get("is", args.corpus)


def corpus_settings(args: argparse.Namespace) -> dict[str, Any]:
    """Constructor arguments of a corpus: its root and its own options, and `is`, its class."""

    own = settings(args, lambda study: study.corpus_settings(args.corpus))
    return {**own, "root": Path(own["root"])}


def shard(args: argparse.Namespace) -> tuple[int, int]:
    """(i, n) of `--shard`."""
    try:
        index, count = (int(part) for part in args.shard.split("/"))
    except ValueError:
        raise ConfigError(f"--shard {args.shard!r}: expected i/n, such as 0/2.") from None
    if not 0 <= index < count:
        raise ConfigError(f"--shard {args.shard!r}: i must lie in 0 … n-1.")
    return index, count
