"""Read the files of Aff-Wild2, the valence-arousal track of ABAW 3, 5, 6 and 8.

A video in the study is one trial: one annotated person of one raw video. The two persons of a raw
video share its file, its times and its sound. Kollias and Zafeiriou, arXiv:1811.07770; Kollias et
al., CVPRW 2022-2025.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from avfusion.corpora.affwild2 import editions
from avfusion.corpora.affwild2.annotations import Rows, read_rows
from avfusion.corpora.affwild2.tree import Parts, find_parts, raw_name, read_list, side
from avfusion.corpora.base import Corpus
from avfusion.corpora.clocks import clocks
from avfusion.errors import ConfigError
from avfusion.io.bounded import content
from avfusion.schemas import GOLD

if TYPE_CHECKING:
    from avfusion.media.timing import Timing

NOMINAL_HZ = 30.0


ALL_RAW = 598  # number of raw videos whose names are public


ACCESS = """\
Home: sites.google.com/view/dimitrioskollias/databases/aff-wild2

At a university: a member of staff with a permanent academic post (not a post-doc or PhD student)
must complete and sign the End User Licence Agreement on that page. Send it from the official
academic e-mail address to d.kollias@qmul.ac.uk with the subject "Aff-Wild2 request by academic",
and state the purpose.
At a company: follow the separate procedure described on the page.
During an ABAW challenge: registered teams receive links to zip files by e-mail: raw videos (batch1,
batch2, new_vids), cropped, cropped_aligned, annotations, test lists and the submission template.

