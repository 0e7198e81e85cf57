"""`avfusion.predict` and `avfusion.load_bundle`."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from avfusion.config.sections import Rule
from avfusion.prediction.bundle import Bundle
from avfusion.prediction.clip import predict_clip
from avfusion.prediction.place import default_model
from avfusion.prediction.request import Request


def load_bundle(
    path: str | Path,
    weights: Mapping[str, str | Path] | None = None,
    trust_code: bool = False,
) -> Bundle:
    """Open a bundle and check every file of it.

    Parameters
    ----------
    path
        Folder with bundle.json.
    weights
        Encoder -> file of its published weights, for encoders that the bundle only names.
    trust_code
        Whether classes that no installed package declares, such as those of a script, may be
        imported and built.

    Returns
    -------
    Bundle
        With `document` (settings, calibration, scores and terms), `members` and `encoders`.

    Raises
    ------
    BundleError
        If there is no bundle, it is of another version, a file is missing or changed, or a class
        is not trusted.
    """
    files = {name: Path(file) for name, file in (weights or {}).items()}
    return Bundle.open(path, files, trust_code)


def predict(
    path: str | Path,
    model: str | Path | Bundle | None = None,
    *,
    face: Rule | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    every_s: float | None = None,
    transcript: str | Path | None = None,
) -> pd.DataFrame:
    """Predict valence and arousal over time for a clip.

    Parameters
    ----------
    path
        A video, or a recording of sound.
    model
        A bundle or its folder; by default the only one in results/bundles.
    face
        Which person: "largest", "left", "right", "speaker", or "all" for rows of everyone; by
        default as in training.
    start_s, end_s
        Span of the clip in seconds.
    every_s
        Means over so many seconds instead of the steps of the bundle.
    transcript
        Words with times, for fusions that read text.

    Returns
    -------
    DataFrame
        One row per person and step: `time_s`, `track_id`, each target with `_low` and `_high` in
        the unit of the corpus, `face`, `face_score`, `voiced`, gates and `unlike_training`; see
        `avfusion.prediction.prediction.Prediction`. `attrs` has `doubts`, `remarks`, `columns`,
        `clip` and `bundle`.

    Raises
    ------
    MediaError
        If the clip cannot be read.
    BundleError
        If there is no bundle.
    """
    bundle = model if isinstance(model, Bundle) else load_bundle(model or default_model())
    words = None if transcript is None else Path(transcript)
    request = Request(face, start_s, end_s, every_s)
    prediction = predict_clip(Path(path), bundle, request, transcript=words)
    prediction.table.attrs = {
        "doubts": [doubt._asdict() for doubt in prediction.doubts],
        "remarks": prediction.remarks,
        "columns": prediction.columns,
        "clip": prediction.clip,
        "bundle": prediction.bundle,
    }
    return prediction.table
