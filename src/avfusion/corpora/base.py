"""The interface of a corpus, and how one is built from settings.

A corpus is a class below `avfusion/corpora` that is marked `@corpora.add("<name>")`. `verify.py`
calls its methods and writes the tables of a study.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pandas as pd

from avfusion.config.jobs import CorpusSettings
from avfusion.config.sections import TimeZero
from avfusion.corpora.check import Check
from avfusion.corpora.tree.tree import Tree
from avfusion.errors import ConfigError, CorpusError
from avfusion.rating import DIMENSIONS
from avfusion.registry import corpora
from avfusion.schemas import LABELS, TRIALS, VOTES

if TYPE_CHECKING:
    from avfusion.corpora.obtain.source import Source
    from avfusion.corpora.submission import Answers


class Corpus(ABC):
    """Base class of corpora: a folder of videos with ratings over time or class labels.

    Subclasses take `root` and their options as keyword arguments.

    Parameters
    ----------
    root
        Folder of the corpus. `avf verify` never writes to it.

    Attributes
    ----------
    name : str
        Name of the class in the registry.
    targets : tuple of str
        Dimensions that are rated over time; empty if there are none.
    value_range : tuple of float
        Lowest and highest rating of every target, in the unit of the corpus.
    delay_s : dict
        Target -> annotation delay: gold(t) describes the stimulus at t - delay_s.
    rating_hz : float
        Ratings per second.
    classes : tuple of str
        Labels of videos; empty if videos have none.
    media : bool
        Whether the corpus holds recordings. If not, it holds arrays (`avfusion.media.arrays`).
    licence, obtain, access : str
        Licence, a sentence on how to get the files, and the full instructions of `avf obtain`.
    part_options : tuple of str
        Options that say which part of a corpus `avf obtain` downloads.
    models : str
        Whether models that are trained on it may be handed on: "yes", "no", or "owner", who may say
        so.
    sharing : str
        What its terms say about that, in a sentence or two.
    licensed : bool
        Whether another party gives the files out; false if they are generated or your own.
    synthetic : bool
        Whether a program made the recordings, so that they show no real behaviour.
    unrated : tuple of str
        Partitions whose ratings were never published.
    split_given : bool
        Whether the authors published the split. Overlapping partitions then warn instead of fail.
    partly_rated : bool
        Whether single videos may lack ratings in train and validation; a warning then.
    people_shared : bool
        Whether partitions show the same people because there are too few of them.
    spare_videos : bool
        Whether the folder holds videos that a study does not use.
    tree : Tree
        Files below `root` with their digests; set by `avf verify`.
    cache : Path
        Folder for results that are slow to compute; set by `avf verify`.
    outside_links : bool
        Whether links that lead out of `root` are followed.
    time_zero : str
        Where the times of videos begin, as `media.time_zero`: "picture" or "container".
    features : dict
        Encoder -> its modality and options, of encoders that read files of features.
    """

    name: ClassVar[str]
    targets: tuple[str, ...] = DIMENSIONS
    value_range: tuple[float, float] = (-1.0, 1.0)
    delay_s: dict[str, float] = {}  # noqa: RUF012 (replaced, never changed in place)
    rating_hz: float
    classes: tuple[str, ...] = ()
    media: ClassVar[bool] = True
    licence: str
    obtain: ClassVar[str]
    access: ClassVar[str] = ""
    part_options: ClassVar[tuple[str, ...]] = ()
    models: ClassVar[Literal["yes", "no", "owner"]] = "no"
    sharing: ClassVar[str] = (
        "Its terms do not say that models trained on it may be handed on; ask its authors."
    )
    licensed: ClassVar[bool] = True
    synthetic: ClassVar[bool] = False
    split_given: bool = False
    partly_rated: ClassVar[bool] = False
    spare_videos: ClassVar[bool] = False
    tree: Tree
    cache: Path
    outside_links: bool = False
    time_zero: TimeZero = "picture"
    features: dict[str, dict[str, Any]] = {}  # noqa: RUF012 (replaced, never changed in place)

    def __init__(self, *, root: Path) -> None:
        self.root = Path(root)

    @property
    def refused(self) -> list[str]:
        """Paths of videos that are listed, but in a line with a fault."""
        return []

    @property
    def unrated(self) -> tuple[str, ...]:
        """Partitions whose ratings were never published."""
        return ()

    @property
    def people_shared(self) -> bool:
        """Whether partitions show the same people because there are too few of them."""
        return False

    def fingerprint_files(self, folder: str) -> bool:
        """Return whether files of a folder (relative path) are hashed, or only listed by size."""
        return True

    @abstractmethod
    def videos(self) -> pd.DataFrame:
        """Return the manifest.

        Returns
        -------
        DataFrame
            One row per video with the columns `schemas.MANIFEST` and, where needed, some of
            `schemas.EXTRA`. Paths are relative to `root`.

        Raises
        ------
        CorpusError
            If the folder cannot be read as this corpus.
        """

    @abstractmethod
    def gold(self) -> pd.DataFrame:
        """Return the gold standard.

        Returns
        -------
        DataFrame
            One row per rated instant with the columns `schemas.GOLD` (`time_s` in seconds) and the
            targets, in the unit of the corpus. NaN means unrated.

        Raises
        ------
        CorpusError
            If the folder cannot be read as this corpus.
        """

    def labels(self) -> pd.DataFrame:
        """Return class labels; required if there are `classes`.

        Returns
        -------
        DataFrame
            One row per labelled video with the columns `schemas.LABELS`. A video without a row, or
            with a null label, belongs to no class of the study.
        """
        return pd.DataFrame({column: pd.Series(dtype=str) for column in LABELS})

    def votes(self) -> pd.DataFrame:
        """Return how raters judged the videos; without rows if no one did.

        Returns
        -------
        DataFrame
            One row per video and modality with the columns `schemas.VOTES`. Videos outside the
            manifest are allowed.

        Raises
        ------
        CorpusError
            If the folder cannot be read as this corpus.
        """
        return pd.DataFrame({column: pd.Series(dtype=object) for column in VOTES})

    def trials(self) -> pd.DataFrame:
        """Return trials of verification; without rows if the corpus has none.

        Returns
        -------
        DataFrame
            One row per trial with the columns `schemas.TRIALS`. Both videos are of one partition,
            validation or test.

        Raises
        ------
        CorpusError
            If the folder cannot be read as this corpus.
        """
        return pd.DataFrame({column: pd.Series(dtype=object) for column in TRIALS})

    def missing(self) -> list[str]:
        """Return paths of missing files that the manifest does not list, for absent.txt."""
        return []

    def truth(self) -> pd.DataFrame:
        """Return planted spans with the columns `schemas.TRUTH`; empty for real recordings."""
        return empty_truth()

    def checks(self) -> Iterator[Check]:
        """Yield the checks of this corpus, in addition to those of every corpus."""
        yield from ()

    def source(self) -> "Source":
        """Return where the corpus can be downloaded; only of corpora that anyone may download.

        Raises
        ------
        CorpusError
            If a program cannot download it.
        """
        raise CorpusError(
            f"{self.name}: no file of it can be downloaded by a program. "
            f"Run: avf obtain {self.name}"
        )

    def make(self) -> None:
        """Generate the files below `root`.

        Raises
        ------
        CorpusError
            If avfusion cannot generate this corpus.
        """
        raise CorpusError(
            f"{self.name}: avfusion cannot generate this corpus. Run: avf obtain {self.name}"
        )

    def submission(
        self, answers: "Answers", template: Path | None, card: Path, folder: Path
    ) -> Path:
        """Write predictions in the form of the corpus' challenge.

        Parameters
        ----------
        answers
            Predictions of the test videos.
        template
            Example file of the challenge, if it has one.
        card
            Path of the corpus' card (corpus.json).
        folder
            Folder that the submission is written to.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        CorpusError
            If the corpus has no challenge, or the predictions do not fit the template.
        """
        raise CorpusError(f"{self.name}: there is no challenge to submit to.")

    def card(self) -> dict[str, Any]:
        """Return what a study needs to know about the corpus, JSON-ready."""
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


def build(name: str, settings: CorpusSettings) -> Corpus:
    """Return the corpus of an entry of a study.

    Parameters
    ----------
    name
        Name of the entry, for messages.
    settings
        Class, root and options of the entry.

    Raises
    ------
    ConfigError
        If there is no such class, or if it does not derive from `Corpus`.
    """
    kind = corpora.get(settings.class_)
    if not (isinstance(kind, type) and issubclass(kind, Corpus)):
        raise ConfigError(
            f"Corpus {name!r}: {settings.class_} does not derive from avfusion.corpora.base.Corpus."
        )
    corpus = kind(root=settings.root, **settings.options)
    corpus.outside_links = settings.outside_links
    corpus.time_zero, corpus.features = settings.time_zero, settings.features
    return corpus


def empty_truth() -> pd.DataFrame:
    """Return a table of planted spans without rows, with the right types."""
    kinds = {"video": str, "start_s": float, "end_s": float, "modality": str, "kind": str}
    return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in kinds.items()})
