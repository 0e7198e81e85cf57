"""Read and generate the demo corpus: talking faces with known signals and planted faults.

It tests that a study runs and responds as expected. Its scores say nothing about recordings of
people (docs/explanation/demo-corpus.md).
"""

import hashlib
import json
import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import numpy as np
import pandas as pd

from avfusion.corpora.base import Corpus, empty_truth
from avfusion.corpora.demo.make import Recipe, files, is_complete, make_video
from avfusion.corpora.demo.raters import DELAYS_S
from avfusion.corpora.demo.scene import DIMENSIONS, SIGNAL_HZ, Scene, scene, video_name
from avfusion.errors import ConfigError, CorpusError
from avfusion.fingerprint import fingerprint
from avfusion.io.atomic import write_text
from avfusion.schemas import MANIFEST, TRUTH

CARD = "corpus.json"
AGAIN = "Run `avf make-corpus demo`."
ACCESS = """\
Nothing is to download: avfusion generates this corpus. Run one of these commands:

    make demo                generate it and run the demo study
    avf make-corpus demo     generate it"""

log = logging.getLogger(__name__)


class Options(TypedDict):
    """Settings that every video of the corpus has in common."""

    seconds: float
    seed: int
    width: int
    height: int
    fps: int


class DemoRelease(Corpus):
    """Reader and writer of the files below the root; `Demo` lists the options."""

    name = "demo"
    delay_s = {d: round(float(np.mean(DELAYS_S[d])), 3) for d in DIMENSIONS}  # noqa: RUF012
    rating_hz = float(SIGNAL_HZ)
    models = "yes"
    sharing = "Made by a program: models may be handed on under the licence of avfusion (MIT)."
    licence = "Made by avfusion under its licence (MIT); three faces from public-domain paintings."
    obtain = AGAIN
    access = ACCESS
    licensed = False
    synthetic = True
    shows: ClassVar[str] = "Each video shows another person."
    maker: ClassVar[Any] = staticmethod(make_video)  # as subclasses have it: (root, recipe)
    named: ClassVar[Any] = staticmethod(video_name)  # the name of the video with an index

    def __init__(
        self,
        *,
        root: Path,
        videos: int = 160,
        seconds: float = 8.0,
        seed: int = 7,
        width: int = 160,
        height: int = 120,
        fps: int = 12,
        workers: int = 2,
    ) -> None:
        super().__init__(root=root)
        least: dict[str, tuple[float, int]] = {
            "videos": (videos, 4),
            "seconds": (seconds, 4),
            "workers": (workers, 1),
            "width": (width, 160),
            "height": (height, 120),
            "fps": (fps, 10),
        }
        for option, (value, bound) in least.items():
            if value < bound:
                raise ConfigError(f"demo: {option} is {value}; it must be at least {bound}.")
        if width % 2 or height % 2:
            raise ConfigError(f"demo: {width}x{height} px; H.264 needs even width and height.")
        self.count, self.workers = videos, workers
        self.options: Options = {
            "seconds": float(seconds),
            "seed": seed,
            "width": width,
            "height": height,
            "fps": fps,
        }

    def videos(self) -> pd.DataFrame:
        """Return manifest.csv."""
        return read_csv(self.root / "manifest.csv", MANIFEST)

    def gold(self) -> pd.DataFrame:
        """Return the gold standard of every video that has a gold file."""
        tables = []
        for path in sorted((self.root / "gold").glob("*.csv")):
            tables.append(read_csv(path, ("time_s", *DIMENSIONS)).assign(video=path.stem))
        if not tables:
            raise CorpusError(f"{self.root / 'gold'}: no gold files. {AGAIN}")
        return pd.concat(tables, ignore_index=True)

    def truth(self) -> pd.DataFrame:
        """Return the planted spans."""
        table = read_csv(self.root / "truth.csv", TRUTH)
        return table if len(table) else empty_truth()

    def card(self) -> dict[str, Any]:
        """Return the common card with the settings of the videos."""
        return {**super().card(), "recipe": {"videos": self.count, **self.options}}

    def recipes(self) -> list[Recipe]:
        """Return what each video depends on, in order."""
        source = source_digest(type(self).maker.__name__)
        recipes = []
        for index in range(self.count):
            text = json.dumps({"index": index, **self.options, "source": source}, sort_keys=True)
            digest = hashlib.sha256(text.encode()).hexdigest()
            recipes.append(Recipe(index=index, **self.options, digest=digest))
        return recipes

    def make(self) -> None:
        """Make videos that are missing or have other settings; a stopped run can be resumed."""
        recipes = self.recipes()
        wanted = {self.named(r.index): r for r in recipes}
        todo = [r for name, r in wanted.items() if not is_complete(self.root, name, r.digest)]
        log.info("%s: %d videos to make, %d kept", self.name, len(todo), len(recipes) - len(todo))
        self._remove_surplus(set(wanted))
        if todo:  # without a manifest, an unfinished corpus cannot be verified
            (self.root / "manifest.csv").unlink(missing_ok=True)
            self._make_all(todo)
        self._write_tables(recipes)

    def plan(self, recipe: Recipe) -> Scene:
        """Return the plan of a video."""
        return scene(recipe.index, recipe.seconds, recipe.seed)

    def _make_all(self, todo: list[Recipe]) -> None:
        """Make videos, each in a new process: the speech synthesiser is exact only when fresh.

        The processes are forks of one that has imported the code but has made no video.
        """
        start = time.monotonic()
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload([make_video.__module__, "av"])
        with ProcessPoolExecutor(self.workers, mp_context=server, max_tasks_per_child=1) as pool:
            jobs = [pool.submit(type(self).maker, self.root, recipe) for recipe in todo]
            try:
                for done, job in enumerate(as_completed(jobs), 1):
                    video = job.result()
                    left_s = (time.monotonic() - start) / done * (len(jobs) - done)
                    log.info("%s, %d of %d, about %.0f s left", video, done, len(jobs), left_s)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _remove_surplus(self, wanted: set[str]) -> None:
        """Remove generated videos that are no longer wanted, and no other file."""
        for stamp in (self.root / ".made").glob("*.json"):
            if stamp.stem not in wanted:
                for path in files(stamp.stem).values():
                    (self.root / path).unlink(missing_ok=True)
                stamp.unlink()

    def _write_tables(self, recipes: list[Recipe]) -> None:
        plans = [self.plan(recipe) for recipe in recipes]
        paths = [files(p.video) for p in plans]
        rows = [
            (p.video, path["video"], p.partition, p.subject, p.speaker, path["transcript"])
            for p, path in zip(plans, paths, strict=True)
        ]
        spans = [(p.video, *asdict(s).values()) for p in plans for s in p.spans]
        manifest = pd.DataFrame(rows, columns=list(MANIFEST))
        truth = pd.DataFrame(spans, columns=list(TRUTH))
        write_text(self.root / "manifest.csv", manifest.to_csv(index=False))
        write_text(self.root / "truth.csv", truth.to_csv(index=False))
        digest = hashlib.sha256("".join(r.digest for r in recipes).encode()).hexdigest()
        card = {**self.card(), "recipe_hash": digest}
        write_text(self.root / CARD, json.dumps(card, indent=2) + "\n")
        template = Path(__file__).parent / "assets" / "demo_readme.txt"
        text = template.read_text(encoding="utf-8").format(
            videos=self.count, name=self.name, shows=self.shows, **self.options
        )
        write_text(self.root / "README.md", text)


def source_digest(maker: str) -> str:
    """Return a SHA-256 over the code that makes a video and over the assets.

    maker: name of the function in `avfusion.corpora.demo.make`.

    When it changes, all videos are made again. Comments and docstrings do not count.
    """
    digest = hashlib.sha256(fingerprint(f"avfusion.corpora.demo.make:{maker}").encode())
    for path in sorted((Path(__file__).parent / "assets").glob("*.[pj]*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_csv(path: Path, columns: tuple[str, ...], sep: str = ",") -> pd.DataFrame:
    """Read a table of the corpus; refuse one that lacks a column."""
    if not path.is_file():
        raise CorpusError(f"{path}: no such file. {AGAIN}")
    table = pd.read_csv(path, sep=sep)
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise CorpusError(f"{path}: no column {', '.join(missing)}; found {list(table.columns)}.")
    return table
