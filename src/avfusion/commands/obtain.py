"""`avf obtain`: show how to obtain a corpus, and download one that is free to download."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from avfusion.commands.messages import DEFAULT, say
from avfusion.commands.options import corpus_class, corpus_settings, settings_option, study

if TYPE_CHECKING:
    from avfusion.corpora.base import Corpus

HELP = "Show how to obtain a corpus, and download one that is free to download."
STAGE = 9


def arguments(sub: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    sub.add_argument("corpus")
    sub.add_argument("--root", help="folder to download to; default: the config's `root`")
    sub.add_argument(
        "--part",
        action="append",
        metavar="OPTION=VALUE",
        default=[],
        help="option of the corpus, such as actors=1-6; default: the config's, or all",
    )
    sub.add_argument("--accept-licence", action="store_true", help="accept the licence shown")
    sub.add_argument("--keep-archives", action="store_true", help="keep archives after unpacking")
    settings_option(sub)


def run(args: argparse.Namespace) -> None:
    """Print licence and access; if the licence is accepted, download the files instead."""
    from avfusion.errors import AvfError
    from avfusion.registry import corpora

    name = corpus_class(args)
    kind = corpora.get(name)
    listed = args.settings is not None or _listed(args)
    config = "" if not listed or args.config == DEFAULT else f" --config {args.config}"
    public = corpora.defines(name, "source")
    say(f"{args.corpus}\n\nLicence: {kind.licence}")
    if not (public and args.accept_licence):
        say(f"\n{kind.access or kind.obtain}")
    then = f"\nThen: avf verify {args.corpus}{config if listed else _UNLISTED}"
    if not public:
        if kind.licensed:
            say("\nNo file of it can be downloaded by a program.")
        say(then)
        return
    part = _part(args.part, name, kind.part_options)
    corpus = _corpus(args, name, listed, part)
    if not args.accept_licence:
        again = "".join(f" --part {text}" for text in args.part)
        again += f" --root {args.root}" if args.root else ""
        again += " --keep-archives" if args.keep_archives else ""
        raise AvfError(
            "nothing was downloaded. If you accept the licence, run: "
            f"avf obtain {args.corpus} --accept-licence{again}{config}"
        )
    say(f"\n{_download(args, corpus)}\n{_entry(args, part)}{then}")


_UNLISTED = (
    " --config STUDY.yaml\nSTUDY.yaml is a study that lists the corpus; see "
    "config/experiments/README.md."
)


def _corpus(args: argparse.Namespace, name: str, listed: bool, part: dict[str, str]) -> "Corpus":
    """Return the corpus with the chosen part; refuse a part that it does not have."""
    from avfusion.config.jobs import CorpusSettings
    from avfusion.corpora.base import build

    if listed:
        settings = corpus_settings(args)
    else:
        settings = CorpusSettings(class_=name, root=Path("data") / name)
    changed: dict[str, object] = {"options": settings.options | part}
    if args.root:
        changed["root"] = Path(args.root)
    return build(args.corpus, settings.model_copy(update=changed))


def _download(args: argparse.Namespace, corpus: "Corpus") -> Path:
    """Download the corpus; return the file that says that everything was obtained."""
    import os

    from avfusion.corpora.obtain.run import obtain

    return obtain(
        corpus.source(),
        corpus.root,
        licence=corpus.licence,
        mirror=os.environ.get("AVF_MIRROR", ""),
        keep_archives=args.keep_archives,
    )


def _part(texts: list[str], name: str, known: tuple[str, ...]) -> dict[str, str]:
    """Return the options of `--part`."""
    from avfusion.errors import ConfigError

    part = {}
    for text in texts:
        option, _, value = text.partition("=")
        if option not in known or not value:
            raise ConfigError(
                f"--part {text}: of {name}, only {' or '.join(known)} can be chosen, such as "
                f"--part {known[0]}=1-6."
            )
        part[option] = value
    return part


def _entry(args: argparse.Namespace, part: dict[str, str]) -> str:
    """Return what the study's entry must say if the command chose another part or folder."""
    lines = [f"root: {args.root}"] if args.root else []
    if part:
        options = ", ".join(f"{option}: {value}" for option, value in part.items())
        lines.append(f"options: {{{options}}}")
    if not lines:
        return ""
    return "\nWrite into the entry of the study:\n" + "".join(f"    {line}\n" for line in lines)


def _listed(args: argparse.Namespace) -> bool:
    """Return whether the config lists the corpus; without the default config, no corpus is."""
    if args.config == DEFAULT and not args.config.exists():
        return False
    return args.corpus in study(args).corpora
