"""Checks of Aff-Wild2's aligned faces.

They cover names, image numbers and rows, sibling folders and a decoded sample.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.affwild2 import editions
from avfusion.corpora.check import COMPUTED, READ, Check, check
from avfusion.corpora.tree.tree import Folder
from avfusion.corpora.wording import listed

if TYPE_CHECKING:
    from avfusion.corpora.affwild2.release import AffWild2Release


_SIDE_PX, _SAMPLE = 112, 64


_UNPACK = "Unpack cropped_aligned again, without renaming."


def image_checks(corpus: "AffWild2Release") -> Iterator[Check]:
    """Yield the checks of aligned images; none if avfusion tracks faces and there are no images."""
    faces = corpus.parts.faces
    if not faces and corpus.faces == "own":
        return
    trials = [trial for trial, _ in corpus.listed]
    bare = [trial for trial in trials if trial not in faces]
    yield check(
        "image folders",
        not bare,
        "aligned images of every trial",
        f"none for: {listed(bare)}" if bare else f"{len(trials)} trials",
        f"{_UNPACK} Both siblings, cropped_aligned and cropped_aligned_new_50_vids, are needed.",
        verdict="WARN",
    )
    yield from _names(corpus)
    yield from _bare(corpus)
    yield from _totals(corpus)
    yield from _sample(corpus)


def _names(corpus: "AffWild2Release") -> Iterator[Check]:
    from avfusion.media.person import frame_number

    strange: list[str] = []
    clash, beyond, gappy = [], [], []
    last = {trial: len(rows.values) for trial, rows in corpus.rows.items()}
    for trial, folders in corpus.parts.faces.items():
        names = [name for folder in folders for name in folder.names]
        strange += [f"{trial}/{name}" for name in names if frame_number(name) in (None, 0)]
        clash += [trial] if len(set(names)) < len(names) else []
        numbers = {frame_number(name) or 0 for name in names}
        if trial in last and max(numbers) > last[trial]:
            beyond.append(f"{trial} image {max(numbers)} of {last[trial]} rows")
        if trial in last and len(numbers) < 0.9 * last[trial]:
            gappy.append(f"{trial} {last[trial] - len(numbers)}")
    yield check(
        "image names",
        not strange,
        "five digits from 00001 and .jpg",
        listed(strange) or "all",
        f"{_UNPACK} Numbers from 00000, as other tools use them, shift every label by one frame.",
        verdict="WARN",
        certainty=READ,
    )
    yield check(
        "image siblings",
        not clash,
        "no image in both cropped_aligned siblings",
        listed(clash) or "none",
        "The image of the first folder by name is used. Remove one of the two folders.",
        verdict="WARN",
    )
    yield check(
        "rows and images",
        not beyond,
        "a row for every image",
        listed(beyond) or f"{len(last)} trials; over 10 % missing: {listed(gappy) or 'none'}",
        "Images and annotations belong to different trials or editions. Unpack both again.",
        certainty=COMPUTED,
    )


def _bare(corpus: "AffWild2Release") -> Iterator[Check]:
    """Check the number of rated rows without a face.

    Such a row is neither an error nor unrated, so its number is compared with the published one.
    """
    from avfusion.media.person import frame_number

    for partition, trials in corpus.parts.annotations.items():
        bare = 0
        for trial in trials:
            names = [name for f in corpus.parts.faces.get(trial, []) for name in f.names]
            rated = ~np.isnan(corpus.rows[trial].values[:, 0])
            have = {(frame_number(name) or 0) - 1 for name in names}
            bare += int(rated.sum()) - sum(bool(rated[at]) for at in have if 0 <= at < len(rated))
        expected = corpus.edition.bare_rows.get(partition) if corpus.edition else None
        yield check(
            f"rated rows of {partition} without image",
            expected in (None, bare),
            "unpublished" if expected is None else f"{expected:,}",
            f"{bare:,}",
            f"If there are more than expected, images are missing. {_UNPACK}",
            verdict="WARN",
            certainty=editions.certainty(corpus.edition, COMPUTED),
        )


def _totals(corpus: "AffWild2Release") -> Iterator[Check]:
    folders = [folder for group in corpus.parts.faces.values() for folder in group]
    total = sum(len(folder.sizes) for folder in folders)
    expected = corpus.edition.images if corpus.edition else None
    if expected is not None:
        yield check(
            "images",
            total == expected,
            f"{expected:,} aligned images",
            f"{total:,}",
            f"{abs(total - expected):,} too {'few' if total < expected else 'many'}. {_UNPACK}",
            verdict="WARN",
            certainty=editions.certainty(corpus.edition, COMPUTED),
        )
    empty = [f"{f.path} {int((f.sizes == 0).sum())}" for f in folders if (f.sizes == 0).any()]
    yield check(
        "empty images",
        not empty,
        "no image of 0 bytes",
        listed(empty) or "none",
        f"An empty image counts as a frame without a face. {_UNPACK}",
        verdict="WARN",
    )


def _sample(corpus: "AffWild2Release") -> Iterator[Check]:
    """Decode a random sample of images and check their size."""
    import cv2

    folders = [folder for group in corpus.parts.faces.values() for folder in group]
    rng, wrong = np.random.default_rng(0), []
    drawn = rng.choice(len(folders), _SAMPLE).tolist() if folders else []
    paths = sorted({_one(folders[at], rng) for at in drawn})
    for path in paths:
        image = cv2.imread(str(corpus.root / path))
        if image is None or image.shape[:2] != (_SIDE_PX, _SIDE_PX):
            size = "not a picture" if image is None else "{1} x {0} px".format(*image.shape)
            wrong.append(f"{path} {size}")
    yield check(
        "image sample",
        not wrong,
        f"{_SIDE_PX} x {_SIDE_PX} px JPEGs",
        listed(wrong) or f"{len(paths)} decoded",
        f"{_UNPACK} The folder `cropped` has other sizes; only cropped_aligned is used.",
        verdict="WARN",
        certainty=READ,
    )


def _one(folder: Folder, rng: np.random.Generator) -> str:
    """Return the path of a random image."""
    row = int(rng.integers(len(folder.sizes)))
    return f"{folder.path}/{folder.packed[row].as_py()}"
