"""`avf delay` finds a planted delay to the frame, and looks at the train partition alone."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from avfusion import cli
from avfusion.config.jobs import DelaySettings
from avfusion.config.sections import FeatureSettings
from avfusion.errors import AvfError
from avfusion.evaluation.delays import best, search
from avfusion.features.store import write_features
from avfusion.io.shards import write_table
from avfusion.layout import Layout
from avfusion.media.clips import clip_ends
from support.miniatures import recola
from support.synthetic_features import Plan, write_inputs

HOP_S, GRID_S = 0.16, np.round(np.arange(101) * 0.04, 6)
SETTINGS = DelaySettings(features=FeatureSettings(audio=["ear"], video=["eye"]), baseline="none")
NAMES = ("train_1", "train_2", "train_3", "dev_1")


def written(layout):
    """RECOLA's miniature as encoding would leave it, if encoders told what a frame shows."""
    rows = [(name, "test" if name == "dev_1" else "train") for name in NAMES]
    write_table(pd.DataFrame(rows, columns=["video", "partition"]), layout.manifest("recola"))
    card = {"name": "recola", "delay_s": {"valence": 2.32, "arousal": 2.72}}
    layout.card("recola").write_text(json.dumps(card))
    gold = []
    for name in NAMES:
        rated = {d: recola.ratings(name, d).mean(axis=1) for d in recola.DIMENSIONS}
        time_s = np.arange(recola.ROWS) / recola.HZ
        gold.append(pd.DataFrame({"video": name, "time_s": time_s, **rated}))
    write_table(pd.concat(gold), layout.gold("recola"))
    for encoder, dimension in (("ear", "arousal"), ("eye", "valence")):
        folder, index = layout.features("recola", encoder), []
        for name in NAMES:
            ends_s = clip_ends(recola.FRAMES / recola.HZ, HOP_S)
            frames = np.round(ends_s * recola.HZ).astype(int).clip(max=recola.FRAMES - 1)
            shown = recola.stimulus(name, dimension)[frames][:, None]
            sha256 = write_features(folder, name, ends_s, shown)
            index.append((name, "ok", "", len(shown), 1, 0.0, sha256))
        columns = ["video", "status", "reason", "rows", "dim", "missing_share", "sha256"]
        write_table(pd.DataFrame(index, columns=columns), folder / "index.parquet")


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path)
    written(layout)
    return layout


def test_the_planted_sixty_frames_are_found_to_the_frame(layout):
    table = search("recola", SETTINGS, layout, GRID_S)
    assert best(table) == {"valence": recola.LATE / recola.HZ, "arousal": recola.LATE / recola.HZ}
    at = table.set_index(["target", "delay_s"])["ccc"]
    assert at["valence", 2.4] > 0.9
    assert at["valence"].drop(2.4).max() < 0.5  # its stimulus is another in every frame
    kept = pd.read_csv(layout.delays("recola"), float_precision="round_trip")
    pd.testing.assert_frame_equal(kept, table)


def test_neither_ratings_nor_features_of_other_partitions_are_opened(layout):
    before = search("recola", SETTINGS, layout, GRID_S)
    gold = pd.read_parquet(layout.gold("recola"))
    gold.loc[gold["video"] == "dev_1", ["valence", "arousal"]] = np.nan
    write_table(gold, layout.gold("recola"))
    for encoder in ("ear", "eye"):
        (layout.features("recola", encoder) / "dev_1.npy").unlink()
    pd.testing.assert_frame_equal(search("recola", SETTINGS, layout, GRID_S), before)


def test_the_command_prints_a_line_for_the_config(layout, tmp_path, capsys):
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(SETTINGS.document()))
    words = ["delay", "recola", "--longest", "3", "--results", str(tmp_path)]
    assert cli.main([*words, "--settings", str(settings)]) == 0
    printed = capsys.readouterr().out
    assert "delay_s: {valence: 2.4, arousal: 2.4}" in printed
    assert "at 2.72 s (corpus.json)" in printed
    assert cli.main([*words, "--settings", str(settings), "--step", "0"]) == 1
    assert "--step and --ridge must be above 0" in capsys.readouterr().err


def test_arguments_replace_the_settings_of_the_file_only_if_they_are_given(
    layout, tmp_path, monkeypatch
):
    calls = []

    def searched(corpus, settings, layout, delays_s):
        calls.append((settings, delays_s))
        return search(corpus, settings, layout, delays_s)

    monkeypatch.setattr("avfusion.evaluation.delays.search", searched)
    asked = SETTINGS.updated(ridge=0.5, longest_s=1.0, step_s=0.5)
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(asked.document()))
    words = ["delay", "recola", "--results", str(tmp_path), "--settings", str(settings)]
    assert cli.main(words) == 0
    assert cli.main([*words, "--ridge", "2", "--longest", "0.5"]) == 0
    assert [settings for settings, _ in calls] == [asked, asked.updated(ridge=2, longest_s=0.5)]
    assert [delays_s.tolist() for _, delays_s in calls] == [[0.0, 0.5, 1.0], [0.0, 0.5]]


def test_slow_signals_with_gaps_are_found_within_one_step_and_shared_clips(tmp_path):
    """Features with noise and stretches without sound or face; delays 0.8 and 1.2 s."""
    layout, plan = Layout(tmp_path), replace(Plan(), noise=0.1)
    write_inputs(layout, plan)
    table = search("toy", SETTINGS, layout, np.round(np.arange(21) * 0.2, 6))
    assert best(table) == pytest.approx(plan.delay_s, abs=0.21)


def test_too_long_a_grid_is_refused_with_what_to_do(layout):
    with pytest.raises(AvfError, match="Run: avf delay recola --longest"):
        search("recola", SETTINGS, layout, np.array([0.0, 60.0]))


def test_a_single_recording_is_not_sent_to_a_shorter_search(tmp_path):
    layout, plan = Layout(tmp_path), Plan(videos={"train": 1, "validation": 1, "test": 1})
    write_inputs(layout, plan)
    with pytest.raises(AvfError, match=r"two are needed\. Add recordings"):
        search("toy", SETTINGS, layout, np.array([0.0, 1.0]))


@pytest.mark.parametrize("delay_s", [0.0, 0.8])
def test_a_known_delay_is_found_on_long_recordings_and_not_told_on_clips(tmp_path, delay_s, capsys):
    """On clips of 3 s the best of all delays is chance, so the command refuses."""
    plan = replace(Plan(), noise=0.1, delay_s=dict.fromkeys(("valence", "arousal"), delay_s))
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(SETTINGS.document()))
    for seconds in (24.0, 3.0):
        layout = Layout(tmp_path / f"{seconds:g}")
        write_inputs(layout, replace(plan, duration_s=seconds))
        words = ["delay", "toy", "--results", str(layout.results), "--settings", str(settings)]
        code = cli.main([*words, "--step", "0.2"])
        assert code == (0 if seconds > 10 else 1)
    printed = capsys.readouterr()
    line = next(row for row in printed.out.splitlines() if row.startswith("delay_s: {"))
    values = [float(part.split(":")[-1].strip(" }")) for part in line.split(",")]
    assert values == pytest.approx([delay_s, delay_s], abs=0.21)
    assert "too short to tell delays up to 2 s apart" in printed.err
    assert "state a published delay" in printed.err
