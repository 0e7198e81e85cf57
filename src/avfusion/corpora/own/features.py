"""Rows of a manifest with files of features: their files, and how long a row without video is."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avfusion.config.modalities import MODALITIES
from avfusion.corpora.tree.tree import Tree
from avfusion.errors import CorpusError
from avfusion.media.feature_files import Source
from avfusion.media.feature_forms import Form


def feature_columns(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that name files of features: one per modality, and one per encoder."""
    return (*(f"{modality}_features" for modality in MODALITIES), *entries)


@dataclass(frozen=True)
class FeatureRow:
    """The files of features of one row of a manifest.

    Parameters
    ----------
    source
        The row; without a recording, its path is that of a file of features, or "".
    bare
        Whether it has no recording.
    entries
        Encoder -> its modality and options.
    stated_s
        The length that the manifest states, or None.
    """

    source: Source
    bare: bool
    entries: Mapping[str, Mapping[str, Any]]
    stated_s: float | None

    @classmethod
    def of(
        cls, root: Path, video: str, row: Mapping[str, str], entries: Mapping[str, dict[str, Any]]
    ) -> "FeatureRow":
        """Return the row of a manifest; `video` is its name."""
        named = {name: row[name] for name in feature_columns(entries) if row.get(name)}
        path = row["video"] or next(iter(named.values()), "")
        source = Source(root, video, path, named)
        stated_s = float(row["duration_s"]) if row.get("duration_s") else None
        return cls(source, not row["video"], entries, stated_s)

    @property
    def files(self) -> dict[str, str]:
        """Column -> file; without a recording, also encoder -> file by the option `path`."""
        files = dict(self.source.named)
        for entry, options in self.entries.items() if self.bare else ():
            path, _ = self.source.file(Form.given(options), entry, options["modality"])
            if path:
                files[entry] = path
        return files

    @property
    def length_s(self) -> float:
        """The stated length, or the end of the last row of any file; 0 if neither is known."""
        if self.stated_s is not None:
            return self.stated_s
        ends_s = [0.0]
        for entry, options in self.entries.items():
            try:
                rows = self.source.rows(Form.given(options), entry, options["modality"])
            except CorpusError:
                continue  # `feature_checks` reports it
            if rows is not None and len(rows.stops_s) and np.isfinite(rows.stops_s[-1]):
                ends_s.append(float(rows.stops_s[-1]))
        return round(max(ends_s), 6)

    def cells(self, tree: Tree) -> dict[str, str | None]:
        """Return the manifest's cells `features` and `features_sha256`; None without files."""
        files = self.files
        digests = [
            [name, (tree.find(path) or (0, None))[1]] for name, path in sorted(files.items())
        ]
        digest = hashlib.sha256(json.dumps(digests).encode()).hexdigest()
        named = json.dumps(files, sort_keys=True)
        return {"features": named, "features_sha256": digest} if files else {}
