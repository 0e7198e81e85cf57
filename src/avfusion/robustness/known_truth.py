"""How much a gate can gain on a corpus with planted spans: linear references on its features.

The blind reference is one ridge regression on both modalities. The oracle knows the planted spans.
Where one modality is spoilt, it uses a regression on the other one, fitted where that is intact.
The gate estimates from the features of a modality whether it is spoilt: a ridge regression of the
planted spans of the train partition, above a half. A corpus can distinguish gates if the oracle
gains much over the blind reference. The gate closes most of that gap if spoilt input is visible.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from avfusion.errors import AvfError
from avfusion.features.gold import targets
from avfusion.features.store import FeatureStore
from avfusion.layout import Layout
from avfusion.metrics.concordance import ccc
from avfusion.robustness.gates import mark
from avfusion.training.ridge import STRENGTHS, Ridge

MODALITIES = ("audio", "video")


@dataclass(frozen=True)
class Rows:
    """Clips of a corpus with planted spans.

    Attributes
    ----------
    features
        Features of each modality on the scale of the train partition (N, D), 0 where it is absent.
        The last column says whether the modality is present.
    gold
        Ratings without their delay (N, K).
    spoilt
        For each modality, whether more than half of the clip is in one of its spans (N,).
    partition
        Partition of each clip (N,).
    """

    features: dict[str, np.ndarray]
    gold: np.ndarray
    spoilt: dict[str, np.ndarray]
    partition: np.ndarray

    def where(self, keep: np.ndarray) -> "Rows":
        """Return some of the rows; keep (N,) bool."""
        return Rows(
            {name: x[keep] for name, x in self.features.items()},
            self.gold[keep],
            {name: x[keep] for name, x in self.spoilt.items()},
            self.partition[keep],
        )

    def joined(self, modalities: Sequence[str]) -> np.ndarray:
        """Return the features of some modalities side by side (N, D)."""
        return np.concatenate([self.features[name] for name in modalities], axis=1)


def read_rows(
    corpus: str,
    encoders: dict[str, list[str]],
    layout: Layout,
    clip_s: float,
    hidden: Sequence[str] = ("contradicting",),
) -> Rows:
    """Read the rated clips of a corpus whose spans are known.

    Parameters
    ----------
    corpus
        Name of the corpus.
    encoders
        Encoders of audio and of video, as `features` in the config.
    layout
        Paths of the results.
    clip_s
        Length of a clip in seconds.
    hidden
        Kinds of spans that leave no trace in the quality of a modality. Clips that overlap one are
        left out.

    Raises
    ------
    AvfError
        If the corpus has no planted spans, or features are missing.
    """
    truth = pd.read_parquet(layout.truth(corpus))
    if truth.empty:
        raise AvfError(f"{layout.truth(corpus)}: no planted spans, so no truth is known.")
    manifest = pd.read_parquet(layout.manifest(corpus)).set_index("video")
    gold = dict(tuple(pd.read_parquet(layout.gold(corpus)).groupby("video")))
    delay_s: dict[str, float] = json.loads(layout.card(corpus).read_text())["delay_s"]
    stores = {
        name: [
            FeatureStore.open(layout.features(corpus, e) / "index.parquet") for e in encoders[name]
        ]
        for name in MODALITIES
    }
    features: dict[str, list[np.ndarray]] = {modality: [] for modality in MODALITIES}
    clips, golds = [], []
    for video in manifest.index:
        times_s = stores["audio"][0].load(video).times_s
        rated = gold[video].sort_values("time_s")
        known = rated["time_s"].to_numpy(), rated[list(delay_s)].to_numpy()
        golds.append(targets(times_s, *known, delay_s))
        clips.append(pd.DataFrame({"video": video, "time_s": times_s}))
        for modality, opened in stores.items():
            rows = [store.load(video).rows for store in opened]
            features[modality].append(np.concatenate(rows, axis=1).astype(np.float64))
    return _assembled(
        pd.concat(clips), golds, features, manifest["partition"], truth, clip_s, hidden
    )


def _assembled(
    clips: pd.DataFrame,
    golds: list[np.ndarray],
    features: dict[str, list[np.ndarray]],
    partitions: pd.Series,
    truth: pd.DataFrame,
    clip_s: float,
    hidden: Sequence[str],
) -> Rows:
    """Standardise by train, mark spoilt clips, and drop unrated and hidden ones."""
    partition = clips["video"].map(partitions).to_numpy()
    gold = np.concatenate(golds)
    out_of_sight = truth["kind"].isin(hidden)
    planted = truth[~out_of_sight]
    spoilt = {
        name: mark(clips, planted[planted["modality"] == name], clip_s) >= 0 for name in MODALITIES
    }
    rows = Rows(
        {name: _scaled(np.concatenate(x), partition == "train") for name, x in features.items()},
        gold,
        spoilt,
        partition,
    )
    seen = mark(clips, truth[out_of_sight], clip_s) == -1
    return rows.where(seen & ~np.isnan(gold).any(axis=1))


def _scaled(features: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return features (N, D) by the train rows' mean and deviation, and their presence (N, D+1)."""
    present = ~np.isnan(features).any(axis=1)
    mean, deviation = features[train & present].mean(0), features[train & present].std(0)
    scaled = (features - mean) / np.where(deviation > 1e-6, deviation, np.inf)
    return np.column_stack([np.where(present[:, None], scaled, 0), present])


