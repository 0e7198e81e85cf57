"""Read VoxCeleb1 as it is released: wav files by id, faces by name, and lists of trials.

    …/wav/id10001/<video id>/00001.wav                     sound, 16 kHz mono
    …/unzippedIntervalFaces/data/<Name>/1.6/<video id>/1/*.jpg
                                                           faces; utterance numbers are not padded
    …/vox1_meta.csv                                        tab-separated; leads from id to name
    …/veri_test2.txt, list_test_all2.txt, list_test_hard2.txt
                                                           cleaned trials Vox1-O, E and H

A line of a list is `1 id10270/<video id>/00001.wav id10270/<video id>/00008.wav`; 1 is the same
person. Faces are in the order of the numbers in their names (`media.face_track`); their times are
assumed to be evenly spaced over the utterance. The layout of the faces and the counts of the first
lists are from public code.
"""

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.config.sections import TimeZero
from avfusion.corpora.base import Corpus
from avfusion.corpora.expected import refuse_unknown
from avfusion.corpora.trials import drawn
from avfusion.errors import CorpusError
from avfusion.schemas import GOLD, TRIALS

WAV = re.compile(r"(?:.*/)?wav/(id\d{5})/([^/]+)")
FACES = re.compile(r"(?:.*/)?unzippedIntervalFaces/data/([^/]+)/1\.6/([^/]+)/(\d+)")
LISTS = {
    "O": ("veri_test2.txt", "veri_test.txt"),
    "E": ("list_test_all2.txt", "list_test_all.txt"),
    "H": ("list_test_hard2.txt", "list_test_hard.txt"),
}
"""List -> its file, cleaned and first."""
TRIALS_OF = {
    True: {"O": 37_611, "E": 579_818, "H": 550_894},
    False: {"O": 37_720, "E": 581_480, "H": 552_536},
}
META = "vox1_meta.csv"

ACCESS = """\
VoxCeleb1 is given out by the Visual Geometry Group, University of Oxford. The metadata are under
CC BY-SA 4.0; request the media with the form at https://www.robots.ox.ac.uk/~vgg/data/voxceleb/.

Unpack below corpora.voxceleb1.root, at any depth:

    vox1_dev_wav, vox1_test_wav    wav/id10001/<video id>/00001.wav; dev and test together
    unzippedIntervalFaces          data/<Name>/1.6/<video id>/<utterance>/*.jpg
    vox1_meta.csv                  ids, names and sets; tab-separated
    veri_test2.txt                 trials of Vox1-O; of E and H, list_test_all2.txt and
                                   list_test_hard2.txt

People of E and H are also in dev. A study trains on dev, so it scores only Vox1-O."""


@dataclass(frozen=True)
class Expected:
    """Counts of the release."""

    people: int = 1_251
    utterances: int = 153_516
    O: int = 0  # noqa: E741 (the list's name); 0: that of the chosen edition
    E: int = 0
    H: int = 0


