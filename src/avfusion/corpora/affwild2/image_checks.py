"""Checks of Aff-Wild2's aligned faces: names, indices against rows, siblings, a decoded sample."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from avfusion.corpora.base import COMPUTED, GIVEN, READ, Check, check
from avfusion.corpora.checks import listed
from avfusion.corpora.tree.tree import Folder

if TYPE_CHECKING:
    from avfusion.corpora.affwild2.release import AffWild2Release


_SIDE_PX, _SAMPLE = 112, 64


_UNPACK = "Unpack cropped_aligned again, without renaming."


def image_checks(corpus: "AffWild2Release") -> Iterator[Check]:
    """Nothing where there is no image: our own face track needs none."""
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

    strange, clash, beyond, gappy = [], [], [], []
    last = {trial: len(rows.values) for trial, rows in corpus.rows.items()}
    for trial, folders in corpus.parts.faces.items():
        names = [name for folder in folders for name in folder.names]
        strange += [f"{trial}/{name}" for name in names if frame_number(name) in (None, 0)]
        clash += [trial] if len(set(names)) < len(names) else []
        found = {frame_number(name) or 0 for name in names}
        if trial in last and max(found) > last[trial]:
            beyond.append(f"{trial} image {max(found)} of {last[trial]} rows")
        if trial in last and len(found) < 0.9 * last[trial]:
            gappy.append(f"{trial} {last[trial] - len(found)}")
    yield check(
        "image names",
        not strange,
        "five digits from 00001 and .jpg",
        listed(strange) or "all",
        f"{_UNPACK} Other tools number from 00000, which shifts every label by a frame.",
        verdict="WARN",
        certainty=READ,
    )
    yield check(
        "image siblings",
        not clash,
        "no image in both cropped_aligned siblings",
        listed(clash) or "none",
        "The first in the order of names is used; remove one of the two folders.",
        verdict="WARN",
    )
    yield check(
        "rows and images",
        not beyond,
        "a row for every image",
        listed(beyond) or f"{len(last)} trials; over 10 % missing: {listed(gappy) or 'none'}",
        "Images and annotations are of different trials or editions; unpack both again.",
        certainty=COMPUTED,
    )


def _bare(corpus: "AffWild2Release") -> Iterator[Check]:
    """Rated rows without a face, which is neither an error nor an unrated row: both are counted."""
    from avfusion.media.person import frame_number

    for partition, trials in corpus.parts.annotations.items():
        found = 0
        for trial in trials:
            names = [name for f in corpus.parts.faces.get(trial, []) for name in f.names]
            rated = ~np.isnan(corpus.rows[trial].values[:, 0])
            have = {(frame_number(name) or 0) - 1 for name in names}
            found += int(rated.sum()) - sum(bool(rated[at]) for at in have if 0 <= at < len(rated))
        wanted = corpus.edition.bare_rows.get(partition) if corpus.edition else None
        yield check(
            f"rated rows of {partition} without image",
            wanted in (None, found),
            "unpublished" if wanted is None else f"{wanted:,}",
            f"{found:,}",
            f"Where it is more, images are missing. {_UNPACK}",
            verdict="WARN",
            certainty=GIVEN if corpus.edition and corpus.edition.given else COMPUTED,
        )


def _totals(corpus: "AffWild2Release") -> Iterator[Check]:
    folders = [folder for found in corpus.parts.faces.values() for folder in found]
    total = sum(len(folder.sizes) for folder in folders)
    wanted = corpus.edition.images if corpus.edition else None
    if wanted is not None:
        yield check(
            "images",
            total == wanted,
            f"{wanted:,} aligned images",
            f"{total:,}",
            f"{abs(total - wanted):,} too {'few' if total < wanted else 'many'}. {_UNPACK}",
            verdict="WARN",
            certainty=GIVEN if corpus.edition.given else COMPUTED,
        )
    empty = [f"{f.path} {int((f.sizes == 0).sum())}" for f in folders if (f.sizes == 0).any()]
    yield check(
        "empty images",
        not empty,
        "no image of 0 bytes",
        listed(empty) or "none",
        f"They count as no face. {_UNPACK}",
        verdict="WARN",
    )


def _sample(corpus: "AffWild2Release") -> Iterator[Check]:
    """A few images from all over, decoded."""
    import cv2

    folders = [folder for found in corpus.parts.faces.values() for folder in found]
    rng, wrong = np.random.default_rng(0), []
    picked = rng.choice(len(folders), _SAMPLE) if folders else []
    paths = sorted({_one(folders[at], rng) for at in picked})
    for path in paths:
        image = cv2.imread(str(corpus.root / path))
        if image is None or image.shape[:2] != (_SIDE_PX, _SIDE_PX):
            size = "not a picture" if image is None else "{1} x {0} px".format(*image.shape)
            wrong.append(f"{path} {size}")
    yield check(
        "image sample",
        not wrong,
        f"{_SIDE_PX} x {_SIDE_PX} px JPEGs",
        listed(wrong) or f"{len(paths)} looked at",
        f"{_UNPACK} The folder `cropped` holds other sizes; cropped_aligned is what is needed.",
        verdict="WARN",
        certainty=READ,
    )


def _one(folder: Folder, rng: np.random.Generator) -> str:
    row = int(rng.integers(len(folder.sizes)))
    return f"{folder.path}/{folder.packed[row].as_py()}"
