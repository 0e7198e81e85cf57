"""A corpus of features without media: openSMILE CSV, OpenFace CSV, ratings and a manifest.

Run it with a folder: `python tests/support/own_features.py data/my_features`. Loudness follows the
rated arousal, and the smile (AU12) the rated valence, each with noise. In two stretches of every
video OpenFace found no face.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

PEOPLE = ("anna", "ben", "cleo", "dan", "eve", "finn", "gus", "hanna")
PARTS = dict(zip(PEOPLE, ["train"] * 4 + ["validation"] * 2 + ["test"] * 2, strict=True))
SECONDS = 24.0
LLD_S, FRAME_S, RATING_S = 0.01, 0.04, 0.2
LOST = ((5.0, 7.0), (15.0, 16.0))  # without a face, in seconds
LLD = ("Loudness_sma3", "alphaRatio_sma3", "F0semitoneFrom27.5Hz_sma3nz", "jitterLocal_sma3nz")
AUS = ("AU01_r", "AU04_r", "AU06_r", "AU12_r", "AU25_r", "AU12_c")


def build(root: Path) -> None:
    """Write the corpus into a folder."""
    for number, name in enumerate(PEOPLE):
        rng = np.random.default_rng(number)
        felt = {target: course(rng) for target in ("valence", "arousal")}
        write(root / f"opensmile/{name}.csv", opensmile(felt["arousal"], rng), ";")
        write(root / f"openface/{name}.csv", openface(felt["valence"], rng), ", ")
        write(root / f"ratings/{name}.csv", ratings(felt), ",")
    manifest = pd.DataFrame({"id": PEOPLE, "subject": PEOPLE, "partition": PARTS.values()})
    manifest["audio_features"] = [f"opensmile/{name}.csv" for name in PEOPLE]
    manifest["video_features"] = [f"openface/{name}.csv" for name in PEOPLE]
    manifest["ratings"] = [f"ratings/{name}.csv" for name in PEOPLE]
    write(root / "manifest.csv", manifest, ",")


def course(rng: np.random.Generator):
    """Return a smooth function of time in seconds, within -0.9 to 0.9."""
    rate_hz, phase = rng.uniform(0.08, 0.25, 3), rng.uniform(0, 6.28, 3)
    return lambda t: 0.3 * np.sin(6.283 * np.outer(t, rate_hz) + phase).sum(1)


def opensmile(arousal, rng: np.random.Generator) -> pd.DataFrame:
    """Return low-level descriptors every 10 ms."""
    times_s = np.arange(round(SECONDS / LLD_S)) * LLD_S
    values = rng.normal(0, 0.3, (len(times_s), len(LLD)))
    values[:, 0] += 1 + arousal(times_s)
    table = pd.DataFrame(values.round(5), columns=LLD)
    table.insert(0, "frameTime", times_s.round(2))
    table.insert(0, "name", "'unknown'")
    return table


def openface(valence, rng: np.random.Generator) -> pd.DataFrame:
    """Return gaze, pose and action units every 40 ms; zeros where no face was found."""
    times_s = np.arange(round(SECONDS / FRAME_S)) * FRAME_S
    names = ["gaze_angle_x", "gaze_angle_y", "pose_Tx", "pose_Rx", *AUS]
    values = rng.normal(0, 0.2, (len(times_s), len(names)))
    values[:, names.index("AU12_r")] += 1 + valence(times_s)
    lost = np.any([(times_s >= a) & (times_s < b) for a, b in LOST], axis=0)
    values[lost] = 0.0
    table = pd.DataFrame(values.round(3), columns=names)
    front = {
        "frame": np.arange(1, len(times_s) + 1),
        "face_id": 0,
        "timestamp": times_s.round(3),
        "confidence": np.where(lost, 0.0, 0.98),
        "success": np.where(lost, 0, 1),
    }
    return pd.concat([pd.DataFrame(front), table], axis=1)


def ratings(felt: dict) -> pd.DataFrame:
    """Return valence and arousal every 0.2 s."""
    times_s = np.arange(round(SECONDS / RATING_S)) * RATING_S
    named = {target: values(times_s).round(3) for target, values in felt.items()}
    return pd.DataFrame({"time_s": times_s.round(2), **named})


def write(path: Path, table: pd.DataFrame, separator: str) -> None:
    """Write a table; OpenFace puts a blank after each comma."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.to_csv(index=False, sep=separator[0])
    path.write_text(text.replace(",", separator) if separator == ", " else text)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
