"""`avf obtain`: show how to obtain a corpus, and download its public files."""

import argparse

from avfusion.commands.options import corpus_class, corpus_settings, settings_option, study

HELP = "Show how to obtain a corpus and download its public files."
STAGE = 9


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("--root", help="folder to download to; default: the config's `root`")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Print licence, access and next command, and download the files that are public."""
    from pathlib import Path

    from avfusion.corpora.download import fetch
    from avfusion.registry import corpora

    corpus = corpora.get(corpus_class(args))
    verify = f"avf verify {args.corpus}{_config(args)}"
    print(f"{args.corpus}\n\nLicence: {corpus.licence}\n\n{corpus.access or corpus.obtain}")
    if not corpus.downloads:
        print(f"\nNo file of it can be downloaded by a program. Then: {verify}")
        return
    root = Path(args.root) if args.root else corpus_settings(args).root
    for file in corpus.downloads:
        print(fetch(file, root))
    print(f"\nThen: {verify}")


def _config(args: argparse.Namespace) -> str:
    """Return the option that names a study with the corpus, if the default study has none."""
    from avfusion.errors import AvfError

    try:
        if args.corpus in study(args).corpora:
            return "" if str(args.config) == "config/config.yaml" else f" --config {args.config}"
    except AvfError:
        pass  # the command that reads the config reports its faults
    return " --config STUDY.yaml, a study that lists it: config/experiments/README.md"