def references(rows: Rows) -> dict[str, float]:
    """Return the test CCC, mean over targets, of the linear references.

    Returns
    -------
    dict
        `audio`, `video`: one modality; `blind`: both; `oracle`: both, with the spans known; `gate`:
        both, with the spans estimated; `closed`: the share of the gap between blind and oracle that
        the gate closes.
    """
    everywhere = np.ones(len(rows.gold), bool)
    single = {name: _fitted(rows, [name], everywhere) for name in MODALITIES}
    blind = _fitted(rows, MODALITIES, everywhere)
    intact = {name: _fitted(rows, [name], ~rows.spoilt[name]) for name in MODALITIES}
    estimated = {name: _spoilt(rows, name) for name in MODALITIES}
    scores = {name: _score(rows, p) for name, p in {**single, "blind": blind}.items()}
    for name, spoilt in (("oracle", rows.spoilt), ("gate", estimated)):
        prediction = blind.copy()
        for kept, lost in (("audio", "video"), ("video", "audio")):
            which = spoilt[lost] & ~spoilt[kept]
            prediction[which] = intact[kept][which]
        scores[name] = _score(rows, prediction)
    gap = scores["oracle"] - scores["blind"]
    scores["closed"] = (scores["gate"] - scores["blind"]) / gap if gap > 0 else float("nan")
    return scores


def _fitted(rows: Rows, modalities: Sequence[str], where: np.ndarray) -> np.ndarray:
    """Return predictions (N, K) of a ridge regression fitted where `where` (N,) is true."""
    gold = torch.from_numpy(rows.gold)
    held = where & (rows.partition == "validation")
    return _ridge(
        rows.joined(modalities),
        rows.gold,
        where & (rows.partition == "train"),
        lambda p: float(ccc(torch.from_numpy(p[held].T), gold[torch.from_numpy(held)].T).mean()),
    )


def _spoilt(rows: Rows, modality: str) -> np.ndarray:
    """Return where a modality is estimated to be spoilt (N,), from its own features."""
    actual = rows.spoilt[modality].astype(float)[:, None]
    held = rows.partition == "validation"
    estimate = _ridge(
        rows.features[modality],
        actual,
        rows.partition == "train",
        lambda p: -float(((p - actual)[held] ** 2).mean()),
    )
    return estimate[:, 0] > 0.5


def _ridge(
    x: np.ndarray, y: np.ndarray, fit: np.ndarray, measure: Callable[[np.ndarray], float]
) -> np.ndarray:
    """Return predictions (N, K) for all rows, with the penalty of the best measure."""
    features, goal = torch.from_numpy(x), torch.from_numpy(y).double()
    part = torch.from_numpy(fit)
    ridge = Ridge(lambda: [(features[part], goal[part])])
    predictions = []
    for strength in STRENGTHS:
        weight, bias = ridge.weights(strength)
        predictions.append((features @ weight.T + bias).numpy())
    return max(predictions, key=measure)


def _score(rows: Rows, prediction: np.ndarray) -> float:
    test = rows.partition == "test"
    return float(
        ccc(
            torch.from_numpy(prediction[test].T), torch.from_numpy(rows.gold[test].T).double()
        ).mean()
    )
