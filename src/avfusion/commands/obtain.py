"""`avf obtain`: show how to obtain a corpus, and download one that is free to download."""

import argparse
from pathlib import Path

from avfusion.commands.messages import DEFAULT
from avfusion.commands.options import corpus_class, corpus_settings, settings_option, study

HELP = "Show how to obtain a corpus, and download one that is free to download."
STAGE = 9


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("--root", help="folder to download to; default: the config's `root`")
    sub.add_argument("--part", help="OPTION=VALUE of the corpus, such as actors=1-6; default: all")
    sub.add_argument("--accept-licence", action="store_true", help="accept the licence shown")
    sub.add_argument("--keep-archives", action="store_true", help="keep archives after unpacking")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Print licence, access and next command, and download the files if the licence is accepted."""
    from avfusion.errors import AvfError
    from avfusion.registry import corpora

    name = corpus_class(args)
    kind = corpora.get(name)
    listed = args.settings is not None or _listed(args)
    config = "" if not listed or args.config == DEFAULT else f" --config {args.config}"
    print(f"{args.corpus}\n\nLicence: {kind.licence}\n\n{kind.access or kind.obtain}", flush=True)
    then = f"\nThen: avf verify {args.corpus}{config if listed else _UNLISTED}"
    if not corpora.defines(name, "source"):
        if kind.licensed:
            print("\nNo file of it can be downloaded by a program.")
        print(then)
        return
    if not args.accept_licence:
        part = f" --part {args.part}" if args.part else ""
        raise AvfError(
            "nothing was downloaded. If you accept the licence, run: "
            f"avf obtain {args.corpus} --accept-licence{part}{config}"
        )
    print(f"\n{_download(args, name, listed)}\n{then}")


_UNLISTED = (
    " --config STUDY.yaml\nSTUDY.yaml is a study that lists the corpus; see "
    "config/experiments/README.md."
)


def _download(args: argparse.Namespace, name: str, listed: bool) -> Path:
    """Download the corpus; return the file that says that it is whole."""
    import os

    from avfusion.config.jobs import CorpusSettings
    from avfusion.corpora.base import build
    from avfusion.corpora.obtain.run import obtain

    if listed:
        settings = corpus_settings(args)
    else:
        settings = CorpusSettings(class_=name, root=Path("data") / name)
    changed: dict[str, object] = {"options": settings.options | _part(args.part)}
    if args.root:
        changed["root"] = Path(args.root)
    corpus = build(args.corpus, settings.model_copy(update=changed))
    return obtain(
        corpus.source(),
        corpus.root,
        licence=corpus.licence,
        mirror=os.environ.get("AVF_MIRROR", ""),
        keep_archives=args.keep_archives,
    )


def _part(text: str | None) -> dict[str, str]:
    """Return the option and value of `--part`."""
    from avfusion.errors import ConfigError

    if text is None:
        return {}
    option, _, value = text.partition("=")
    if not (option and value):
        raise ConfigError(f"--part {text}: not OPTION=VALUE, such as actors=1-6.")
    return {option: value}


def _listed(args: argparse.Namespace) -> bool:
    """Return whether the config lists the corpus."""
    from avfusion.errors import AvfError

    try:
        return args.corpus in study(args).corpora
    except AvfError:
        return False  # the command that reads the config reports its faults
