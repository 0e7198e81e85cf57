"""The demo corpus: generated talking faces with known signals and planted faults."""

from collections.abc import Iterator

from avfusion.corpora.check import Check
from avfusion.corpora.demo.checks import demo_checks
from avfusion.corpora.demo.make import is_complete
from avfusion.corpora.demo.release import DemoRelease, log
from avfusion.corpora.demo.scene import video_name
from avfusion.registry import corpora


@corpora.add("demo")
class Demo(DemoRelease):
    """Generated talking faces with known valence and arousal and planted faults.

    The same seed gives the same signals, gold standard and planted spans. More videos do not change
    the first ones. docs/explanation/demo-corpus.md describes how a video is made.

    Parameters
    ----------
    root : Path
        Folder of the corpus, which `avf make-corpus demo` writes.
    videos : int
        Number of videos, at least 4.
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

    def make(self) -> None:
        """Make videos that are missing or have other settings; a stopped run can be resumed."""
        recipes = self.recipes()
        wanted = {video_name(r.index): r for r in recipes}
        todo = [r for name, r in wanted.items() if not is_complete(self.root, name, r.digest)]
        log.info("demo: %d videos to make, %d kept", len(todo), len(recipes) - len(todo))
        self._remove_surplus(set(wanted))
        if todo:  # without a manifest, an unfinished corpus cannot be verified
            (self.root / "manifest.csv").unlink(missing_ok=True)
            self._make_all(todo)
        self._write_tables(recipes)

    def checks(self) -> Iterator[Check]:
        """Yield checks of the settings, the gold standard and the planted faults."""
        yield from demo_checks(self)
