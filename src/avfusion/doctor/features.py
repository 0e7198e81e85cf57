"""Findings about files of features: how many a pattern finds, and whether a format can be read."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from avfusion.config.availability import holds_files
from avfusion.config.study import Study
from avfusion.doctor.finding import Finding
from avfusion.media.feature_files import matching


def findings(study: Study) -> Iterator[Finding]:
    """Yield a finding per encoder of feature files and corpus, and one if HDF5 cannot be read."""
    hdf5 = False
    for entry, options in study.feature_files().items():
        path = options.get("path", "")
        hdf5 = hdf5 or path.endswith((".h5", ".hdf5"))
        for corpus in study.corpora.values() if path else ():
            if not holds_files(Path(corpus.root)):
                continue
            count = len(matching(Path(corpus.root), path))
            text = f"{entry}: {count} files match {corpus.root}/{path}"
            remedy = "" if count else f"correct encoders.{entry}.path"
            yield Finding("OK" if count else "MISSING", "features", text, remedy)
    if hdf5 and importlib.util.find_spec("h5py") is None:
        yield Finding("MISSING", "h5py", "not installed; it reads .h5 files", "make extras")
