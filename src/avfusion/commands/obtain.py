"""`avf obtain`: say how a corpus is had, and fetch what anyone may fetch."""

import argparse

from avfusion.commands.options import corpus_class, corpus_settings, settings_option, study

HELP = "Say how a corpus is had, and fetch what anyone may fetch."


STAGE = 9


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add what the command takes beyond --config and --results."""
    sub.add_argument("corpus")
    sub.add_argument("--root", help="where it goes; default: the config's `root`")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Do it; an expected failure is an `AvfError`."""
    from pathlib import Path

    from avfusion.corpora.download import fetch
    from avfusion.registry import corpora

    corpus = corpora.get(corpus_class(args))
    then = f"avf verify {args.corpus}{_config(args)}"
    print(f"{args.corpus}\n\nLicence: {corpus.licence}\n\n{corpus.access or corpus.obtain}")
    if not corpus.downloads:
        print(f"\nNothing of it may be fetched by a program. Then: {then}")
        return
    root = Path(args.root) if args.root else corpus_settings(args)["root"]
    for file in corpus.downloads:
        print(fetch(file, root))
    print(f"\nThen: {then}")


def _config(args: argparse.Namespace) -> str:
    """The option that names a study with the corpus, where the default one has none."""
    from avfusion.errors import AvfError

    try:
        if args.corpus in study(args).corpora:
            return "" if str(args.config) == "config/config.yaml" else f" --config {args.config}"
    except AvfError:
        pass  # what is wrong with the config is said by what reads it
    return " --config STUDY.yaml, a study that lists it: config/experiments/README.md"
