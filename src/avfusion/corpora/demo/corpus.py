"""The demo corpus: talking faces made from a seed, with known signals and planted faults."""

from collections.abc import Iterator

from avfusion.corpora.base import Check
from avfusion.corpora.demo.checks import demo_checks
from avfusion.corpora.demo.make import is_whole
from avfusion.corpora.demo.release import DemoRelease, log
from avfusion.corpora.demo.scene import video_name
from avfusion.registry import corpora


@corpora.add("demo")
class Demo(DemoRelease):
    """`videos` videos of `seconds` s; the same seed makes the same signals, gold and spans."""

    def make(self) -> None:
        """Make what is missing or was made with other settings; can be stopped and started."""
        recipes = self.recipes()
        wanted = {video_name(r.index): r for r in recipes}
        todo = [r for name, r in wanted.items() if not is_whole(self.root, name, r.digest)]
        log.info("demo: %d videos to make, %d kept", len(todo), len(recipes) - len(todo))
        self._remove_surplus(set(wanted))
        if todo:  # a half-made corpus must not look whole
            (self.root / "manifest.csv").unlink(missing_ok=True)
            self._make_all(todo)
        self._write_tables(recipes)

    def checks(self) -> Iterator[Check]:
        """Made with these settings; gold follows from the ratings; every fault is in test."""
        yield from demo_checks(self)
