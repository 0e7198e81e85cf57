"""The shared arrays of IEMOCAP in small: mapped, checked, and no pickle that runs code."""

import pickle

import numpy as np
import pytest

from avfusion.corpora.iemocap_arrays.compare import against, faults
from avfusion.corpora.iemocap_folds import at_random
from avfusion.errors import CorpusError
from avfusion.media import arrays
from avfusion.media.arrays import CLASSES, SPLITS, Fold, Release, read_words

DIMS = {
    "audio_mfcc": (20, 3), "audio_prosody": (5,), "nlp_trans": (6,), "video": (4, 8),
    "audio_seqN": (), "video_seqN": (), "label": (),
}  # fmt: skip
WORDS = (9, 4)
NAMES = sorted(CLASSES.values())
COUNTS = dict(zip(sorted(CLASSES), (6, 10, 14, 18, 22, 24, 26), strict=True))  # 120 utterances


@pytest.fixture
def codes(monkeypatch):
    """The class of every utterance; each class occurs another number of times."""
    monkeypatch.setattr(arrays, "CLASSES", {COUNTS[n]: name for n, name in CLASSES.items()})
    every = [name for n, name in CLASSES.items() for _ in range(COUNTS[n])]
    return np.random.default_rng(1).permutation(every).tolist()


@pytest.fixture
def release(tmp_path, codes):
    rng = np.random.default_rng(0)
    for number in range(1, 6):
        folder = tmp_path / "folds" / f"fold{number:02d}"
        folder.mkdir(parents=True)
        where = at_random(len(codes), number)
        for split, part in zip(SPLITS, ("train", "validation", "test"), strict=True):
            labels = [NAMES.index(c) for c, p in zip(codes, where, strict=True) if p == part]
            for name, own in DIMS.items():
                values = rng.random((len(labels), *own), np.float32)
                if name == "label":
                    values = np.array(labels)
                elif name.endswith("seqN"):
                    values = np.full(len(labels), 4)
                    values[[0, -1] if name == "video_seqN" else slice(0)] = 0
                elif name == "nlp_trans":
                    values = rng.integers(0, WORDS[0], (len(labels), *own))
                np.save(folder / f"{split}_{name}.npy", values)
    vectors = rng.random(WORDS, np.float32)
    vectors[0] = 0
    np.save(tmp_path / "W_embedding.npy", vectors)
    (tmp_path / "dic.pkl").write_bytes(pickle.dumps({"excuse": 2, "me": 8}, protocol=2))
    return Release(tmp_path, DIMS, WORDS, arrays.CLASSES)


def test_whole_arrays_have_no_fault_and_agree_with_the_regenerated_folds(release, codes):
    assert list(faults(release)) == []
    assert list(against(release, codes)) == []
    swapped = [*codes[1:], codes[0]]
    assert any("labels differ" in fault for fault in against(release, swapped))


def test_arrays_stay_on_disk(release):
    fold = release.fold(1)
    assert all(isinstance(array, np.memmap) for array in fold.arrays.values())
    assert sum(fold.sizes) == 120


def test_utterances_without_pictures_are_left_out_even_the_first(release):
    fold = release.fold(2)
    rows = fold.with_pictures("train")
    assert len(rows) == fold.sizes[0] - 2
    assert 0 not in rows


class _Runs:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [_Runs(), {"a": np.float64(1)}, ["a"], {"a": 1.5}])
def test_a_pickle_of_anything_but_words_and_numbers_is_refused(tmp_path, capsys, content):
    path = tmp_path / "dic.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(CorpusError, match=r"dic\.pkl"):
        read_words(path)
    assert capsys.readouterr().out == ""


def test_an_array_of_objects_is_refused(release):
    path = release.root / "folds/fold01/dev_label.npy"
    np.save(path, np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(CorpusError, match="dev_label"):
        Fold.open(path.parent)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("folds/fold03/dev_video.npy", lambda x: x[:, :2], "fold03: dev_video"),
        ("folds/fold04/test_audio_seqN.npy", lambda x: x + 99, "test_audio_seqN: lengths"),
        ("folds/fold05/train_nlp_trans.npy", lambda x: x + 9, "train_nlp_trans: words beyond"),
        ("folds/fold01/train_audio_mfcc.npy", lambda x: x * np.nan, "train_audio_mfcc: values"),
        ("folds/fold02/test_label.npy", lambda x: x * 0, "differently from fold to fold"),
        ("W_embedding.npy", lambda x: x + 1, "row 0"),
        ("W_embedding.npy", lambda x: x[:5], "W_embedding.npy: (5, 4)"),
    ],
)
def test_what_is_wrong_is_told_with_its_fold_and_file(release, name, change, said):
    path = release.root / name
    np.save(path, change(np.load(path)))
    assert any(said in fault for fault in faults(release))


def test_sizes_of_the_published_folds_are_compared(release):
    wrong = [(1, 1, 1)] * 5
    assert sum("expected (1, 1, 1)" in fault for fault in faults(release, wrong)) == 5
