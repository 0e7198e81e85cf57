"""Check clips and windows: what their types do not show."""

from collections.abc import Iterator

from avfusion.config.study import Study


def windows(study: Study) -> Iterator[str]:
    """Yield a message per fault of `windows`."""
    cuts = study.windows
    clip, hop, unit = cuts.clip_s, cuts.hop_s, "s"
    if cuts.clip_frames and cuts.hop_frames:
        clip, hop, unit = cuts.clip_frames, cuts.hop_frames, "frames"
    steps = clip / hop
    if not round(steps) or abs(steps - round(steps)) > 1e-6:
        yield (
            f"windows.clip_{unit} ({clip}) must be a multiple of windows.hop_{unit} ({hop}), so "
            f"that each instant ends exactly one clip."
        )
    if cuts.advance and cuts.advance > cuts.clips:
        yield (
            f"windows.advance ({cuts.advance}) is above windows.clips ({cuts.clips}), so rows "
            f"between two windows would have no prediction. Set it to at most {cuts.clips}."
        )
    yield from _on_classes(study)


def _on_classes(study: Study) -> Iterator[str]:
    """Yield a message per key that would leave out videos with a class, or count steps twice."""
    cuts = study.windows
    names = [name for name, entry in study.corpora.items() if entry.task != "ratings"]
    unfit = {
        "windows.advance": cuts.advance is not None and cuts.advance < cuts.clips,
        "windows.last: dropped": cuts.last == "dropped",
    }
    for path, given in unfit.items():
        if given and names:
            where = f"`task: {study.task(names[0])}` (corpora.{names[0]})"
            yield f"{path} is not offered with {where}. Remove one of them."
