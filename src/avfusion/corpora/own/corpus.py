"""Your own recordings: a manifest with one row per video, or an audformat database."""

from collections.abc import Iterator

from avfusion.corpora.check import Check
from avfusion.corpora.own.checks import own_checks
from avfusion.corpora.own.release import OwnRelease
from avfusion.registry import corpora


@corpora.add("own")
class Own(OwnRelease):
    """Your own recordings, listed in a manifest or an audformat database.

    Parameters
    ----------
    root : Path
        Folder of the recordings.
    manifest : str
        CSV or Parquet file with one row per video, relative to `root`.
    audformat : str
        Folder with db.yaml, read instead of the manifest. A db.yaml in `root` is read if there is
        no manifest.
    targets : tuple of str, optional
        Dimensions that are rated; by default valence and arousal, or none if there are `classes`.
    classes : tuple of str
        Classes in the column `label`, if each video has one.
    value_range : tuple of float
        Lowest and highest rating.
    delay_s : dict, optional
        Target -> annotation delay in seconds; `avf delay` estimates it.
    rating_hz : float
        Instants per second at which ratings that hold over a span are sampled.
    ratings : str or dict
        How rating tables are read. `held`: a rating holds until the next line. `{unit: minutes}`:
        unit of `time_s`; `seconds`, `milliseconds`, `minutes`, `hours`, `frames` (from 0) or
        `timecode`. `{unit: frames, held: true}` states both.
    seed : int
        Seed of the 80 : 20 split by subject, if there are no partitions.
    licence : str
        Licence of the recordings.
    """

    def checks(self) -> Iterator[Check]:
        """Yield checks of the manifest, ratings, split, videos and times."""
        yield from own_checks(self)
