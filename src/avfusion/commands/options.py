"""Options that several commands share: the study, the settings of the job, and shards."""

import argparse
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from avfusion.errors import ConfigError
from avfusion.layout import Layout
from avfusion.registry import near

if TYPE_CHECKING:
    from avfusion.config.jobs import CorpusSettings, EncoderSettings, RunSettings
    from avfusion.config.sections import Settings
    from avfusion.config.study import Study

    T = TypeVar("T", bound=Settings)

log = logging.getLogger(__name__)

JOB = ("corpus", "fusion", "encoder", "seed", "point")
"""Arguments that name a job; a file of settings may state them too."""


def settings_option(sub: argparse.ArgumentParser) -> None:
    """Add `--settings`, so that a job of the workflow depends only on its own settings."""
    sub.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="JSON file with the settings of this job; default: taken from --config",
    )


def shard_option(sub: argparse.ArgumentParser) -> None:
    """Add `--shard i/n`."""
    sub.add_argument("--shard", default="0/1", help="i/n: every n-th video, starting at the i-th")


def weights_option(sub: argparse.ArgumentParser) -> None:
    """Add `--weights NAME=FILE`, of a bundle that only names published weights."""
    sub.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="published weights of an encoder that the bundle only names",
    )


def trust_option(sub: argparse.ArgumentParser) -> None:
    """Add `--trust-code`, for a bundle with classes that no installed package declares."""
    sub.add_argument(
        "--trust-code",
        action="store_true",
        help="let the bundle build classes of code that no installed package declares",
    )


def weights(args: argparse.Namespace) -> list[tuple[str, Path]]:
    """Return encoder and file of each `--weights`.

    Raises
    ------
    ConfigError
        If one is not NAME=FILE.
    """
    pairs = []
    for text in args.weights:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise ConfigError(f"--weights {text}: expected NAME=FILE.")
        pairs.append((name, Path(file)))
    return pairs


def layout(args: argparse.Namespace) -> Layout:
    """Return the paths below `--results`, or below the folder that the config names."""
    return Layout(args.results or Path(study(args).results))


def study(args: argparse.Namespace) -> "Study":
    """Return the study of `--config`."""
    from avfusion.config.load import load

    return load(args.config)


def settings(args: argparse.Namespace, kind: "type[T]", part: "Callable[[Study], T]") -> "T":
    """Return the settings of a job.

    Parameters
    ----------
    args
        Arguments of the command. `args.settings` is the file to read, or None.
    kind
        Model of the settings.
    part
        Makes the settings from the study of `--config` if there is no file.

    Raises
    ------
    ConfigError
        If the config is wrong or lists no such corpus or fusion, or if the file is wrong or
        holds the settings of another job than the arguments name.
    """
    from avfusion.config.job_files import read

    if args.settings is None:
        return part(known(args))
    job = read(kind, args.settings)
    refuse_other(args, job)
    return job


def runs(args: argparse.Namespace) -> "list[RunSettings]":
    """Return the settings of the runs of a training job, one per seed, as `settings`."""
    from avfusion.config.job_files import read_runs

    if args.settings is None:
        study, seeds = known(args), dict.fromkeys(args.seed or [0])
        return [study.run_settings(args.corpus, args.fusion, seed) for seed in seeds]
    jobs = read_runs(args.settings)
    _refuse_others(args, "seed", args.seed, [job.seed for job in jobs])
    for job in jobs:
        refuse_other(argparse.Namespace(**{**vars(args), "seed": None}), job)
    return jobs


def encoders(args: argparse.Namespace) -> "list[EncoderSettings]":
    """Return the settings of the encoders that the command names, as `settings`."""
    from avfusion.config.job_files import read_encoders

    if args.settings is None:
        study, names = known(args), dict.fromkeys(args.encoder)
        return [study.encoder_settings(name, args.corpus) for name in names]
    jobs = read_encoders(args.settings)
    _refuse_others(args, "encoder", args.encoder, [job.encoder for job in jobs])
    return jobs


def _refuse_others(
    args: argparse.Namespace, word: str, given: Sequence[object], stated: Sequence[object]
) -> None:
    """Refuse settings of other seeds or encoders than the arguments name."""
    if given and set(given) != set(stated):
        named, held = (" ".join(map(repr, names)) for names in (given, stated))
        raise ConfigError(
            f"--settings {args.settings}: settings of {word} {held}, but the command names "
            f"{named}. Name {held}, or run the command without --settings."
        )


def refuse_other(args: argparse.Namespace, job: "Settings") -> None:
    """Refuse settings of another job than the arguments name."""
    for word in JOB:
        given, stated = getattr(args, word, None), getattr(job, word, None)
        stated = getattr(stated, word, stated)  # the encoder of CorruptSettings is settings too
        if None not in (given, stated) and given != stated:
            raise ConfigError(
                f"--settings {args.settings}: settings of {word} {stated!r}, but the command names "
                f"{given!r}. Name {stated!r}, or run the command without --settings."
            )


def known(args: argparse.Namespace) -> "Study":
    """Return the study of `--config`; refuse a corpus or fusion that it does not list."""
    listed = study(args)
    names: dict[str, list[str]] = {"corpus": [*listed.corpora], "fusion": [*listed.fusions]}
    for word, entries in names.items():
        name = getattr(args, word, None)
        if name is not None and name not in entries:
            raise ConfigError(
                f"{args.config} lists no {word} {name!r}, only: {', '.join(entries)}."
                f"{near(name, entries)}"
            )
    return listed


def corpus_class(args: argparse.Namespace) -> str:
    """Return the class of the corpus that the command names: a class, or an entry of the config."""
    from avfusion.registry import corpora

    if corpora.known(args.corpus):
        return args.corpus
    kinds = corpora.names()
    listed = f"Classes of corpora: {', '.join(kinds)}.{near(args.corpus, kinds)}"
    if args.settings is None and not args.config.is_file():
        raise ConfigError(f"no corpus {args.corpus!r}. {listed}")
    try:
        return corpus_settings(args).class_
    except ConfigError as error:
        raise ConfigError(f"{error} {listed}") from None


def corpus_settings(args: argparse.Namespace) -> "CorpusSettings":
    """Return class, root and options of the corpus that the command names."""
    from avfusion.config.jobs import CorpusSettings

    return settings(args, CorpusSettings, lambda study: study.corpus_settings(args.corpus))


def run_folder(args: argparse.Namespace) -> Path:
    """Return the folder of a run that the command names; refuse what cannot be one."""
    folder: Path = args.folder
    if not re.fullmatch(r"seed\d+", folder.resolve().name) or not folder.is_dir():
        raise ConfigError(
            f"{folder}: not the folder of a run. Name one such as results/runs/demo/ca/seed0 "
            f"(results/runs/CORPUS/FUSION/seedN)."
        )
    return folder if len(folder.parts) > 3 else folder.resolve()


def log_outside(outside: dict[str, str]) -> None:
    """Log the code from outside avfusion that a job runs; outside: use -> code and version."""
    for use, code in outside.items():
        log.info("Uses code from outside avfusion: %s = %s", use, code)


def shard(args: argparse.Namespace) -> tuple[int, int]:
    """Return (i, n) of `--shard i/n`."""
    try:
        index, count = (int(part) for part in args.shard.split("/"))
    except ValueError:
        raise ConfigError(f"--shard {args.shard!r}: expected i/n, such as 0/2.") from None
    if not 0 <= index < count:
        raise ConfigError(f"--shard {args.shard!r}: i must lie in 0 … n-1.")
    return index, count
