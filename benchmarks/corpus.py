"""Measure how often the face detector finds the face in the demo corpus.

    python benchmarks/corpus.py --out benchmarks/results/corpus.json [--results results]

Reads the media files of a finished study. Clean frames are those outside planted video spans.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.layout import Layout
from machine import finish


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path, default=Path("results"))
    args = parser.parse_args()
    layout = Layout(args.results)
    manifest = pd.read_parquet(layout.manifest("demo"))
    frames = read_frames(layout, manifest)
    result = {
        "title": "Face detection on the demo corpus",
        "what": "Frames in which YuNet finds exactly one face, inside and outside planted spans.",
        "rows": [*sizes(layout, manifest), *faces(frames)],
    }
    finish(result, args.out)


def read_frames(layout: Layout, manifest: pd.DataFrame) -> pd.DataFrame:
    """Return all frames: partition, number of faces, and the planted video fault, if any."""
    truth = pd.read_parquet(layout.truth("demo"))
    truth = truth[truth["modality"] == "video"]
    parts = []
    for row in manifest.itertuples():
        own = pd.read_parquet(layout.media("demo") / row.video / "frames.parquet")
        own = own[["time_s", "faces"]].assign(partition=row.partition, fault="none")
        for span in truth[truth["video"] == row.video].itertuples():
            inside = own["time_s"].between(span.start_s, span.end_s)
            own.loc[inside, "fault"] = span.kind
        parts.append(own)
    return pd.concat(parts, ignore_index=True)


def sizes(layout: Layout, manifest: pd.DataFrame) -> list[dict[str, Any]]:
    """Return videos, subjects and voices of each partition, and the shortest duration."""
    index = pd.read_parquet(layout.media("demo") / "index.parquet")
    rows = [
        {
            "measure": f"{partition}: videos, subjects, voices",
            "found": f"{len(own)}, {own['subject'].nunique()}, {own['voice'].nunique()}",
            "expected": "",
        }
        for partition, own in manifest.groupby("partition", sort=False)
    ]
    shortest = {"measure": "shortest video, s", "found": f"{index['duration_s'].min():.2f}"}
    return [*rows, {**shortest, "expected": ">= 20"}]


def faces(frames: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the share of frames with exactly one face, by planted fault."""
    clean = "frames without a planted fault, exactly one face"
    rows = []
    for fault, own in frames.groupby("fault"):
        name = clean if fault == "none" else f"frames with the face {fault}, exactly one face"
        share = 100 * (own["faces"] == 1).mean()
        bound = ">= 95 %" if fault == "none" else ""
        found = f"{share:.1f} % of {len(own):,}"
        rows.append({"measure": name, "found": found, "expected": bound})
    return sorted(rows, key=lambda row: row["measure"] != clean)


if __name__ == "__main__":
    main()
