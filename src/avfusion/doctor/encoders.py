"""Findings about what the encoders of a study give: width and size of their features."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from avfusion.config.study import Study
from avfusion.config.widths import width
from avfusion.doctor.finding import Finding
from avfusion.doctor.media import HOUR_S, Hours, existing
from avfusion.encoders.cost import GB, feature_bytes
from avfusion.errors import AvfError
from avfusion.registry import encoders


def findings(study: Study, hours: dict[str, Hours]) -> Iterator[Finding]:
    """Yield a finding per encoder, and a warning if the disk is too small for their features.

    Parameters
    ----------
    study
        The study.
    hours
        Corpus folder -> hours of recordings, of those that are here.
    """
    total, unknown = 0.0, 0
    total_h = sum(each.total for each in hours.values())
    for name in study.features.encoders:
        if not encoders.known(study.encoder_class(name)):
            continue
        try:
            dim = width(study, name)
        except AvfError:  # another finding reports the file
            dim = None
        state = "fitted on each corpus" if study.fitted(name) else "not fitted"
        if dim is None:
            yield Finding("OK", "encoder", f"{name}: {state}, width known once a file is read")
            unknown += 1
            continue
        size = _bytes(study, name, dim, hours)
        total += size
        text = f", {size / GB:.2g} GB of features for {total_h:.2g} h" if size else ""
        yield Finding("OK", "encoder", f"{name}: {state}, width {dim:,}{text}")
    free = shutil.disk_usage(existing(Path(study.results))).free
    if total > free:
        more = f", and those of {unknown} encoders of unknown width" if unknown else ""
        text = f"features need {total / GB:.2g} GB{more}; {free / GB:.2g} GB free"
        remedy = "free some space, or set results to a folder on a larger disk"
        yield Finding("WARN", "feature size", text, remedy)


def _bytes(study: Study, encoder: str, dim: int, hours: dict[str, Hours]) -> float:
    """Return the size of the features; entries of one folder share those of frozen encoders."""
    total = 0.0
    for root, each in hours.items():
        entries = [entry for entry in study.corpora.values() if entry.root.rstrip("/") == root]
        copies = len(entries) * len(study.encoder_seeds) if study.fitted(encoder) else 1
        total += copies * feature_bytes(each.total * HOUR_S / study.windows.hop_s, dim)
    return total
