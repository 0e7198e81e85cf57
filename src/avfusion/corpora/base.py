"""What a corpus must answer; `_verify.py` asks, and makes the tables of a study of it.

A corpus is one file in this folder with a class marked `@corpora.add("<file's name>")`.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from avfusion.corpora.download import Download
from avfusion.corpora.tree.tree import Tree
from avfusion.errors import CorpusError
from avfusion.rating import DIMENSIONS
from avfusion.registry import corpora
from avfusion.schemas import LABELS

log = logging.getLogger(__name__)


DEFINED, RECOMPUTED = "by definition", "recomputed"


READ, COMPUTED = "read in a source", "computed from public material"


RECOLLECTION, GIVEN = "recollection", "given in the config"


CERTAINTIES = (DEFINED, RECOMPUTED, READ, COMPUTED, RECOLLECTION, GIVEN)


@dataclass(frozen=True)
class Check:
    """One line of checks.csv; `certainty` says where the expectation comes from.

    What is only recollected may warn and never fail: nobody is kept from working by a rumour.
    """

    name: str
    verdict: str  # PASS, WARN or FAIL
    expected: str
    found: str
    hint: str = ""
    certainty: str = DEFINED

    def __post_init__(self) -> None:
        if self.certainty not in CERTAINTIES:
            raise ValueError(f"{self.name}: certainty {self.certainty!r} is not in CERTAINTIES.")
        if self.certainty == RECOLLECTION and self.verdict == "FAIL":
            raise ValueError(f"{self.name}: a recollection cannot fail a corpus.")


def check(name: str, good: bool, expected: str, found: object, hint: str, **more: str) -> Check:
    """PASS where good, else FAIL with the hint; WARN by `verdict` or if only recollected."""
    worst = "WARN" if more.get("certainty") == RECOLLECTION else "FAIL"
    verdict = "PASS" if good else more.get("verdict", worst)
    more.pop("verdict", None)
    return Check(name, verdict, expected, str(found), "" if good else hint, **more)


class Corpus(ABC):
    """A tree of videos with ratings; subclasses take `root` and their options by keyword."""

    name: ClassVar[str]
    targets: ClassVar[tuple[str, ...]] = DIMENSIONS  # what is rated over time; () if nothing is
    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)  # of every target, in its own unit
    delay_s: ClassVar[dict[str, float]] = {}  # gold(t) describes the stimulus at t - delay_s
    rating_hz: ClassVar[float]
    classes: ClassVar[tuple[str, ...]] = ()  # what a whole video is labelled with, if it is
    media: ClassVar[bool] = True  # whether it holds recordings; else arrays (`arrays.py`)
    licence: ClassVar[str]
    obtain: ClassVar[str]  # the sentence that says how to get the files
    access: ClassVar[str] = ""  # who may have it, who signs, where to ask; `avf obtain` prints it
    downloads: ClassVar[tuple[Download, ...]] = ()  # what anyone may fetch, and nothing else
    unrated: ClassVar[tuple[str, ...]] = ()  # partitions whose ratings were never given out
    split_given: ClassVar[bool] = False  # by the corpus' authors: an overlap warns, it cannot fail
    spare_videos: ClassVar[bool] = False  # whether it holds videos that this study has no use for

    def __init__(self, *, root: Path) -> None:
        self.root = Path(root)
        self.tree: Tree | None = None  # what lies below the root; there once `verify` has read it
        self.cache: Path | None = None  # folder for what is dear to read twice

    def fingerprint_files(self, folder: str) -> bool:
        """Whether files of this folder (relative path) are read, or listed by size alone."""
        return True

    @abstractmethod
    def videos(self) -> pd.DataFrame:
        """One row a video with the columns `MANIFEST`; paths are relative to `root`."""

    @abstractmethod
    def gold(self) -> pd.DataFrame:
        """One row a rated instant: `GOLD` and the targets, in the corpus' unit; NaN = unrated."""

    def labels(self) -> pd.DataFrame:
        """One row a labelled video with the columns `LABELS`; needed where there are `classes`.

        A video without a row, or with a label that is null, is in no class of the study.
        """
        return pd.DataFrame({column: pd.Series(dtype=str) for column in LABELS})

    def missing(self) -> list[str]:
        """What should be here and is not, beyond the manifest's own files; for absent.txt."""
        return []

    def truth(self) -> pd.DataFrame:
        """Planted spans with the columns `TRUTH`; none, unless the corpus was made with some."""
        return empty_truth()

    def checks(self) -> Iterator[Check]:
        """What is to be checked of this corpus beyond what holds for all."""
        yield from ()

    def submission(self, answers: Any, template: Path | None, card: Path, folder: Path) -> Path:
        """Write `answers` (submit.Answers) into `folder` as a challenge wants them; the file."""
        raise CorpusError(f"{self.name}: there is no challenge to submit to.")

    def card(self) -> dict[str, Any]:
        """What a study must know of the corpus; JSON-ready."""
        return {
            "name": self.name,
            "targets": list(self.targets),
            "range": list(self.value_range),
            **({"classes": list(self.classes)} if self.classes else {}),
            "delay_s": {target: self.delay_s.get(target, 0.0) for target in self.targets},
            "rating_hz": self.rating_hz,
            "licence": self.licence,
            "obtain": self.obtain,
        }


def build(name: str, own: dict[str, Any]) -> Any:
    """The corpus of a study's name, from its arguments and `is`, which says whose form it is."""
    arguments = {key: value for key, value in own.items() if key != "is"}
    return corpora.get(own.get("is", name))(**arguments)


def empty_truth() -> pd.DataFrame:
    """A truth table without spans, with its types."""
    kinds = {"video": str, "start_s": float, "end_s": float, "modality": str, "kind": str}
    return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in kinds.items()})
