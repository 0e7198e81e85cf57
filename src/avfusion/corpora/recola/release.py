"""Read the files of RECOLA: recordings, raters and gold standards.

Ringeval et al., "Introducing the RECOLA multimodal corpus", FG 2013; as released for AVEC 2015-16
(Valstar et al., arXiv:1605.01600), for AVEC 2018, and in general.
"""

import random
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from avfusion.corpora.base import Corpus
from avfusion.corpora.formats.ratings import Ratings, read_arff, read_bare, read_raters
from avfusion.corpora.goldstandard import GoldStandard, gold_standard
from avfusion.corpora.recola.tree import DIMENSIONS, RELEASES, Parts, Release, detect, find_parts
from avfusion.errors import ConfigError, CorpusError
from avfusion.io.bounded import content

STEP_S = 0.04


GOLD = ["video", "time_s", *DIMENSIONS]


DELAYS_S = {
    "praveen": {"valence": 2.32, "arousal": 2.72},  # 58 and 68 frames: arXiv:2111.05222
    "avec2018": {"valence": 2.0, "arousal": 2.0},
    "none": {"valence": 0.0, "arousal": 0.0},
}


TUNED_ON = 2 / 9  # share of train recordings for validation if dev is the test partition


ACCESS = """\
Home: diuf.unifr.ch/main/diva/recola

A permanent member of staff of an academic institution must sign the End User Licence Agreement on
that page. 46 people were recorded and 34 agreed to share their data. AVEC 2015, 2016 and 2018 use
27 of them (9 train, 9 development, 9 test), and the general release has 23. Ratings of AVEC's test
recordings were never published. No checksums are published. `avf verify recola` writes fingerprints
that two laboratories can compare.

Set corpora.recola.root to the unpacked folder: AVEC2016 (contains recordings_video and
ratings_gold_standard), the AVEC 2018 folder (contains labels/gs_1), or the folder of the general
release (contains RECOLA-Video-recordings and RECOLA-Annotation)."""


