"""In every corpus, a rating matches the picture and sound that it describes, to the frame.

The miniatures write ratings into pictures and tones. Both are read back through the media stage
and compared with the gold that `avf verify` wrote. Then the search of `avf delay` must find the
planted delay.
"""

from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from avfusion.config.jobs import DelaySettings
from avfusion.config.sections import FeatureSettings
from avfusion.evaluation.delays import best, search
from avfusion.layout import Layout
from support.miniatures import affwild2, fatigue, own, recola
from support.miniatures._decode import ReadBack, as_encoded, read, read_back

pytestmark = pytest.mark.slow

HOP_S = 0.16
Shown = tuple[np.ndarray, np.ndarray, float]  # of every frame its time and value; gold over value


@dataclass(frozen=True)
class Way:
    """How a miniature encodes ratings; `seen` and `heard` are the targets of picture and tone."""

    module: ModuleType
    seen: str
    heard: str
    frame_s: float
    longest_s: float
    delay_s: dict[str, float]
    asked: tuple[str, ...] | None = None
    scale: tuple[float, float] = (1.0, 1.0)  # gold divided by the value of picture and tone
    within: float = 1e-9  # random deviation of raters
    options: dict = field(default_factory=dict)


WAYS = {
    "affwild2": Way(
        affwild2, "valence", "arousal", 1 / 30, 0.5, {}, options={"faces": "official"}
    ),
    "recola": Way(
        recola, "valence", "arousal", 0.04, 4.0, recola.OPTIONS["delay_s"],
        asked=("train_1", "train_2"), scale=(0.6, 0.6), within=0.05,
        options={"recordings": 3, "split": "official"},
    ),
    "fatigue": Way(
        fatigue, "fatigue", "fatigue", 0.1, 1.0, {}, scale=(10, 1), options={"rating_hz": 10.0}
    ),
    "own": Way(own, "valence", "arousal", 0.1, 1.0, own.OPTIONS["delay_s"]),
}  # fmt: skip


def tone(corpus: str, band: np.ndarray) -> np.ndarray:
    """The rating that a tone stands for."""
    level = (band - 14) / 2
    return level / 2 if corpus == "fatigue" else np.round(-0.96 + 0.08 * level, 3)


@pytest.fixture(scope="module")
def read_corpus(tmp_path_factory):
    """Return a function: corpus -> layout, manifest and the values read back, read once."""
    made = {}

    def get(corpus):
        if corpus not in made:
            way, folder = WAYS[corpus], tmp_path_factory.mktemp(corpus)
            root, layout = folder / "tree", Layout(folder / "results")
            few = (("train_1", "train_2", "dev_1"),) if corpus == "recola" else ()
            way.module.build(root, *few)
            options = {**way.module.OPTIONS, **way.options}
            table = read(corpus, root, options, layout, way.asked)
            right = corpus == "affwild2" and table["video"].str.endswith("_right")
            left_px = table["video"].map(dict.fromkeys(table["video"], 0)) + 320 * right
            read_backs = {
                row.video: read_back(corpus, root, row, at, layout)
                for row, at in zip(table.itertuples(), left_px, strict=True)
            }
            made[corpus] = layout, table, read_backs
        return made[corpus]

    return get


def met(way: Way, gold: pd.DataFrame, target: str, from_video: Shown, shift: int) -> np.ndarray:
    """Whether each rating (n,) is that of the frame shown a delay before it, `shift` frames on."""
    time_s, value, scale = from_video
    rows = gold.dropna(subset=[target])
    at_s = rows["time_s"].to_numpy() - way.delay_s.get(target, 0.0)
    frame = np.searchsorted(time_s, at_s + 1e-4, side="right") - 1 + shift
    # The last frame may be of no row, and a tone fades there.
    inside = (at_s > -1e-6) & (frame >= 0) & (frame < len(time_s) - 1)
    inside[inside] = np.isfinite(value[frame[inside]])
    gap = rows[target].to_numpy()[inside] - scale * value[frame[inside]]
    if way.within > 0.01 and len(gap):
        gap = gap - np.median(gap)  # raters' common bias
    return np.abs(gap) <= way.within


def shown(corpus: str, what: str, video: ReadBack) -> Shown:
    """Times, values and their scale of the pictures or the tones of a video."""
    by = WAYS[corpus].scale
    if what == "picture":
        return video.time_s, video.seen, by[0]
    return video.time_s, tone(corpus, video.band), by[1]


@pytest.mark.parametrize("what", ["picture", "tone"])
@pytest.mark.parametrize("corpus", WAYS)
def test_what_is_shown_and_heard_is_the_rating_and_one_frame_off_it_is_not(
    read_corpus, corpus, what
):
    layout, table, read_backs = read_corpus(corpus)
    gold = dict(list(pd.read_parquet(layout.gold(corpus)).groupby("video")))
    way, counted, off = WAYS[corpus], 0, {-1: 0, 1: 0}
    target = way.seen if what == "picture" else way.heard
    for video in table["video"][table["video"].isin(gold)]:
        values = shown(corpus, what, read_backs[video])
        exact = met(way, gold[video], target, values, 0)
        assert exact.all(), video
        counted += len(exact)
        for shift in off:
            off[shift] += (~met(way, gold[video], target, values, shift)).sum()
    assert counted > 100
    assert min(off.values()) >= 3


@pytest.mark.parametrize("what", ["picture", "tone"])
@pytest.mark.parametrize("corpus", WAYS)
def test_the_planted_delay_is_found_from_pictures_alone_and_from_sound_alone(
    read_corpus, tmp_path, corpus, what
):
    way, (verified, _, read_backs) = WAYS[corpus], read_corpus(corpus)
    values = {video: shown(corpus, what, back)[:2] for video, back in read_backs.items()}
    layout = as_encoded(corpus, what, values, verified, tmp_path)
    features = FeatureSettings(audio=["tone"], video=["picture"])
    settings = DelaySettings(features=features, baseline="none", ridge=0.01)
    grid_s = np.round(np.arange(round(way.longest_s / way.frame_s) + 1) * way.frame_s, 6)
    delays = search(corpus, settings, layout, grid_s)
    target = way.seen if what == "picture" else way.heard
    assert best(delays)[target] == pytest.approx(way.delay_s.get(target, 0.0), abs=1e-6)
    assert delays[delays["target"] == target]["ccc"].max() > 0.85
