"""`avf obtain`: show how to obtain a corpus, and download its public files."""

import argparse

from avfusion.commands.messages import DEFAULT
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
    config, study_file = _config(args)
    then = f"Then: avf verify {args.corpus}{config}"
    print(f"{args.corpus}\n\nLicence: {corpus.licence}\n\n{corpus.access or corpus.obtain}")
    if not corpus.downloads:
        if corpus.licensed:
            print("\nNo file of it can be downloaded by a program.")
        print(f"\n{then}{study_file}")
        return
    root = Path(args.root) if args.root else corpus_settings(args).root
    for file in corpus.downloads:
        print(fetch(file, root))
    print(f"\n{then}{study_file}")


def _config(args: argparse.Namespace) -> tuple[str, str]:
    """Return the option that names a study with the corpus, and what it must be if unknown."""
    from avfusion.errors import AvfError

    try:
        if args.corpus in study(args).corpora:
            return "" if args.config == DEFAULT else f" --config {args.config}", ""
    except AvfError:
        pass  # the command that reads the config reports its faults
    more = "\nSTUDY.yaml is a study that lists the corpus; see config/experiments/README.md."
    return " --config STUDY.yaml", more
