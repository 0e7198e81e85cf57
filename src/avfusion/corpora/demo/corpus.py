"""The demo corpus: generated talking faces with known signals and planted faults."""

from collections.abc import Iterator

from avfusion.corpora.check import Check
from avfusion.corpora.demo.checks import demo_checks
from avfusion.corpora.demo.release import DemoRelease
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

    def checks(self) -> Iterator[Check]:
        """Yield checks of the settings, the gold standard and the planted faults."""
        yield from demo_checks(self)
