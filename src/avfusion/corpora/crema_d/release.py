"""Read the files of CREMA-D: clips of actors who say a sentence with an emotion.

Cao et al., "CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset", IEEE Transactions on
Affective Computing 5(4), 2014. A clip has one class. Its rating is the mean level of the responses
of people who saw and heard it.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from avfusion.corpora.acted import (
    clip_gold,
    even_folds,
    known_ends,
    parse_actors,
    partitions,
    rule,
    sentence_of,
)
from avfusion.corpora.base import Corpus
from avfusion.corpora.clocks import clocks
from avfusion.corpora.crema_d.tree import ACTORS, Parts, find_parts
from avfusion.corpora.crema_d.votes import (
    COLUMNS,
    EMOTIONS,
    GRADED,
    LETTERS,
    SENTENCES,
    Clip,
    Votes,
    clip_of,
    read_votes,
)
from avfusion.corpora.expected import refuse_unknown
from avfusion.corpora.splits import split_digest
from avfusion.errors import ConfigError, CorpusError
from avfusion.schemas import LABELS

if TYPE_CHECKING:
    from avfusion.media.timing import Timing

UNUSABLE = {
    "1064_IEO_DIS_MD": "is a minute long and holds every emotion of its sentence",
    "1064_TIE_SAD_XX": "has no duration",
    "1076_MTI_NEU_XX": "is nearly empty",
    "1076_MTI_SAD_XX": "is nearly empty",
}
"""Clips of the release that are left out, with the reason."""


OBTAIN = "Run: avf obtain crema_d --accept-licence"


ACCESS = f"""\
Home: github.com/CheyneyComputerScience/CREMA-D

Anyone may download CREMA-D. {OBTAIN}
The films and sounds of all 91 actors have about 2.6 GB. To obtain a part, add `--part actors=1-6`,
and set `options: {{actors: 1-6}}` in the study. Actors have the numbers 1 to 91, or 1001 to 1091.