Unpack all zip files of one edition into one folder without renaming anything. Set
corpora.affwild2.root to this folder. The edition (abaw3, abaw5, abaw6 or abaw8) is the one that has
the counts of the files. If several may have them, state it as corpora.affwild2.options.edition.
Copies from other sources are not licensed. No official checksums are published.
`avf verify affwild2` checks the counts and writes fingerprints.parquet, which two laboratories can
compare without sharing data."""


class AffWild2Release(Corpus):
    """Aff-Wild2 as tables: trials, ratings and their frame times."""

    name = "affwild2"
    rating_hz = NOMINAL_HZ
    sharing = (
        "Its agreement is for academic research and restricts handing on models that were trained "
        "on it; ask its authors."
    )
    licence = (
        "Aff-Wild2 End User Licence Agreement: non-commercial research of the signing institution; "
        "videos, faces and annotations may not be passed on."
    )
    obtain = "For how to request access, run: avf obtain affwild2"
    access = ACCESS
    unrated = ("test",)
    split_given = True
    spare_videos = True  # the raw videos of ABAW's other tracks

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
            raise ConfigError(f"affwild2: faces is {faces!r}; expected `own` or `official`.")
        self.stated = editions.edition(edition, expect or {}) if edition else None
        self.expect = expect
        self.faces, self.transcripts = faces, transcripts.strip("/")
        self.places = {"annotations": annotations, "test_list": test_list, "template": template}

    @cached_property
    def parts(self) -> Parts:
        """Locations of all parts of the corpus."""
        return find_parts(self.tree, self.stated, self.places)

    @cached_property
    def edition(self) -> editions.Edition | None:
        """The edition of the config, else the only one with the counts of the files, or None.

        `expect` replaces counts of an edition, so it needs one that is stated.
        """
        if self.stated is not None or self.expect:
            return self.stated
        return editions.only(*self.counts)

    @property
    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Number of trials and of rated rows per annotated partition; trials of the test list."""
        annotated = self.parts.annotations
        trials = {part: len(names) for part, names in annotated.items()}
        valid = {p: sum(self.rows[t].valid for t in names) for p, names in annotated.items()}
        return trials | ({"test": len(self.test_names)} if self.test_names else {}), valid

    @cached_property
    def test_names(self) -> list[str]:
        """Trials of the test list, in the order of the file."""
        return read_list(self.root / self.parts.test_list) if self.parts.test_list else []

    @cached_property
    def listed(self) -> list[tuple[str, str]]:
        """(trial, partition) of every trial; a trial in two partitions is listed twice."""
        rated = [(t, p) for p, trials in self.parts.annotations.items() for t in sorted(trials)]
        return rated + [(trial, "test") for trial in self.test_names]

    @cached_property
    def rows(self) -> dict[str, Rows]:
        """Ratings of every annotated trial, one row per frame."""
        texts = {t: p for trials in self.parts.annotations.values() for t, p in trials.items()}
        return {t: read_rows(content(self.root / p), p) for t, p in sorted(texts.items())}

    @cached_property
    def clocks(self) -> "dict[str, Timing]":
        """Timing of each raw video that a trial needs and that exists."""
        needed = sorted({raw_name(trial) for trial, _ in self.listed} & self.parts.raw.keys())
        return clocks(self, {raw: self.parts.raw[raw][0] for raw in needed})

    def times_s(self, trial: str, rows: int) -> np.ndarray:
        """Return when the frame of each row is shown, in seconds (rows,).

        Without a readable video the times assume 30 Hz; such a video fails in the media stage.
        """
        clock = self.clocks.get(raw_name(trial))
        if clock is None or clock.reason:
            return np.arange(rows) / NOMINAL_HZ
        return clock.at(rows)

    def transcript(self, trial: str) -> str | None:
        """Return the path of a trial's transcript, or None if there is none."""
        folder = self.tree.folders.get(self.transcripts) if self.transcripts else None
        if folder is None:
            return None
        names = (f"{trial}.csv", f"{raw_name(trial)}.csv")
        return next((f"{folder.path}/{name}" for name in names if name in folder.at), None)

    def videos(self) -> pd.DataFrame:
        """Return one row per trial; `subject` is the raw video, so that no split divides it."""
        trials = {trial for trial, _ in self.listed}
        rows = []
        for trial, partition in self.listed:
            raw = raw_name(trial)
            path = self.parts.raw.get(raw, [f"{raw}.mp4"])[0]
            folders = self.parts.faces.get(trial, []) if self.faces == "official" else []
            crops = "|".join(folder.path for folder in folders)
            rows.append(
                {
                    "video": trial, "path": path, "partition": partition, "subject": raw,
                    "voice": None, "transcript": self.transcript(trial),
                    "side": side(trial, trials),
                    "crops": crops if self.faces == "official" else None,
                    "crops_sha256": _joined(folder.digest() for folder in folders),
                }
            )  # fmt: skip
        table = pd.DataFrame(rows)
        return table if self.faces == "official" else table.drop(columns=["crops", "crops_sha256"])

    def gold(self) -> pd.DataFrame:
        """Return the ratings of train and validation at the times of their frames.

        Ratings of the test partition are not published.
        """
        parts = [pd.DataFrame({name: [] for name in GOLD})]
        for trial, rows in self.rows.items():
            time_s = self.times_s(trial, len(rows.values))
            valence, arousal = rows.values.T
            columns = {"video": trial, "time_s": time_s, "valence": valence, "arousal": arousal}
            parts.append(pd.DataFrame(columns))
        return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)

    def missing(self) -> list[str]:
        """Return the names of raw videos that the edition has and this folder lacks."""
        wanted = {raw_name(trial) for trial, _ in self.listed} - self.parts.raw.keys()
        edition = self.edition
        all_known = edition is not None and (edition.given or edition.raw == ALL_RAW)
        known = public_frames(self) if all_known else {}
        return sorted(wanted | (known.keys() - self.parts.raw.keys()))

    def card(self) -> dict[str, Any]:
        """Return the common card with the edition, the template and the hash of the split."""
        split = "\n".join(f"{trial},{part}" for trial, part in sorted(self.listed))
        return {
            **super().card(),
            "edition": self.edition.name if self.edition else None,
            "template": self.parts.template,
            "split_sha256": hashlib.sha256(split.encode()).hexdigest(),
        }


def public_frames(corpus: AffWild2Release) -> Mapping[str, int]:
    """Return the frame count of each raw video.

    The counts are those of OpenCV in public notebooks, or those given in the config.
    """
    if corpus.edition and corpus.edition.given:
        return corpus.edition.frames
    path = Path(__file__).parent / "assets" / "affwild2_framecounts.json"
    counts: dict[str, int] = json.loads(path.read_text())
    return counts


def _joined(digests: Iterator[str]) -> str | None:
    """Return a hash of several digests, a single digest unchanged, or None without digests."""
    parts = list(digests)
    if len(parts) > 1:
        return hashlib.sha256("".join(parts).encode()).hexdigest()
    return parts[0] if parts else None
