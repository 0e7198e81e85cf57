"""Read the clips of RAVDESS; class, acted intensity and actor are in their file names.

Livingstone and Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song", PLoS ONE
13(5), e0196391 (2018).
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from avfusion.corpora import acted
from avfusion.corpora.base import Corpus
from avfusion.corpora.clocks import clocks
from avfusion.corpora.formats.table import Sheet, path_fault, read_sheet, short
from avfusion.corpora.ravdess.expected import Expected, release_clips
from avfusion.corpora.ravdess.tree import (
    ACTORS,
    CHANNELS,
    EMOTIONS,
    SILENT,
    STATEMENTS,
    Clip,
    Parts,
    find_parts,
    read_name,
)
from avfusion.corpora.splits import split_digest
from avfusion.errors import ConfigError, CorpusError
from avfusion.schemas import LABELS, MANIFEST

if TYPE_CHECKING:
    from avfusion.media.timing import Timing

PUBLISHED = (
    (2, 5, 14, 15, 16), (3, 6, 7, 13, 18), (10, 11, 12, 19, 20), (8, 17, 21, 23, 24), (1, 4, 9, 22)
)  # fmt: skip
"""Folds of Luna-Jiménez et al., "Multimodal Emotion Recognition on RAVDESS Dataset Using Transfer
Learning", Sensors 21 (2021)."""


LEVELS, RATINGS = (1.0, 2.0), (1.0, 5.0)
"""Ranges of the acted intensity and of mean ratings."""


COLUMNS = ("clip", "intensity")


ACCESS = """\
Home: https://zenodo.org/records/1188976

Anyone may download RAVDESS for work that is not commercial. Download the video archives of some
actors, or of all (0.5 GB per actor for speech, 12.4 GiB for all 24; song has 11.0 GiB more):

    avf obtain ravdess --accept-licence --part actors=1-6
    avf obtain ravdess --accept-licence

If you have a part of the actors, set the option `actors` to it. To use your own download, unpack
Video_Speech_Actor_01.zip and the others below one folder, such as data/ravdess. Do not rename
anything. Files without sound (02-…) and files with only sound (03-…) are not used."""