If you clone the repository instead, run `git lfs pull` in it: without Git LFS, each film is a text
of 130 bytes. Set corpora.crema_d.root to the folder that contains VideoFlash, AudioWAV and
processedResults."""


class CremaDRelease(Corpus):
    """CREMA-D as tables: clips, their classes, votes and ratings."""

    name = "crema_d"
    part_options = ("actors",)
    targets = ("intensity",)
    value_range = (0.0, 100.0)
    rating_hz = 0.0  # one rating per clip
    classes = tuple(EMOTIONS.values())
    models = "yes"
    sharing = (
        "ODbL 1.0: name the authors and hand derived databases on under the same licence; the "
        "project states no further terms for models."
    )
    licence = (
        "Open Database License 1.0 (ODbL) for the database and Database Contents License 1.0 "
        "(DbCL) for its contents; cite Cao et al. (2014)."
    )
    obtain = OBTAIN
    access = ACCESS
    partly_rated = True  # a film that cannot be read has no times to rate
    spare_videos = True  # those of other actors, and `UNUSABLE`

    def __init__(
        self,
        *,
        root: Path,
        actors: str | int | list[int] | None = None,
        labels: Literal["intended", "voted"] = "intended",
        folds: int = 5,
        fold: int = 1,
        seed: int = 0,
        expect: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(root=root)
        if labels not in ("intended", "voted"):
            raise ConfigError(f"crema_d: labels is {labels!r}; expected `intended` or `voted`.")
        if folds not in range(3, len(ACTORS) + 1):
            raise ConfigError(f"crema_d: folds is {folds!r}; expected 3 … {len(ACTORS)}.")
        if fold not in range(1, folds + 1):
            raise ConfigError(f"crema_d: fold is {fold!r}; expected 1 … {folds}.")
        self.actors = parse_actors(_full_numbers(actors), ACTORS, self.name)
        self.kind, self.folds, self.fold, self.seed = labels, folds, fold, seed
        self.expected = Expected.of(expect or {})

    def fingerprint_files(self, folder: str) -> bool:
        """Return False for the MP3 files, which are not used."""
        return not f"/{folder}".endswith("/AudioMP3")

    @cached_property
    def parts(self) -> Parts:
        """Locations of all files; raises `CorpusError` if there is no vote table."""
        parts = find_parts(self.tree)
        if "tabulatedVotes.csv" not in parts.tables:
            raise CorpusError(
                f"{self.root}: no file processedResults/tabulatedVotes.csv. {self.obtain}"
            )
        return parts

    @cached_property
    def voted(self) -> Votes:
        """The vote table of all actors."""
        path = self.parts.tables["tabulatedVotes.csv"]
        return read_votes(self.root / path, path)

    def votes(self) -> pd.DataFrame:
        """Return how people judged the clips of all actors, also those that are left out.

        Returns
        -------
        DataFrame
            One row per clip and modality: `clip`, `modality` (`audio`, `video` or `both`),
            `emotion` (intended), `responses`, `right` (number of responses that name the intended
            emotion) and `level` (mean, 0 to 100). `votes.human_recognition` summarises it.
        """
        return self.voted.table[list(COLUMNS)]

    @cached_property
    def listed(self) -> list[Clip]:
        """Clips of the chosen actors in the vote table or in the folder, sorted by name."""
        rated = {clip for name in self.voted.table["clip"] if (clip := clip_of(name))}
        here = {clip for name in (*self.parts.films, *self.parts.wavs) if (clip := clip_of(name))}
        return sorted(clip for clip in rated | here if clip.actor in set(self.actors))

    @cached_property
    def clips(self) -> list[Clip]:
        """Clips of the study: those that are listed, without `UNUSABLE`."""
        return [clip for clip in self.listed if clip.name not in UNUSABLE]

    @cached_property
    def pointers(self) -> list[str]:
        """Paths of films and sounds of the study that are Git LFS pointers."""
        from avfusion.corpora.obtain.lfs import LARGEST, read_pointer  # imports requests

        tables = self.parts.films, self.parts.wavs
        paths = [table[clip.name] for table in tables for clip in self.listed if clip.name in table]
        small = [path for path in paths if (self.tree.find(path) or (0, None))[0] <= LARGEST]
        return [path for path in small if read_pointer((self.root / path).read_bytes())]

    @cached_property
    def timed(self) -> "dict[str, Timing]":
        """Presentation times of the films that exist, by clip."""
        films = {clip.name: self.parts.films.get(clip.name) for clip in self.clips}
        return clocks(self, {name: path for name, path in films.items() if path})

    @cached_property
    def partition(self) -> dict[int, str]:
        """Actor -> partition."""
        return partitions(self._folds, self.fold, self.actors, self.name)

    @property
    def _folds(self) -> tuple[tuple[int, ...], ...]:
        return even_folds(ACTORS, self.folds, self.seed)

    def videos(self) -> pd.DataFrame:
        """Return one row per clip: film, actor, and its wav file and sentence if they are there."""
        parts, rows = self.parts, []
        texts = {code: sentence_of(self.tree, code) for code in SENTENCES}
        for clip in self.clips:
            film = parts.films.get(clip.name, f"{parts.base}VideoFlash/{clip.name}.flv")
            sound = parts.wavs.get(clip.name)
            sha256 = (self.tree.find(sound) or (0, None))[1] if sound else None
            who = str(clip.actor)
            partition = self.partition[clip.actor]
            text = texts[clip.sentence]
            rows.append((clip.name, film, partition, who, who, text, sound, sha256))
        return pd.DataFrame(rows, columns=_COLUMNS)

    def gold(self) -> pd.DataFrame:
        """Return the intensity of each readable clip, the same from its start to its end."""
        table = self.voted.table
        both = table[table["modality"] == "both"]
        values = {
            clip: {"intensity": level}
            for clip, level in zip(both["clip"], both["level"], strict=True)
        }
        return clip_gold(values, known_ends(self.timed), self.targets)

    def labels(self) -> pd.DataFrame:
        """Return the intended emotion, or the one with most audio-visual votes; ties have none."""
        table = self.voted.table
        both = table[table["modality"] == "both"]
        winners = dict(zip(both["clip"], both["winners"], strict=True))
        rows = [
            (clip.name, LETTERS.get(winners.get(clip.name, "")))
            if self.kind == "voted"
            else (clip.name, clip.emotion)
            for clip in self.clips
        ]
        return pd.DataFrame(rows, columns=list(LABELS), dtype=object)

    def card(self) -> dict[str, Any]:
        """Return the common card with the fold, its rule and the hash of the split."""
        source = f"{self.folds} even folds of 91 actors with seed {self.seed}"
        parts = {clip.name: self.partition[clip.actor] for clip in self.clips}
        return {
            **super().card(),
            "label_source": self.kind,
            "fold": self.fold,
            "split": rule(self._folds, self.fold, self.actors, self.name, source),
            "split_sha256": split_digest(parts),
        }


_COLUMNS = [
    *("video", "path", "partition", "subject", "voice", "transcript", "sound", "sound_sha256"),
]


@dataclass(frozen=True)
class Expected:
    """Expected contents of the vote table, and known deviations of a release.

    per_actor, sentences: largest number of clips, if none is missing. recognition: percent of
    right responses to voice, face and both. unusable: clips of `UNUSABLE` that are known to you.
    disagreements: clips with other winners in the summary table.
    """

    actors: int = len(ACTORS)
    clips: int = 7442
    per_actor: int = 82
    sentences: tuple[tuple[str, int], ...] = tuple(
        (name, len(ACTORS) * (16 if name == GRADED else 6)) for name in SENTENCES
    )
    emotions: tuple[tuple[str, int], ...] = tuple(
        (name, 1087 if name == "neutral" else 1271) for name in EMOTIONS.values()
    )
    recognition: tuple[float, ...] = (40.9, 58.2, 63.6)
    unusable: tuple[str, ...] = ()
    disagreements: int = 0
    given: bool = False  # whether some of them come from the config

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Expected":
        """Return the contents of the release with those of the option `expect` replaced.

        Raises `ConfigError` for an unknown key.
        """
        refuse_unknown("crema_d", cls, given)
        values: dict[str, Any] = {
            name: tuple(value.items()) if isinstance(value, dict)
            else tuple(value) if isinstance(value, list | tuple) else value
            for name, value in given.items()
        }  # fmt: skip
        return cls(**values, given=bool(given))


def _full_numbers(actors: str | int | list[int] | None) -> str | int | list[int] | None:
    """Return the option `actors` with 1001 … 1091 for 1 … 91."""
    if isinstance(actors, str):
        return re.sub(r"\d{1,9}", lambda match: str(_full_number(int(match[0]))), actors)
    if isinstance(actors, list | tuple):
        return [_full_number(number) for number in actors]
    return None if actors is None else _full_number(actors)


def _full_number(number: int) -> int:
    return number + 1000 if type(number) is int and 1 <= number <= len(ACTORS) else number
