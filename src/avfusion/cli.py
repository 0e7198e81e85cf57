"""`avf`: argument parsing only; each command imports the part it needs when it runs."""

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from avfusion import __version__
from avfusion.errors import AvfError, ConfigError
from avfusion.layout import Layout

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
    except KeyboardInterrupt:
        print(f"avf {args.command}: stopped; the same command goes on from here.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="avf", description=ABOUT)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Any, text: str, *arguments: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        for argument in arguments:
            sub.add_argument(argument)
        sub.add_argument("--results", type=Path, help="default: the config's `results`")
        sub.add_argument(
            "--config", type=Path, default=Path("config/config.yaml"), help="the study"
        )
        return sub

    def settings(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--settings", help="JSON text or file; default: this part of --config")

    command("doctor", _doctor, "Say what is missing on this machine and what mends it.")
    command("schema", _schema, "Print the JSON schema of the config.")
    sub = command("make-corpus", _make_corpus, "Generate a corpus that avf makes itself.", "corpus")
    settings(sub)
    sub = command("verify", _verify, "Check a corpus tree and write its manifest.", "corpus")
    settings(sub)
    sub = command("media", _media, "Decode, track faces and compute log-mels.", "corpus")
    sub.add_argument("--shard", default="0/1", help="i/n: every n-th video, from the i-th")
    settings(sub)
    sub = command("index", _index, "Join the shards of a media or feature folder.", "folder")
    sub = command("fit-encoder", _fit_encoder, "Fit an encoder on train.", "corpus", "encoder")
    settings(sub)
    sub = command("encode", _encode, "Write one encoder's features.", "corpus", "encoder")
    sub.add_argument("--shard", default="0/1", help="i/n: every n-th video, from the i-th")
    settings(sub)
    sub = command(
        "train", _train, "Fit one fusion with one seed; write traces.", "corpus", "fusion"
    )
    sub.add_argument("--seed", type=int, default=0)
    settings(sub)
    sub = command("infer", _infer, "Write the traces of a trained run again.")
    sub.add_argument("folder", type=Path, metavar="RUN")
    sub = command("score", _score, "Score all traces of a corpus.", "corpus")
    settings(sub)
    sub = command("robust", _robust, "Corrupt the input of finished runs; read gates.", "corpus")
    settings(sub)
    sub = command("report", _report, "Write tables, figures and the page from the scores.")
    sub.add_argument("--only", choices=["tables", "figures", "page"])
    settings(sub)
    sub = command("record", _record, "Show finished runs in MLflow.", "corpus")
    sub.add_argument("--store", help="tracking URI; default: SQLite under the results folder")
    settings(sub)
    return parser


def _doctor(args: argparse.Namespace) -> int:
    from avfusion.doctor import examine

    verdicts = []
    for finding in examine(args.config):
        print(finding)
        verdicts.append(finding.verdict)
    return int("MISSING" in verdicts)


def _schema(args: argparse.Namespace) -> None:
    from avfusion.settings import schema

    print(schema(), end="")


def _make_corpus(args: argparse.Namespace) -> None:
    from avfusion.registry import corpora

    corpora.get(args.corpus)(**_corpus(args)).make()


def _verify(args: argparse.Namespace) -> int:
    from avfusion.corpora.base import verify

    return verify(args.corpus, _corpus(args), _layout(args))


def _media(args: argparse.Namespace) -> None:
    from avfusion.media.stage import run_shard

    own = _settings(args, lambda study: study.media.model_dump())
    root = own.pop("root", None) or _study(args).corpora[args.corpus].root
    run_shard(args.corpus, Path(root), _shard(args), own, _layout(args))


def _index(args: argparse.Namespace) -> None:
    from avfusion.shards import join

    join(Path(args.folder))


def _fit_encoder(args: argparse.Namespace) -> None:
    from avfusion.encoders.base import fit

    own = _settings(args, lambda study: study.encoder_settings(args.encoder))
    fit(args.corpus, own, _layout(args))


def _encode(args: argparse.Namespace) -> None:
    from avfusion.encoders.base import encode_shard

    own = _settings(args, lambda study: study.encoder_settings(args.encoder))
    encode_shard(args.corpus, _shard(args), own, _layout(args))


def _train(args: argparse.Namespace) -> None:
    from avfusion.train import train_run

    own = _settings(args, lambda s: s.run_settings(args.corpus, args.fusion, args.seed))
    train_run(own, _layout(args))


def _infer(args: argparse.Namespace) -> None:
    from avfusion.train import write_traces

    write_traces(args.folder, _layout(args))


def _score(args: argparse.Namespace) -> None:
    from avfusion.score import score_corpus

    own = _settings(args, lambda study: study.score_settings())
    score_corpus(args.corpus, own, _layout(args))


def _robust(args: argparse.Namespace) -> None:
    from avfusion.gates import write_gates
    from avfusion.robust import robust_corpus

    own = _settings(args, lambda study: study.robust_settings())
    robust_corpus(args.corpus, own, _layout(args))
    write_gates(args.corpus, own, _layout(args))


def _report(args: argparse.Namespace) -> None:
    from avfusion.report import write

    own = _settings(args, lambda study: study.model_dump())
    write(own, _layout(args), only=args.only)


def _record(args: argparse.Namespace) -> int:
    from avfusion.record import record_corpus

    own = _settings(args, lambda study: study.model_dump(include={"fusions", "seeds"}))
    return record_corpus(args.corpus, _layout(args), store=args.store, study=own)


def _layout(args: argparse.Namespace) -> Layout:
    return Layout(args.results or Path(_study(args).results))


def _study(args: argparse.Namespace) -> Any:
    from avfusion.settings import load

    return load(args.config)


def _settings(args: argparse.Namespace, part: Any) -> dict[str, Any]:
    """The command's own settings: given as JSON text or file, else its part of the config."""
    if args.settings is None:
        return part(_study(args))
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


def _corpus(args: argparse.Namespace) -> dict[str, Any]:
    """Constructor arguments of a corpus: its root and its own options."""

    def part(study: Any) -> dict[str, Any]:
        if args.corpus not in study.corpora:
            listed = ", ".join(study.corpora)
            raise ConfigError(f"{args.config} lists no corpus {args.corpus!r}, only: {listed}.")
        own = study.corpora[args.corpus]
        return {"root": own.root, **own.options}

    own = _settings(args, part)
    return {**own, "root": Path(own["root"])}


def _shard(args: argparse.Namespace) -> tuple[int, int]:
    try:
        index, count = (int(part) for part in args.shard.split("/"))
    except ValueError:
        raise ConfigError(f"--shard {args.shard!r}: expected i/n, such as 0/2.") from None
    if not 0 <= index < count:
        raise ConfigError(f"--shard {args.shard!r}: i must lie in 0 … n-1.")
    return index, count


if __name__ == "__main__":
    sys.exit(main())
