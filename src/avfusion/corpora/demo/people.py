"""The demo corpus of people: several videos of each made person, for verification."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from avfusion.corpora.check import RECOMPUTED, Check, check
from avfusion.corpora.demo.make import Recipe, is_complete, make_take
from avfusion.corpora.demo.release import AGAIN, DemoRelease
from avfusion.corpora.demo.takes import TAKES, Take, take, take_name
from avfusion.corpora.trials import drawn
from avfusion.errors import ConfigError
from avfusion.registry import corpora


@corpora.add("demo_people")
class DemoPeople(DemoRelease):
    """Generated talking faces, four videos of each person, with trials of verification.

    No person is in two partitions. Each video has its own words, light, camera and planted faults.
    Trials are drawn by the seed: all pairs of videos of one person, and ten times as many of two.

    Parameters
    ----------
    root : Path
        Folder of the corpus, which `avf make-corpus demo_people` writes.
    people : int
        Number of people, at least 16.
    seconds : float
        Length of each video, at least 4.
    seed : int
        Seed of everything that is random.
    width, height : int
        Size of the picture in pixels: even, at least 160 x 120.
    fps : int
        Frames per second, at least 10.
    workers : int
        Videos that are made at the same time.
    """

    name = "demo_people"
    obtain = "Run `avf make-corpus demo_people`."
    access = """\
Nothing is to download: avfusion generates this corpus. Run:

    avf make-corpus demo_people"""
    shows = "Each person is in four videos."
    maker, named = staticmethod(make_take), staticmethod(take_name)

    def __init__(
        self,
        *,
        root: Path,
        people: int = 80,
        seconds: float = 4.0,
        seed: int = 11,
        width: int = 160,
        height: int = 120,
        fps: int = 12,
        workers: int = 2,
    ) -> None:
        if people < 16:
            raise ConfigError(f"demo_people: people is {people}; it must be at least 16.")
        self.people = people
        common: dict[str, Any] = {"width": width, "height": height, "fps": fps, "workers": workers}
        super().__init__(root=root, videos=people * TAKES, seconds=seconds, seed=seed, **common)

    def plan(self, recipe: Recipe) -> Take:
        """Return the plan of a video."""
        return take(recipe.index, recipe.seconds, recipe.seed)

    def trials(self) -> pd.DataFrame:
        """Return trials of the people of validation and of test."""
        seed = self.options["seed"]
        parts = [drawn(self.videos(), part, seed) for part in ("validation", "test")]
        return pd.concat(parts, ignore_index=True)

    def checks(self) -> Iterator[Check]:
        """Yield checks of the settings and of the number of videos per person."""
        stale = [
            take_name(recipe.index)
            for recipe in self.recipes()
            if not is_complete(self.root, take_name(recipe.index), recipe.digest)
        ]
        yield check(
            "recipe", not stale, f"{self.count} videos made with these settings",
            f"{len(stale)} missing, changed or of other settings", AGAIN,
            verdict="WARN", certainty=RECOMPUTED,
        )  # fmt: skip
        counts = self.videos().groupby("subject").size()
        odd = sorted(counts.index[counts != TAKES])
        yield check(
            "videos per person", not odd, f"{TAKES} of each person",
            f"other numbers: {', '.join(odd[:5])}" if odd else f"{len(counts)} people", AGAIN,
        )  # fmt: skip
