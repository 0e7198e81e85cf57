"""Aff-Wild2, the valence-arousal track of ABAW 3, 5, 6 and 8: a video here is one trial.

A trial is one annotated person of one raw video; the two persons of a raw video share its file,
its times and its sound. Kollias and Zafeiriou, arXiv:1811.07770; Kollias et al., CVPRW 2022-2025.
"""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from avfusion.corpora.affwild2 import editions
from avfusion.corpora.affwild2.annotations import Rows, read_rows
from avfusion.corpora.affwild2.tree import Parts, find_parts, raw_name, read_list, side
from avfusion.corpora.base import Corpus
from avfusion.corpora.clocks import clocks
from avfusion.errors import ConfigError
from avfusion.schemas import GOLD

NOMINAL_HZ = 30.0


ALL_RAW = 598  # raw videos whose names are public


ACCESS = """\
Home: sites.google.com/view/dimitrioskollias/databases/aff-wild2

At a university: a person with a permanent academic post (no post-doc, no PhD student) fills in and
signs the End User Licence Agreement of that page and mails it from the official academic address
to d.kollias@qmul.ac.uk, subject "Aff-Wild2 request by academic", saying what it is for.
At a company: the page names a separate way.
In a running ABAW challenge: registered teams are mailed links to zips: raw videos (batch1, batch2,
new_vids), cropped, cropped_aligned, annotations, test lists and the submission template.

Unpack all zips of one edition into one folder, without renaming anything; set
corpora.affwild2.root to it and corpora.affwild2.options.edition to abaw3, abaw5, abaw6 or abaw8.
Copies from elsewhere are not licensed. No official checksums are published;
`avf verify affwild2` checks counts,
and writes fingerprints.parquet, which two laboratories can compare without sharing data."""


