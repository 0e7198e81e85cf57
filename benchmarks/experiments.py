"""Time the planning of each paper's experiment with all its corpora at full size.

    python benchmarks/experiments.py --out benchmarks/results/experiments.json

Only plans (`--dry-run`), in a scratch copy. `data` holds empty files with the names and numbers of
each licensed corpus; `results` holds its manifest with one row per video. Bounds are on processor
seconds, as in scale.py.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from avfusion.config.load import load
from avfusion.layout import Layout
from machine import finish
from scale import plan, row
from study import copy_tracked

PAPERS = (
    *("fg2021_ca", "cvprw2022_jca", "tbiom2023_jca", "icassp2023_rjca"),
    *("icme2024_dca", "iaca", "icassp2022_selfcross", "cvprw2024_rjcma"),
)
DIALOGS, TURNS = (28, 30, 32, 30, 31), (1819, 1811, 2136, 2103, 2170)  # of IEMOCAP's sessions
VIDEOS = {"affwild2": 594, "recola": 27, "fatigue": 27, "iemocap": sum(TURNS)}
"""Rows of each corpus' manifest: trials, recordings, videos, turns."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "avfusion"
        copy_tracked(folder)
        sizes = {corpus: plant(folder / "data" / corpus, corpus) for corpus in VIDEOS}
        for paper in PAPERS:
            file = f"config/experiments/{paper}.yaml"
            present = manifests(folder, file)
            jobs, processor_s, wall_s, memory_mb = plan(folder, ("--configfile", file))
            rows += [
                row(f"{paper}: corpora", present),
                row(f"{paper}: jobs", f"{jobs:,}"),
                row(f"{paper}: processor", f"{processor_s:.1f} s", "<= 15 s"),
                row(f"{paper}: wall", f"{wall_s:.1f} s"),
                row(f"{paper}: memory of the head process", f"{memory_mb:.0f} MB"),
            ]
    listed = ", ".join(f"{name} {VIDEOS[name]:,} in {n:,} files" for name, n in sizes.items())
    what = (
        "`snakemake --configfile config/experiments/<paper>.yaml --dry-run all` with every corpus "
        f"of the paper as empty files and a manifest of its size ({listed}). Only verification has "
        "run."
    )
    finish({"title": "Planning the papers' experiments", "what": what, "rows": rows}, args.out)


def plant(root: Path, corpus: str) -> int:
    """Write empty files with the corpus' names and return their number."""
    paths = list(names(corpus))
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return len(paths)


def names(corpus: str) -> Iterator[str]:
    """Yield the names of a corpus' videos, sounds and ratings, without pictures."""
    if corpus == "affwild2":
        yield from (f"batch{1 + i % 2}/{i:03d}.mp4" for i in range(598))
        place = "6th_ABAW_Annotations/VA_Estimation_Challenge"
        yield from (f"{place}/Train_Set/{i:03d}.txt" for i in range(356))
        yield from (f"{place}/Validation_Set/{i:03d}.txt" for i in range(356, 432))
    elif corpus == "recola":
        for name in (f"{part}_{i}" for part in ("train", "dev", "test") for i in range(1, 10)):
            yield from (f"recordings_video/{name}.mp4", f"recordings_audio/{name}.wav")
            rated = () if name.startswith("test") else ("valence", "arousal")
            yield from (f"ratings_gold_standard/{target}/{name}.arff" for target in rated)
    elif corpus == "fatigue":
        yield from ("manifest.csv", *(f"s{i:02d}.mp4" for i in range(27)))
    else:
        for number, (dialogs, turns) in enumerate(zip(DIALOGS, TURNS, strict=True), start=1):
            for i in range(dialogs):
                stem = f"Ses{number:02d}F_impro{i:02d}"
                yield f"Session{number}/dialog/avi/DivX/{stem}.avi"
                yield f"Session{number}/dialog/EmoEvaluation/{stem}.txt"
                yield f"Session{number}/dialog/transcriptions/{stem}.txt"
            for i in range(turns):
                stem = f"Ses{number:02d}F_impro{i % dialogs:02d}"
                yield f"Session{number}/sentences/wav/{stem}/{stem}_F{i:04d}.wav"


def manifests(folder: Path, file: str) -> str:
    """Write the manifest and labels of each licensed entry, one row per video."""
    study = load(folder / file, folder / "config/protocols")
    layout, counts = Layout(folder / study.results), dict.fromkeys(VIDEOS, 0)
    for entry in study.corpora:
        kind = study.corpus_class(entry)
        if kind not in VIDEOS:
            continue
        counts[kind] += 1
        layout.manifest(entry).parent.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame({"video": [f"v{i:05d}" for i in range(VIDEOS[kind])]})
        for path in (layout.manifest, layout.gold, layout.labels, layout.truth):
            table.to_parquet(path(entry))
        for path in (layout.card, layout.checks):
            path(entry).touch()
    told = [f"{kind} ({n} entries)" if n > 1 else kind for kind, n in counts.items() if n]
    return ", ".join(["demo", *told])


if __name__ == "__main__":
    main()
