"""A researcher's own clips: a manifest with a row a video, or an audformat database."""

from collections.abc import Iterator

from avfusion.corpora.base import Check
from avfusion.corpora.own.checks import own_checks
from avfusion.corpora.own.release import OwnRelease
from avfusion.registry import corpora


@corpora.add("own")
class Own(OwnRelease):
    """`manifest` is CSV or Parquet; `audformat` a folder with db.yaml, read instead of it.

    `targets` and `value_range` say what is rated on which scale, `delay_s` how late raters answer
    (see `avf delay`). Without partitions, subjects are split 80 : 20 by `seed`. `rating_hz`: how
    often a rating that holds over a span is taken down.
    """

    def checks(self) -> Iterator[Check]:
        """Lines of manifest and ratings, the split, videos and their ratings' times."""
        yield from own_checks(self)
