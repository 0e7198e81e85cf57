"""The demo corpus: talking faces made from a seed, with known signals and planted faults.

It proves that a study runs and reacts as it should; it says nothing about people
(docs/demo-corpus.md).
"""

import hashlib
import json
import logging
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from avfusion.corpora.base import Corpus, empty_truth
from avfusion.corpora.demo.make import DIMENSIONS, Recipe, files, make_video
from avfusion.corpora.demo.raters import DELAYS_S
from avfusion.corpora.demo.scene import SIGNAL_HZ, scene
from avfusion.errors import ConfigError, CorpusError
from avfusion.io.atomic import write_text
from avfusion.schemas import MANIFEST, TRUTH

AGAIN = "Run `avf make-corpus demo`."


log = logging.getLogger(__name__)


class DemoRelease(Corpus):
    """The files of one release, read into tables."""

    name = "demo"
    delay_s = {d: round(float(np.mean(DELAYS_S[d])), 3) for d in DIMENSIONS}  # noqa: RUF012
    rating_hz = float(SIGNAL_HZ)
    licence = "Made by avfusion under its licence (MIT); three faces from public-domain paintings."
    obtain = AGAIN

    def __init__(
        self,
        *,
        root: Path,
        videos: int = 36,
        seconds: float = 20.0,
        seed: int = 7,
        width: int = 320,
        height: int = 240,
        fps: int = 25,
        workers: int = 2,
    ) -> None:
        super().__init__(root=root)
        least = {
            "videos": (videos, 4),
            "seconds": (seconds, 4),
            "workers": (workers, 1),
            "width": (width, 160),
            "height": (height, 120),
            "fps": (fps, 10),
        }
        for option, (value, bound) in least.items():
            if value < bound:
                raise ConfigError(f"demo: {option} is {value}; the least is {bound}.")
        if width % 2 or height % 2:
            raise ConfigError(f"demo: {width}x{height} px; H.264 needs even width and height.")
        self.count, self.workers = videos, workers
        self.options = {
            "seconds": float(seconds),
            "seed": seed,
            "width": width,
            "height": height,
            "fps": fps,
        }

    def videos(self) -> pd.DataFrame:
        """As manifest.csv lists them."""
        return read_csv(self.root / "manifest.csv", MANIFEST)

    def gold(self) -> pd.DataFrame:
        """Of every video that has a gold file."""
        tables = []
        for path in sorted((self.root / "gold").glob("*.csv")):
            tables.append(read_csv(path, ("time_s", *DIMENSIONS)).assign(video=path.stem))
        if not tables:
            raise CorpusError(f"{self.root / 'gold'}: no gold files. {AGAIN}")
        return pd.concat(tables, ignore_index=True)

    def truth(self) -> pd.DataFrame:
        """The planted spans."""
        table = read_csv(self.root / "truth.csv", TRUTH)
        return table if len(table) else empty_truth()

    def card(self) -> dict[str, Any]:
        """The common card with the recipe's settings."""
        return {**super().card(), "recipe": {"videos": self.count, **self.options}}

    def recipes(self) -> list[Recipe]:
        """One a video, in order."""
        source = _source_digest()
        recipes = []
        for index in range(self.count):
            text = json.dumps({"index": index, **self.options, "source": source}, sort_keys=True)
            digest = hashlib.sha256(text.encode()).hexdigest()
            recipes.append(Recipe(index=index, **self.options, digest=digest))
        return recipes

    def _make_all(self, todo: list[Recipe]) -> None:
        """One process a video: the speech synthesiser repeats exactly only from a fresh start."""
        start = time.monotonic()
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.workers, mp_context=spawn, max_tasks_per_child=1) as pool:
            jobs = [pool.submit(make_video, self.root, recipe) for recipe in todo]
            try:
                for done, job in enumerate(as_completed(jobs), 1):
                    video = job.result()
                    left_s = (time.monotonic() - start) / done * (len(jobs) - done)
                    log.info("%s, %d of %d, about %.0f s left", video, done, len(jobs), left_s)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _remove_surplus(self, wanted: set[str]) -> None:
        """Videos made here earlier that are no longer asked for; foreign files are left alone."""
        for stamp in (self.root / ".made").glob("*.json"):
            if stamp.stem not in wanted:
                for path in files(stamp.stem).values():
                    (self.root / path).unlink(missing_ok=True)
                stamp.unlink()

    def _write_tables(self, recipes: list[Recipe]) -> None:
        plans = [scene(r.index, r.seconds, r.seed) for r in recipes]
        rows = [
            (
                p.video,
                files(p.video)["video"],
                p.partition,
                p.subject,
                p.voice,
                files(p.video)["transcript"],
            )
            for p in plans
        ]
        spans = [(p.video, *asdict(s).values()) for p in plans for s in p.spans]
        tables = {"manifest.csv": (rows, MANIFEST), "truth.csv": (spans, TRUTH)}
        for name, (lines, columns) in tables.items():
            text = pd.DataFrame(lines, columns=list(columns)).to_csv(index=False)
            write_text(self.root / name, text)
        digest = hashlib.sha256("".join(r.digest for r in recipes).encode()).hexdigest()
        card = {**self.card(), "recipe_hash": digest}
        write_text(self.root / "corpus.json", json.dumps(card, indent=2) + "\n")
        template = Path(__file__).parent / "assets" / "demo_readme.txt"
        text = template.read_text().format(videos=self.count, **self.options)
        write_text(self.root / "README.md", text)


def _source_digest() -> str:
    """SHA-256 over the generator's modules and assets: new code means new videos."""
    here = Path(__file__).parent
    names = (
        "actor",
        "brush",
        "espeak",
        "film",
        "make",
        "mesh",
        "portraits",
        "puppet",
        "raters",
        "scene",
        "script",
        "voice",
    )
    paths = [here / f"{name}.py" for name in names] + sorted((here / "assets").glob("*.[pj]*"))
    digest = hashlib.sha256()
    for path in [*paths, here.parent / "goldstandard.py"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_csv(path: Path, columns: tuple[str, ...], sep: str = ",") -> pd.DataFrame:
    """A table of the tree that must hold these columns."""
    if not path.is_file():
        raise CorpusError(f"{path}: no such file. {AGAIN}")
    table = pd.read_csv(path, sep=sep)
    lost = [c for c in columns if c not in table.columns]
    if lost:
        raise CorpusError(f"{path}: no column {', '.join(lost)}; found {list(table.columns)}.")
    return table
