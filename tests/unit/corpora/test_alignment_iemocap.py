"""In IEMOCAP's miniature, each turn has its own frames, its speaker's half and its own sound."""

import numpy as np
import pytest

from avfusion.config.jobs import DelaySettings
from avfusion.config.sections import FeatureSettings
from avfusion.evaluation.delays import best, search
from avfusion.layout import Layout
from support.miniatures import _film, iemocap
from support.miniatures._decode import as_encoded, read, read_back

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def turns(tmp_path_factory):
    """Return layout, manifest and values of some turns: both halves, both marker wearers.

    A frame has its number in the film in the left half, and a thousand more in the right one.
    """
    folder = tmp_path_factory.mktemp("iemocap")
    root, layout, sessions = folder / "tree", Layout(folder / "results"), range(1, 4)
    iemocap.build(root, sessions)
    asked = [turn[0] for name in iemocap.dialogs(sessions) for turn in iemocap.turns(name)][::2]
    asked += [turn[0] for name in iemocap.dialogs([2]) for turn in iemocap.turns(name)][1::2]
    table = read("iemocap", root, {**iemocap.options(sessions), "fold": 1}, layout, asked)
    shown = {row.video: read_back("iemocap", root, row, 0, layout) for row in table.itertuples()}
    return layout, table, shown


def test_a_turn_of_iemocap_shows_its_own_frames_in_its_speakers_half_and_its_own_sound(turns):
    _, table, shown = turns
    known = {turn[0]: turn for name in iemocap.dialogs(range(1, 4)) for turn in iemocap.turns(name)}
    assert set(table["half"]) == {"left", "right"}
    for row in table.itertuples():
        turn, start_s = shown[row.video], known[row.video][1]
        number = np.round(1000 * (turn.seen + 1)).astype(int)
        assert set(number // 1000) == {int(row.half == "right")}
        shown_s = number % 1000 / float(iemocap.RATE) - start_s
        np.testing.assert_allclose(shown_s, turn.time_s, atol=2e-3)  # a frame lasts 33 ms
        heard = turn.band[2:-2]
        assert set(heard) == {_film.tone_band(iemocap.tone(row.video))}


def test_ratings_of_a_whole_turn_are_late_by_nothing(turns, tmp_path):
    """With one rating per turn all delays score the same, and the search chooses 0."""
    layout, _, shown = turns
    values = {video: (frames.time_s, frames.seen) for video, frames in shown.items()}
    made = as_encoded("iemocap", "picture", values, layout, tmp_path, hop_s=0.08)
    features = FeatureSettings(audio=["tone"], video=["picture"])
    settings = DelaySettings(features=features, baseline="none", ridge=0.01)
    grid_s = np.round(np.arange(6) * 0.04, 6)
    delays = search("iemocap", settings, made, grid_s)
    assert set(best(delays).values()) == {0.0}
    assert delays.groupby("target")["ccc"].std().max() < 1e-9