@dataclass
class TrialList:
    """One list: (same, first, second) by names of videos, and lines that cannot be read."""

    path: str
    rows: list[tuple[bool, str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class VoxCeleb1Release(Corpus):
    """Reader of the folder; `VoxCeleb1` lists the options."""

    name = "voxceleb1"
    targets = ()
    rating_hz = 0.0
    sharing = (
        "Its metadata are under CC BY-SA 4.0. Whether models that tell its people apart may be "
        "handed on, ask the Visual Geometry Group."
    )
    licence = "Metadata CC BY-SA 4.0; the media are of YouTube, on request for research."
    obtain = "For how to request access, run: avf obtain voxceleb1"
    access = ACCESS
    split_given = True
    time_zero: TimeZero = "picture"

    def __init__(
        self,
        *,
        root: Path,
        cleaned: bool = True,
        validation: int = 61,
        seed: int = 0,
        expect: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(root=root)
        refuse_unknown("voxceleb1", Expected, expect or {})
        self.cleaned, self.held_out, self.seed = cleaned, validation, seed
        self.expected = Expected(**{**TRIALS_OF[cleaned], **(expect or {})})
        self.given = frozenset(expect or {})

    @cached_property
    def wavs(self) -> dict[str, tuple[str, str, str]]:
        """Video -> path, person and utterance `<video id>/<number>`."""
        clips: dict[str, tuple[str, str, str]] = {}
        for path, folder in self.tree.folders.items():
            place = WAV.fullmatch(path)
            for name in folder.names if place else ():
                if place and name.endswith(".wav"):
                    clip = f"{place[2]}/{name.removesuffix('.wav')}"
                    clips[video_name(place[1], clip)] = (f"{path}/{name}", place[1], clip)
        if not clips:
            raise CorpusError(f"no wav/id…/<video id>/*.wav below {self.root}. {self.obtain}")
        return clips

    @cached_property
    def meta(self) -> dict[str, tuple[str, str]]:
        """Id -> name in the faces, and set (`dev` or `test`)."""
        path = self._file(META)
        if path is None:
            raise CorpusError(f"no {META} below {self.root}. {self.obtain}")
        with (self.root / path).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))
        short = next((n for n, row in enumerate(rows[1:], 2) if row and len(row) < 5), 0)
        if not rows or len(rows[0]) < 5 or short:
            line = short or 1
            raise CorpusError(
                f"{path}:{line}: expected 5 cells with tabs between them (id, name, gender, "
                f"nationality, set). Download the file again."
            )
        return {row[0].strip(): (row[1].strip(), row[4].strip()) for row in rows[1:] if row}

    @cached_property
    def faces(self) -> dict[tuple[str, str], str]:
        """(Name, `<video id>/<number>`) -> folder of faces; the number is padded to five digits."""
        tracks = {}
        for path in self.tree.folders:
            if place := FACES.fullmatch(path):
                tracks[place[1], f"{place[2]}/{int(place[3]):05d}"] = path
        return tracks

    @cached_property
    def lists(self) -> dict[str, TrialList]:
        """Name of a list that is there -> its trials."""
        lists = {}
        for name, files in LISTS.items():
            path = self._file(files[0 if self.cleaned else 1])
            if path is not None:
                lists[name] = read_list(self.root / path, path)
        return lists

    @cached_property
    def partition_of(self) -> dict[str, str]:
        """Person -> partition: test are the people of Vox1-O."""
        if "O" not in self.lists:
            wanted = LISTS["O"][0 if self.cleaned else 1]
            raise CorpusError(f"no {wanted} (trials of Vox1-O) below {self.root}. {self.obtain}")
        rows = self.lists["O"].rows
        test = {side.partition("-")[0] for _, *sides in rows for side in sides}
        people = {person for _, person, _ in self.wavs.values()}
        dev = sorted(people - test, key=self._drawn)
        held_out = set(dev[: self.held_out])
        return {
            person: "test" if person in test else "validation" if person in held_out else "train"
            for person in sorted(people)
        }

    def videos(self) -> pd.DataFrame:
        """Return one row per utterance; `track` is the folder of its faces, where there is one."""
        rows = []
        for video, (path, person, clip) in sorted(self.wavs.items()):
            folder = self.faces.get((self.meta.get(person, ("", ""))[0], clip))
            known = self.tree.find(path)
            rows.append(
                {
                    "video": video, "path": path, "partition": self.partition_of[person],
                    "subject": person, "voice": None, "transcript": None,
                    "sound": path, "sound_sha256": known[1] if known else None,
                    "track": folder,
                    "track_sha256": self.tree.folders[folder].digest() if folder else None,
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    def gold(self) -> pd.DataFrame:
        """Return a table without rows; nothing is rated."""
        return pd.DataFrame({column: pd.Series(dtype=float) for column in GOLD})

    def trials(self) -> pd.DataFrame:
        """Return drawn trials of validation, and the official lists without people of train."""
        parts = [drawn(self.videos(), "validation", self.seed)]
        for name, listed in self.lists.items():
            if name not in self.trained_lists:
                columns = [(f"Vox1-{name}", "test", a, b, same) for same, a, b in listed.rows]
                parts.append(pd.DataFrame(columns, columns=list(TRIALS)))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def trained_lists(self) -> dict[str, list[str]]:
        """List with people who are not in test -> these people; it is not scored."""
        shared = {}
        for name, listed in self.lists.items():
            people = {side.partition("-")[0] for _, *sides in listed.rows for side in sides}
            others = sorted(p for p in people if self.partition_of.get(p, "test") != "test")
            if others:
                shared[name] = others
        return shared

    def _file(self, name: str) -> str | None:
        """Return the path of the file of this name, at any depth; the first in order."""
        paths = (f"{path}/{name}" if path else name for path, f in self.tree.folders.items()
                 if name in f.at)  # fmt: skip
        return min(paths, default=None)

    def _drawn(self, person: str) -> bytes:
        """Return the place of a person in the order that validation is drawn in."""
        return hashlib.sha256(f"{self.seed} {person}".encode()).digest()


def video_name(person: str, clip: str) -> str:
    """Return the name of an utterance.

    >>> video_name("id10270", "5r0dWxy17C8/00001")
    'id10270-5r0dWxy17C8-00001'
    """
    return f"{person}-{clip.replace('/', '-')}"


def read_list(path: Path, name: str) -> TrialList:
    """Read a list of trials; a line that cannot be read is a fault with its number."""
    listed = TrialList(name)
    for number, row in _lines(path):
        sides = [re.fullmatch(r"(id\d{5})/([^/]+/\d{5})\.wav", side) for side in row[1:]]
        if len(row) != 3 or row[0] not in ("0", "1") or None in sides:
            listed.faults.append(f"{name}:{number}: {' '.join(row)!r}")
            continue
        first, second = (video_name(side[1], side[2]) for side in sides if side)
        listed.rows.append((row[0] == "1", first, second))
    return listed


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            yield number, line.split()
