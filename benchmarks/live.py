"""Live predictions: how they differ from those of spans and of the complete file.

    python benchmarks/live.py --out benchmarks/results/live.json

A small bundle that does not need the complete clip is trained on generated clips. It then follows a
clip of a drawn person. About five minutes on two cores.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from avfusion.metrics.concordance import ccc
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.clip import predict_clip
from avfusion.prediction.live.run import Live, live
from avfusion.prediction.request import Request
from machine import finish

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.recordings import recorded
from support.tiny_bundle import LIVE, tiny_bundle, tiny_clip

SOUNDS = {"flac": 48_000, "aac": 48_000}
SETTINGS = {**LIVE, "train": {**LIVE["train"], "epochs": 40}, "windows": {"clips": 6}}
FUSION, UPDATE_S = "jca", 2.0


def main() -> None:
    """Measure everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        bundle = tiny_bundle(place / "bundle", FUSION, **SETTINGS)
        film = tiny_clip(place / "film.mp4", args.seconds)
        rows = []
        for codec, rate_hz in SOUNDS.items():
            file = recorded(film, place / f"{codec}.mkv", "matroska", sound=(codec, rate_hz))
            rows += compared(bundle, file, args.seconds, codec)
    for each in rows:
        print(f"{each['measure']}: {each['found']}")
    result = {
        "title": "Live predictions",
        "what": f"A small bundle of {FUSION} with windows of {bundle_window_s(bundle):.2f} s "
        f"follows a clip of a drawn person, {args.seconds:g} s at 160x120 and 12 frames per "
        f"second, with an update every {UPDATE_S:g} s. Differences are of valence and arousal, on "
        f"a scale from -1 to 1. The speed of an update is not measured.",
        "rows": rows,
    }
    if args.out:
        finish(result, args.out)


def bundle_window_s(bundle: Bundle) -> float:
    """Return the length of a window in seconds."""
    return bundle.document.windows.clips * bundle.document.windows.clip_s


def compared(bundle: Bundle, file: Path, seconds: float, codec: str) -> list[dict[str, str]]:
    """Follow a file to its end, and compare its rows."""
    order = Live(str(file), bundle.folder, file.with_suffix(""), update_s=UPDATE_S, behind_s=600)
    table = live(replace(order, idle_s=1.0), print)
    rows = pd.read_csv(table)
    about = json.loads(table.with_suffix(".json").read_text())
    targets = list(bundle.document.targets)
    spans, complete = of_spans(bundle, file, about, len(rows)), predict_clip(file, bundle).table
    names = f"sound in {codec}"
    agreement = [agreeing(rows[t], complete[t][: len(rows)]) for t in targets]
    off = np.abs(rows[targets].to_numpy() - complete[targets].to_numpy()[: len(rows)])
    return [
        row(f"{names}: greatest difference from rows of spans", f"{gap(rows, spans, targets):.1e}"),
        row(f"{names}: mean difference from rows of the complete file", f"{off.mean():.3f}"),
        row(f"{names}: greatest difference from them", f"{off.max():.3f}"),
        row(f"{names}: least CCC with them", f"{min(agreement):.3f}"),
    ]


def agreeing(live_rows: pd.Series, complete: pd.Series) -> float:
    """Return the CCC of two series."""
    return float(ccc(live_rows.to_numpy(), complete.to_numpy()))


def of_spans(bundle: Bundle, file: Path, about: dict, count: int) -> pd.DataFrame:
    """Return the rows that `avf predict --start --end` gives for the span of each update."""
    hop_s = bundle.document.windows.hop_s
    step, span, late = (round(s / hop_s) for s in about["options"]["live"].values())
    parts, done = [], 0
    for end in dict.fromkeys([*range(step, count + 1, step), count]):
        request = Request(start_s=max(0, end - span) * hop_s, end_s=end * hop_s)
        table = predict_clip(file, bundle, request).table
        last = end if end == count else end - late
        parts.append(table[(table["time_s"] / hop_s).round().between(done + 1, last)])
        done = last
    return pd.concat(parts, ignore_index=True)


def gap(rows: pd.DataFrame, spans: pd.DataFrame, targets: list[str]) -> float:
    """Return the greatest difference of the targets."""
    return float(np.abs(rows[targets].to_numpy() - spans[targets].to_numpy()).max())


def row(measure: str, found: str) -> dict[str, str]:
    """Return one row of the result."""
    return {"measure": measure, "found": found}


if __name__ == "__main__":
    main()
