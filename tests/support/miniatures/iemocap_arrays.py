"""A miniature of IEMOCAP's shared arrays: 300 utterances in five folds by the published rule.

All arrays follow from the utterance, so that they are the same in each fold. A class is a direction
of the MFCCs and of the pictures, and one of the words.
"""

import pickle
from pathlib import Path

import numpy as np

from avfusion.corpora.iemocap_arrays.compare import PARTS
from avfusion.corpora.iemocap_folds import at_random
from avfusion.media.arrays import CLASSES, SPLITS
from support.miniatures import Fault

DIMS = {"audio_mfcc": (150, 12), "audio_prosody": (5,), "nlp_trans": (6,), "video": (4, 16)}
WORDS = (12, 10)
COUNTS = dict(zip(CLASSES.values(), (58, 50, 46, 42, 38, 34, 32), strict=True))
NAMES = sorted(COUNTS)  # a class' number is its place here
OPTIONS = {
    "fold": 1,
    "expect": {
        "counts": COUNTS,
        "dims": {name: list(shape) for name, shape in DIMS.items()},
        "words": list(WORDS),
    },
}
BARE = (3, 40)  # utterances without pictures


def codes() -> list[str]:
    """Return the class of every utterance, in the order of the release."""
    every = [name for name, count in COUNTS.items() for _ in range(count)]
    return np.random.default_rng(5).permutation(every).tolist()


def utterance(number: int, code: str) -> dict[str, np.ndarray]:
    """Return the arrays of an utterance, padded with zeros."""
    rng, label = np.random.default_rng([2, number]), NAMES.index(code)
    steps = int(rng.integers(60, DIMS["audio_mfcc"][0] + 1))  # of 10 ms
    pictures = 0 if number in BARE else max(1, round(steps * 0.01 * 3))
    mfcc, video = (np.zeros(DIMS[name], np.float32) for name in ("audio_mfcc", "video"))
    mfcc[:steps] = rng.normal(0, 1, (steps, mfcc.shape[1]))
    mfcc[:steps, label] += 2
    video[:pictures] = rng.normal(0, 1, (pictures, video.shape[1]))
    video[:pictures, label] += 2
    words = np.zeros(DIMS["nlp_trans"], np.int64)
    words[:3] = rng.integers(9, WORDS[0]), 2 + label, rng.integers(9, WORDS[0])
    prosody = rng.normal(0, 1, DIMS["audio_prosody"]).astype(np.float32)
    return {
        "audio_mfcc": mfcc, "audio_seqN": np.array(steps), "audio_prosody": prosody,
        "nlp_trans": words, "video": video, "video_seqN": np.array(pictures),
        "label": np.array(label),
    }  # fmt: skip


def build(root: Path, folds=range(1, 6)) -> None:
    """Write folds, word vectors and words."""
    every = [utterance(number, code) for number, code in enumerate(codes())]
    for number in folds:
        where = at_random(len(every), number)
        folder = root / "folds" / f"fold{number:02d}"
        folder.mkdir(parents=True)
        for split in SPLITS:
            rows = [one for one, part in zip(every, where, strict=True) if part == PARTS[split]]
            for name in every[0]:
                np.save(folder / f"{split}_{name}.npy", np.stack([one[name] for one in rows]))
    vectors = np.eye(*WORDS, dtype=np.float32) + 0.1
    vectors[0] = 0
    np.save(root / "W_embedding.npy", vectors)
    words = {f"word{row}": row for row in range(1, WORDS[0])}
    (root / "dic.pkl").write_bytes(pickle.dumps(words, protocol=2))


class _Runs:
    def __reduce__(self):
        return print, ("run",)


def _edit(name: str, change):
    def plant(root: Path) -> None:
        array = np.load(root / name)
        np.save(root / name, change(array))

    return plant


def _swap(labels: np.ndarray) -> np.ndarray:
    """Change the order but not the counts."""
    return np.roll(labels, 1)


def _relabel(labels: np.ndarray) -> np.ndarray:
    """Give one utterance another class."""
    other = labels.copy()
    other[0] = (other[0] + 1) % len(COUNTS)
    return other


FOLD = "folds/fold01"
FAULTS = {
    "pictures of fewer steps": Fault(
        _edit(f"{FOLD}/dev_video.npy", lambda x: x[:, :2]), "arrays", "dev_video: (17, 2, 16)"
    ),
    "more steps than there is room for": Fault(
        _edit(f"{FOLD}/test_audio_seqN.npy", lambda x: x + 150), "arrays", "test_audio_seqN",
    ),
    "a value that is no number": Fault(
        _edit(f"{FOLD}/train_audio_mfcc.npy", lambda x: np.where(x > 4, np.nan, x)), "arrays",
        "train_audio_mfcc: values",
    ),
    "a word without a vector": Fault(
        _edit(f"{FOLD}/train_nlp_trans.npy", lambda x: x + WORDS[0] - 1), "arrays",
        "words beyond row 11",
    ),
    "a file cut off": Fault(
        lambda root: (root / f"{FOLD}/test_video.npy").write_bytes(b"\x93NUMPY"), "tree",
        "test_video.npy",
    ),
    "an utterance of another class": Fault(
        _edit(f"{FOLD}/test_label.npy", _relabel), "tree", "Classes occur"
    ),
    "another order in one fold": Fault(
        _edit("folds/fold03/train_label.npy", _swap), "one order", "fold 3", "WARN"
    ),
    "padding that is not zero": Fault(
        _edit("W_embedding.npy", lambda x: x + 1), "word vectors", "row 0"
    ),
    "a dictionary that runs code": Fault(
        lambda root: (root / "dic.pkl").write_bytes(pickle.dumps(_Runs())), "dictionary",
        "dic.pkl",
        "WARN",
    ),
    "another hop of MFCC": Fault(
        lambda root: None, "pictures a second", "median 1.5", "WARN",
        options=(("mfcc_hop_s", 0.02),),
    ),
}  # fmt: skip