class RavdessRelease(Corpus):
    """RAVDESS as tables: clips, their emotions and intensities; `Ravdess` lists the options."""

    name = "ravdess"
    part_options = ("actors", "channel")
    targets = ("intensity",)
    rating_hz = 0.0  # one rating per clip
    models = "yes"
    sharing = (
        "CC BY-NC-SA 4.0: a model counts as adapted material, so name the authors, use it "
        "non-commercially and hand it on under the same licence."
    )
    licence = (
        "CC BY-NC-SA 4.0 (creativecommons.org/licenses/by-nc-sa/4.0): not for commercial use; cite "
        "Livingstone and Russo (2018); share changed material under the same licence."
    )
    obtain = "To download it, run: avf obtain ravdess --accept-licence"
    access = ACCESS
    licensed = True
    partly_rated = True
    spare_videos = True

    def __init__(
        self,
        *,
        root: Path,
        actors: str | int | list[int] | None = None,
        channel: Literal["speech", "song", "both"] = "speech",
        folds: Literal["published", "even"] = "published",
        fold: int = 1,
        seed: int = 0,
        ratings: str | None = None,
        expect: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(root=root)
        if channel not in CHANNELS:
            raise ConfigError(
                f"ravdess: channel is {channel!r}; expected `speech`, `song` or `both`."
            )
        if folds not in ("published", "even"):
            raise ConfigError(f"ravdess: folds is {folds!r}; expected `published` or `even`.")
        if fold not in range(1, len(PUBLISHED) + 1):
            raise ConfigError(f"ravdess: fold is {fold!r}; expected 1 … {len(PUBLISHED)}.")
        if ratings is not None and (fault := path_fault(ratings)):
            raise ConfigError(f"ravdess: ratings: {fault}.")
        self.chosen = acted.parse_actors(actors, ACTORS, self.name)
        self.actors = tuple(n for n in self.chosen if channel != "song" or n != SILENT)
        self.channel, self.kind, self.fold, self.seed = channel, folds, fold, seed
        self.table = ratings
        self.expected = Expected.of(expect or {})
        self.value_range = RATINGS if ratings else LEVELS
        self.classes = tuple(
            emotion
            for emotion in EMOTIONS
            if any(self.expected.of_channel(n).get(emotion) for n in CHANNELS[channel])
        )

    @cached_property
    def parts(self) -> Parts:
        """Locations of all files; raises `CorpusError` if there is no clip with sound."""
        parts = find_parts(self.tree)
        if not parts.clips:
            raise CorpusError(
                f"{self.root}: no clip such as Actor_01/01-01-06-01-02-01-01.mp4. {self.obtain}"
            )
        return parts

    @cached_property
    def clips(self) -> dict[str, Clip]:
        """Name -> numbers of the clips of the study, by name."""
        kept = {}
        for name in sorted(self.parts.clips):
            clip, _ = read_name(name)
            if clip and clip.channel in CHANNELS[self.channel] and clip.actor in self.actors:
                kept[name] = clip
        return kept

    @cached_property
    def folds(self) -> tuple[tuple[int, ...], ...]:
        """Actors of each fold."""
        if self.kind == "published":
            return PUBLISHED
        return acted.even_folds(self.actors, min(len(PUBLISHED), len(self.actors)), self.seed)

    @cached_property
    def partition(self) -> dict[int, str]:
        """Actor -> partition."""
        return acted.partitions(self.folds, self.fold, self.actors, self.name)

    @cached_property
    def timed(self) -> "dict[str, Timing]":
        """Times of the clips of the study."""
        return clocks(self, {name: self.parts.clips[name] for name in self.clips})

    @cached_property
    def sheet(self) -> Sheet | None:
        """The table of ratings; None without the option."""
        if self.table is None:
            return None
        hint = "Correct the option `ratings`, or leave it out to use the acted levels."
        return read_sheet(self.root / self.table, self.table, COLUMNS, hint)

    @cached_property
    def rated(self) -> dict[str, float]:
        """Clip -> mean rating of the table; lines with a fault are added to `sheet.faults`."""
        ratings: dict[str, float] = {}
        for where, row in self.sheet.rows if self.sheet else ():
            clip = row["clip"].removesuffix(".mp4")
            value, fault = self._rating(where, row)
            if value is not None and not fault and clip in ratings:
                fault = f"clip {short(clip)} is listed twice"
            if fault and self.sheet:
                self.sheet.faults.append(f"{where}: {fault}")
            elif value is not None:
                ratings[clip] = value
        return ratings

    def _rating(self, where: str, row: Mapping[str, str]) -> tuple[float | None, str]:
        """Return the rating of a line, and what is wrong with it.

        A cell that is no number has been added to the faults of the sheet; the rating is then None.
        """
        assert self.sheet is not None
        cells = dict(row)
        values = {
            column: self.sheet.number(where, cells, column)
            for column in ("intensity", "validity", "genuineness")
            if column in cells
        }
        low, high = RATINGS
        value = values["intensity"]
        if value is None or None in values.values():
            return None, ""
        if value < low or value > high:
            return value, f"intensity is {value:g}, not from {low:g} to {high:g}"
        return value, ""

    @cached_property
    def intensity(self) -> dict[str, float]:
        """Clip -> its mean rating, or its acted level without a table of ratings."""
        if self.table is not None:
            return self.rated
        return {name: float(clip.intensity) for name, clip in self.clips.items()}

    def videos(self) -> pd.DataFrame:
        """Return one row per clip with sound; its transcript is the statement, if it is written."""
        texts = {code: acted.sentence_of(self.tree, code) for code in STATEMENTS}
        rows = [
            (
                *(name, self.parts.clips[name], self.partition[clip.actor]),
                *(_folder(clip), _folder(clip), texts[f"{clip.statement:02d}"]),
            )
            for name, clip in self.clips.items()
        ]
        return pd.DataFrame(rows, columns=list(MANIFEST))

    def gold(self) -> pd.DataFrame:
        """Return the intensity of each clip, repeated from its start to its end."""
        values = {name: {"intensity": value} for name, value in self.intensity.items()}
        return acted.clip_gold(values, acted.known_ends(self.timed), self.targets)

    def labels(self) -> pd.DataFrame:
        """Return the emotion of each clip."""
        rows = [(name, clip.label) for name, clip in self.clips.items()]
        return pd.DataFrame(rows, columns=list(LABELS), dtype=object)

    def missing(self) -> list[str]:
        """Return the clips of the release that are not there; none if the counts were given."""
        if self.expected.given:
            return []
        every = [clip for actor in self.actors for clip in release_clips(actor)]
        wanted = [clip for clip in every if clip.channel in CHANNELS[self.channel]]
        return [f"{_folder(c)}/{c.name}.mp4" for c in wanted if c.name not in self.clips]

    def card(self) -> dict[str, Any]:
        """Return the common card with the actors, the fold, and where intensities come from."""
        parts = {name: self.partition[clip.actor] for name, clip in self.clips.items()}
        of = "Luna-Jiménez et al. (2021)" if self.kind == "published" else f"seed {self.seed}"
        source = f"{self.kind} folds, {of}"
        stated = f"mean ratings of {self.table}, 1 to 5" if self.table else "acted level, 1 or 2"
        return {
            **super().card(),
            "channel": self.channel,
            "intensity": stated,
            "fold": self.fold,
            "split": acted.rule(self.folds, self.fold, self.actors, self.name, source),
            "split_sha256": split_digest(parts),
        }


def _folder(clip: Clip) -> str:
    """Return the name of the actor's folder, which names the subject and the voice."""
    return f"Actor_{clip.actor:02d}"