class RecolaRelease(Corpus):
    """RECOLA as tables: recordings and their gold standard."""

    name = "recola"
    rating_hz = 1 / STEP_S
    licence = (
        "RECOLA End User Licence Agreement: academic research of the signing institution; "
        "recordings may not be passed on, nor shown beyond what the agreement allows."
    )
    obtain = "For how to request access, run: avf obtain recola"
    access = ACCESS
    spare_videos = True  # AVEC's test recordings, which have no published ratings

    def __init__(
        self,
        *,
        root: Path,
        release: Literal["auto", "avec2016", "avec2018", "general"] = "auto",
        gold: Literal["given", "recomputed"] = "given",
        split: Literal["dev_as_test", "official"] = "dev_as_test",
        delay: Literal["praveen", "avec2018", "none"] = "praveen",
        delay_s: dict[str, float] | None = None,
        raters: tuple[str, ...] | list[str] = (),
        rows: int = 7501,
        recordings: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(root=root)
        if delay not in DELAYS_S:
            raise ConfigError(f"recola: delay is {delay!r}; expected one of {', '.join(DELAYS_S)}.")
        if delay_s is not None and set(delay_s) != set(DIMENSIONS):
            raise ConfigError(f"recola: delay_s is {delay_s}; expected valence and arousal in s.")
        self.requested, self.from_raters, self.split = release, gold == "recomputed", split
        self.delay_s = dict(delay_s or DELAYS_S[delay])
        self.left_out, self.rows, self.seed = tuple(raters), rows, seed
        self.expected = recordings
        self.split_given = split == "official"

    @cached_property
    def release(self) -> Release:
        """The release of the config, or the one whose folders are present."""
        name = detect(self.tree) if self.requested == "auto" else self.requested
        if name not in RELEASES:
            raise CorpusError(
                f"{self.root}: no folder ratings_individual (AVEC 2016), labels/gs_1 (AVEC 2018) "
                f"or RECOLA-Annotation (general release). {self.obtain}"
            )
        return RELEASES[name]

    @cached_property
    def parts(self) -> Parts:
        """Locations of all files."""
        return find_parts(self.tree, self.release)

    @cached_property
    def raters(self) -> dict[tuple[str, str], Ratings]:
        """(recording, dimension) -> ratings, one column per rater."""
        return {
            (name, dimension): read_raters(content(self.root / path), path)
            for dimension, table in self.parts.raters.items()
            for name, path in table.items()
        }

    @cached_property
    def given(self) -> dict[tuple[str, str], Ratings]:
        """(recording, dimension) -> gold standard of the release."""
        tables = {}
        for dimension, table in self.parts.gold.items():
            for name, path in table.items():
                raw = content(self.root / path)
                bare = path.lower().endswith(".csv")
                tables[name, dimension] = (
                    read_bare(raw, path, STEP_S) if bare else read_arff(raw, path)
                )
        return tables

    @cached_property
    def made(self) -> dict[tuple[str, str], GoldStandard]:
        """(recording, dimension) -> gold standard computed from its raters.

        Files with faults, fewer than two raters or fewer than two rows are left out.
        """
        computed = {}
        for key, rated in self.raters.items():
            kept = [i for i, rater in enumerate(rated.columns) if rater not in self.left_out]
            if len(kept) >= 2 and len(rated.values) >= 2 and not rated.faults:
                computed[key] = gold_standard(rated.values[:, kept])
        return computed

    def partition(self, recording: str) -> str:
        """Return the partition of a recording; `unused` for test recordings without ratings.

        AVEC defines the split; for the general release, speakers are split 60 : 20 : 20 by `seed`.
        """
        if self.release.kind == "general":
            return self._speaker_split[recording]
        part, _, number = recording.partition("_")
        if self.split == "official":
            return {"train": "train", "dev": "validation", "test": "test"}[part]
        names = [r for r in self.parts.recordings if r.startswith("train")]
        last = sorted(int(name.partition("_")[2]) for name in names)
        held = max(1, round(TUNED_ON * len(last)))
        tuned = part == "train" and int(number) in last[-held:]
        return "validation" if tuned else {"train": "train", "dev": "test", "test": "unused"}[part]

    @cached_property
    def _speaker_split(self) -> dict[str, str]:
        names = self.parts.recordings
        random.Random(self.seed).shuffle(names)
        held = max(1, round(0.2 * len(names)))
        parts = ["test"] * held + ["validation"] * held + ["train"] * max(0, len(names) - 2 * held)
        return dict(zip(names, parts, strict=False))

    @property
    def unrated(self) -> tuple[str, ...]:
        """The test partition of AVEC's own split, whose ratings were never published."""
        return ("test",) if self.release.kind == "avec" and self.split == "official" else ()

    def videos(self) -> pd.DataFrame:
        """Return one row per recording; each shows one person, so it is also the subject."""
        rows = [
            {
                "video": name,
                "path": self.parts.video.get(name, f"{self.release.video[0]}/{name}.mp4"),
                "partition": self.partition(name),
                "subject": name,
                "voice": name,
                "transcript": None,
                "sound": self.parts.audio.get(name),
                "sound_sha256": (self.tree.find(self.parts.audio.get(name, "")) or (0, None))[1],
            }
            for name in self.parts.recordings
        ]
        table = pd.DataFrame(rows)
        return table[table["partition"] != "unused"].reset_index(drop=True)

    def gold(self) -> pd.DataFrame:
        """Return row k at 0.04 k s for k < `rows` - 1; the last row has no picture."""
        parts = [pd.DataFrame({name: [] for name in GOLD})]
        for video in self.videos()["video"]:
            both = []
            for dimension in DIMENSIONS:
                if trace := self._trace(video, dimension):
                    time_s, gold = trace
                    both.append(pd.Series(gold, time_s, name=dimension))
            if len(both) < len(DIMENSIONS):
                continue  # reported by recola_checks
            # If a line is missing in one file, the other dimension keeps its rating.
            table = pd.concat([s[~s.index.duplicated()] for s in both], axis=1).sort_index()
            table = table.rename_axis("time_s").reset_index()
            parts.append(table.assign(video=video)[GOLD])
        return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)

    def _trace(self, video: str, dimension: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Return times in seconds and gold (N,) up to the last picture; None without ratings."""
        key = video, dimension
        if key in self.given and not self.from_raters:
            time_s, gold = self.given[key].time_s, self.given[key].values[:, 0]
        elif key in self.made:
            time_s, gold = self.raters[key].time_s, self.made[key].gold
        else:
            return None
        kept = (time_s >= 0) & (time_s < (self.rows - 1) * STEP_S - STEP_S / 2)
        return np.round(time_s[kept], 6), gold[kept]

    def card(self) -> dict[str, Any]:
        """Return the common card with the release and the origin of gold and split."""
        split = self.split if self.release.kind == "avec" else f"own, by speaker, seed {self.seed}"
        return {
            **super().card(),
            "release": self.release.name,
            "gold": "recomputed" if self.from_raters or not self.parts.gold["valence"] else "given",
            "split": split,
        }