class AffWild2Release(Corpus):
    """The files of one release, read into tables."""

    name = "affwild2"
    delay_s: ClassVar[dict[str, float]] = {"valence": 0.0, "arousal": 0.0}
    rating_hz = NOMINAL_HZ
    licence = (
        "Aff-Wild2 End User Licence Agreement: non-commercial research of the signing institution; "
        "neither videos, faces nor annotations may be passed on."
    )
    obtain = "`avf obtain affwild2` says how it is had."
    access = ACCESS
    unrated = ("test",)
    split_given = True
    spare_videos = True  # raw videos of ABAW's other tracks

    def __init__(
        self,
        *,
        root: Path,
        edition: str = "",
        faces: Literal["own", "official"] = "own",
        annotations: str = "",
        test_list: str = "",
        template: str = "",
        transcripts: str = "",
        expect: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(root=root)
        if faces not in ("own", "official"):
            raise ConfigError(f"affwild2: faces is {faces!r}; it is `own` or `official`.")
        self.edition = editions.edition(edition, expect or {}) if edition else None
        self.faces, self.transcripts = faces, transcripts.strip("/")
        self.places = {"annotations": annotations, "test_list": test_list, "template": template}

    @cached_property
    def parts(self) -> Parts:
        """Where everything lies."""
        return find_parts(self.tree, self.edition, self.places)

    @cached_property
    def test_names(self) -> list[str]:
        """Trials of the test list, in its order."""
        return read_list(self.root / self.parts.test_list) if self.parts.test_list else []

    @cached_property
    def listed(self) -> list[tuple[str, str]]:
        """(trial, partition) of every trial, also where one stands twice."""
        rated = [(t, p) for p, trials in self.parts.annotations.items() for t in sorted(trials)]
        return rated + [(trial, "test") for trial in self.test_names]

    @cached_property
    def rows(self) -> dict[str, Rows]:
        """Ratings of every annotated trial, a row a frame."""
        texts = {t: p for trials in self.parts.annotations.values() for t, p in trials.items()}
        return {t: read_rows((self.root / p).read_bytes(), p) for t, p in sorted(texts.items())}

    @cached_property
    def clocks(self) -> dict[str, Any]:
        """Raw video -> its `media.timing.Timing`, of those that trials need and that are here."""
        needed = sorted({raw_name(trial) for trial, _ in self.listed} & self.parts.raw.keys())
        return clocks(self, {raw: self.parts.raw[raw][0] for raw in needed})

    def times_s(self, trial: str, rows: int) -> np.ndarray:
        """When each row's frame is shown (rows,); at 30 Hz where no video says (it then fails)."""
        clock = self.clocks.get(raw_name(trial))
        if clock is None or clock.reason:
            return np.arange(rows) / NOMINAL_HZ
        return clock.at(rows)

    def transcript(self, trial: str) -> str | None:
        """Path of what is said in a trial, if the lab wrote it down."""
        folder = self.tree.folders.get(self.transcripts) if self.transcripts else None
        names = (f"{trial}.csv", f"{raw_name(trial)}.csv") if folder else ()
        return next((f"{folder.path}/{name}" for name in names if name in folder.at), None)

    def videos(self) -> pd.DataFrame:
        """A row a trial; `subject` is the raw video, within which nothing may be set apart."""
        trials = {trial for trial, _ in self.listed}
        rows = []
        for trial, partition in self.listed:
            raw = raw_name(trial)
            path = self.parts.raw.get(raw, [f"{raw}.mp4"])[0]
            folders = self.parts.faces.get(trial, []) if self.faces == "official" else []
            where = "|".join(folder.path for folder in folders)
            rows.append(
                {
                    "video": trial, "path": path, "partition": partition, "subject": raw,
                    "voice": None, "transcript": self.transcript(trial),
                    "side": side(trial, trials),
                    "crops": where if self.faces == "official" else None,
                    "crops_sha256": _joined(folder.digest() for folder in folders),
                }
            )  # fmt: skip
        table = pd.DataFrame(rows)
        return table if self.faces == "official" else table.drop(columns=["crops", "crops_sha256"])

    def gold(self) -> pd.DataFrame:
        """Every row of train and validation at the time of its frame; none of test exists."""
        parts = [pd.DataFrame({name: [] for name in GOLD})]
        for trial, rows in self.rows.items():
            time_s = self.times_s(trial, len(rows.values))
            valence, arousal = rows.values.T
            columns = {"video": trial, "time_s": time_s, "valence": valence, "arousal": arousal}
            parts.append(pd.DataFrame(columns))
        return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)

    def missing(self) -> list[str]:
        """Raw videos that the edition holds and this folder does not, by public name."""
        wanted = {raw_name(trial) for trial, _ in self.listed} - self.parts.raw.keys()
        whole = self.edition and (self.edition.given or self.edition.raw == ALL_RAW)
        known = public_frames(self) if whole else {}
        return sorted(wanted | (known.keys() - self.parts.raw.keys()))

    def card(self) -> dict[str, Any]:
        """The common card with the edition, and what fixes its split and submission."""
        split = "\n".join(f"{trial},{part}" for trial, part in sorted(self.listed))
        return {
            **super().card(),
            "edition": self.edition.name if self.edition else None,
            "template": self.parts.template,
            "split_sha256": hashlib.sha256(split.encode()).hexdigest(),
        }


def public_frames(corpus: AffWild2Release) -> dict[str, int]:
    """Frames of raw videos as OpenCV counts them, from public notebooks or the config."""
    import json

    if corpus.edition and corpus.edition.given:
        return corpus.edition.frames
    path = Path(__file__).parent / "assets" / "affwild2_framecounts.json"
    return json.loads(path.read_text())


def _joined(digests: Iterator[str]) -> str | None:
    """One digest of several; the single one itself; None of none."""
    found = list(digests)
    if len(found) > 1:
        return hashlib.sha256("".join(found).encode()).hexdigest()
    return found[0] if found else None
