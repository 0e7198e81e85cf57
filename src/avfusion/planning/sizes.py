"""How much a corpus holds, as far as can be told before and after it was read."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from avfusion.config.study import Study
from avfusion.config.widths import literals
from avfusion.doctor.media import HOUR_S, listed, recordings
from avfusion.errors import ConfigError, MediaError
from avfusion.layout import Layout
from avfusion.registry import corpora

USUAL_HZ, USUAL_PIXELS = 30.0, 640.0 * 480.0
SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}
"""Shares of videos where no manifest tells them."""
VIDEOS_EACH = 4
"""Videos of a person in a corpus that is made of people."""
USUAL_S = 180.0
"""Length of a recording where neither media nor manifest tell it: those of Aff-Wild2 have 166 s."""
LOOKED_AT = 5
"""So many videos are opened to learn their resolution."""


@dataclass(frozen=True)
class Size:
    """Recordings of a corpus.

    Parameters
    ----------
    videos
        Number of recordings.
    hours
        Their length in hours; 0 if it is unknown.
    basis
        Where the length comes from, in words.
    shown_h
        Hours with pictures.
    frame_hz, pixels
        Pictures per second, and pixels of one.
    shares
        Partition -> share of the videos.
    """

    videos: int
    hours: float
    basis: str
    shown_h: float = 0.0
    frame_hz: float = USUAL_HZ
    pixels: float = USUAL_PIXELS
    shares: dict[str, float] = field(default_factory=lambda: dict(SHARES))

    @property
    def known(self) -> bool:
        """Whether the length is known."""
        return self.hours > 0 and self.videos > 0

    def rows(self, hop_s: float) -> float:
        """Return the number of clips, which is that of feature rows."""
        return self.hours * HOUR_S / hop_s

    def windows(self, clips: int, advance: int | None, steps: int, hop_s: float) -> float:
        """Return the number of windows of all videos (see `avfusion.features.windows`).

        clips: L of a window; steps: clip_s / hop_s.

        >>> Size(564, 564 * 4965 / 30 / 3600, "").windows(16, None, 32, 1 / 30)
        180480.0
        """
        if not self.known:
            return 0.0
        rows = round(self.rows(hop_s) / self.videos)
        more = max(rows - clips * steps, 0)
        return float(self.videos * steps * (1 + -(-more // ((advance or clips) * steps))))

    def share(self, partition: str) -> float:
        """Return the share of a partition."""
        return self.shares.get(partition, 0.0)


def assumed(text: str) -> tuple[str, Size]:
    """Return corpus and size of `NAME=VIDEOS:HOURS`.

    Raises
    ------
    ConfigError
        If the text has another form.
    """
    name, _, rest = text.partition("=")
    try:
        videos, hours = rest.split(":")
        size = Size(int(videos), float(hours), "as --assume says", shown_h=float(hours))
    except ValueError:
        raise ConfigError(
            f"--assume {text}: expected NAME=VIDEOS:HOURS, such as affwild2=564:26."
        ) from None
    if not size.known:
        raise ConfigError(f"--assume {text}: VIDEOS and HOURS must be more than 0.")
    return name, size


def size_of(study: Study, corpus: str, layout: Layout) -> Size:
    """Return what a corpus holds: by its media, by its options if avf makes it, or by its files.

    Without media, this lists the corpus' folder and opens some files.
    """
    if size := _stated(study, corpus, layout):
        return size
    manifest = layout.manifest(corpus)
    files = recordings(Path(study.corpora[corpus].root), manifest)
    hours = files.hours()
    basis = "by the lengths and sizes of its files" if hours.total else "unknown"
    pixels = _pixels(files.files[:: -(-len(files.files) // LOOKED_AT) or 1])
    size = Size(len(files.files), hours.total, basis, hours.shown, pixels=pixels)
    return replace(size, shares=_shares(manifest))


def quick_size_of(study: Study, corpus: str, layout: Layout) -> Size:
    """Return what a corpus holds without a look at its folder, for each start of the workflow.

    Without media, it follows the rows of the manifest; without a manifest, it is unknown.
    """
    if size := _stated(study, corpus, layout):
        return size
    manifest = layout.manifest(corpus)
    if not manifest.is_file():
        return Size(0, 0.0, "unknown")
    files = listed(Path(study.corpora[corpus].root), manifest)
    hours = (files.shown_s + files.heard_s + USUAL_S * len(files.unmeasured)) / HOUR_S
    basis = f"by the rows of its manifest, {USUAL_S:g} s where they tell no length"
    return Size(len(files.files), hours, basis, hours, shares=_shares(manifest))


def _stated(study: Study, corpus: str, layout: Layout) -> Size | None:
    """Return the size that the media stage found, or that options tell; None if neither does."""
    index = layout.media(corpus) / "index.parquet"
    if index.is_file():
        return _of_media(pd.read_parquet(index), layout.manifest(corpus))
    kind, given = study.corpus_class(corpus), study.corpora[corpus].options
    if corpora.known(kind) and corpora.defines(kind, "make"):
        return _of_options(literals(corpora.options(kind)) | given)
    return None


def _of_media(index: pd.DataFrame, manifest: Path) -> Size:
    """Return the size that the media stage found."""
    read = index[index["status"] == "ok"]
    lengths_s = pd.to_numeric(read["duration_s"])
    hours = float(lengths_s.sum()) / HOUR_S
    shown_h = float(lengths_s[pd.to_numeric(read["frames"]) > 0].sum()) / HOUR_S
    frame_hz = float(read["frames"].sum()) / (shown_h * HOUR_S) if shown_h else USUAL_HZ
    basis = "by its media"
    return Size(len(read), hours, basis, shown_h, frame_hz, shares=_shares(manifest))


def _of_options(options: dict[str, object]) -> Size:
    """Return the size of a corpus that is generated."""
    names = ("videos", "people", "seconds", "fps", "width", "height")
    values = [options.get(name) for name in names]
    videos, people, seconds, fps, width, height = (
        float(value) if isinstance(value, int | float) else 0.0 for value in values
    )
    videos = videos or people * VIDEOS_EACH
    hours = videos * seconds / HOUR_S
    basis = "by its options" if hours else "unknown"
    return Size(int(videos), hours, basis, hours, fps or USUAL_HZ, width * height or USUAL_PIXELS)


def _shares(manifest: Path) -> dict[str, float]:
    if not manifest.is_file():
        return dict(SHARES)
    parts = pd.read_parquet(manifest, columns=["partition"])["partition"]
    counted = parts.value_counts(normalize=True)
    return {str(name): float(share) for name, share in counted.items()}


def _pixels(videos: list[Path]) -> float:
    """Return the mean size of a picture of some videos."""
    import av  # the workflow imports this module, and no decoder

    from avfusion.media.bounds import opened

    av.logging.set_level(av.logging.PANIC)
    areas = []
    for path in videos:
        try:
            with opened(path) as container:
                areas += [s.width * s.height for s in container.streams.video[:1]]
        except (av.FFmpegError, MediaError, OSError):
            continue
    return sum(areas) / len(areas) if areas else USUAL_PIXELS
